"""The work of a sub-agent in views: in one line, as text, as Markdown and HTML, and in widgets."""

from dataclasses import replace

from ipywidgets import VBox

from sessionmagic.conversation.events import ApprovalRequested
from sessionmagic.conversation.transcript import QuestionBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.conversation.usage import Usage
from sessionmagic.notebook.activity import activity, when_read
from sessionmagic.notebook.captions import tool_line
from sessionmagic.notebook.page.answer import tool_html
from sessionmagic.notebook.page.blocks import Blocks
from sessionmagic.notebook.page.markdown import blocks_markdown
from sessionmagic.notebook.terminal.asking import announcement
from sessionmagic.notebook.terminal.calls import CallText
from sessionmagic.notebook.terminal.text import block_text

LOOK = ToolBlock("l1", "look", {"at": "<b>"}, "success", "saw", 0.5)
WORK = Transcript(
    session="chat",
    turn_id="2",
    agent="helper",
    model="work",
    blocks=(LOOK, TextBlock("It is **7**.")),
    warnings=("careful",),
    usage=Usage(input_tokens=5, output_tokens=2, cost=0.25),
    status="completed",
    seconds=1.5,
)
DONE = ToolBlock("c1", "transfer_task", {"task": "Count"}, "success", "It is **7**.", 2.0, work=WORK)
FACTS = "turn 2 · helper · work · 5 → 2 tokens · $0.2500 · 1.5 s"


def running(**changes):
    work = replace(WORK, status="running", warnings=(), **changes)
    return replace(DONE, outcome=None, content="", duration=None, began=True, work=work)


def turn_of(*blocks):
    return Transcript(turn_id="1", blocks=blocks)


def test_line_of_a_call_names_the_other_agent():
    assert tool_line(DONE) == "✓ transfer_task · helper · 2.0 s"
    assert tool_line(running()) == "… transfer_task · helper"
    handed = ToolBlock("h1", "handoff", {"agent": "tutor"}, "success")
    assert tool_line(handed) == "✓ handoff · tutor"
    assert tool_line(replace(handed, outcome="failed")).startswith("✗ handoff")
    assert "tutor" not in tool_line(replace(handed, outcome="failed"))


def test_status_says_what_a_sub_agent_does():
    assert activity(turn_of(running())) == "helper: answering"
    looking = running(blocks=(replace(LOOK, outcome=None, began=True),))
    assert activity(turn_of(looking)) == "helper: running look"
    assert activity(turn_of(looking, replace(looking, call_id="c2"))) == "running 2 calls of transfer_task"
    asking = running(blocks=(replace(LOOK, outcome=None, approval_id="q"),))
    assert activity(turn_of(asking)) == "turn 1 waits for your answer"
    asked = running(blocks=(QuestionBlock("q", "Which?", {}),))
    assert turn_of(asked).waits_for_an_answer


def test_message_is_read_after_the_work_of_sub_agents():
    turn = replace(turn_of(TextBlock("Let me ask.")), agent="root")
    assert when_read(turn) == when_read(replace(turn, blocks=(DONE,))) == "the model reads it with its next request"
    working = replace(turn, blocks=(DONE, running()))
    assert when_read(working) == "root reads it with its next request, after the work of helper"


def test_text_has_the_calls_of_the_work_and_what_it_cost():
    assert block_text(DONE).splitlines() == [
        "✓ transfer_task · helper · 2.0 s",
        '    {"task": "Count"}',
        "    ✓ look · 0.5 s",
        "    ⚠ careful",
        f"    — {FACTS}",
        "    It is **7**.",
    ]


def test_text_of_work_that_was_stopped_has_what_was_said():
    stopped = replace(WORK, status="interrupted", blocks=(LOOK, TextBlock("It is")), warnings=())
    text = block_text(replace(DONE, outcome="interrupted", content="", duration=None, work=stopped))
    assert text.splitlines()[-3:] == ["    ✓ look · 0.5 s", "    It is", f"    — {FACTS}"]


def test_text_of_a_long_call_grows_by_the_work_at_its_end(monkeypatch):
    monkeypatch.setattr("sessionmagic.notebook.terminal.calls.RUNNING_SECONDS", 0)
    call = CallText()
    begun = call.grown(running())
    ended = call.grown(DONE)
    assert ended.startswith(begun)
    assert "✓ look" in ended.removeprefix(begun)
    assert "It is **7**." in ended


def test_html_has_the_work_folded_and_says_the_answer_once():
    html = tool_html(DONE)
    assert html.count("<details>") == 2
    assert html.count("<strong>7</strong>") == 1
    assert "It is **7**." not in html
    assert ("<b>" in html, "careful" in html, FACTS in html) == (False, True, True)
    cut = tool_html(replace(DONE, content="another text"))
    assert "another text" in cut


def test_markdown_of_an_answer_has_the_line_of_the_call_only():
    assert "helper" in blocks_markdown([DONE])
    assert "look" not in blocks_markdown([DONE])


class Controls:
    asks_on_page = True


def accordions(box):
    found = [child for child in box.children if type(child).__name__ == "Accordion"]
    return found + [each for child in box.children if hasattr(child, "children") for each in accordions(child)]


def words(box):
    return "".join([getattr(box, "value", ""), *(words(child) for child in getattr(box, "children", ()))])


def test_work_on_the_page_is_folded_until_it_asks_and_goes_into_the_call_at_the_end():
    box = VBox()
    blocks = Blocks(box, Controls())
    blocks.show(turn_of(running(blocks=())))
    [area] = accordions(box)
    assert (area.selected_index, area.titles) == (None, ("helper · waiting for the model",))
    blocks.show(turn_of(running(blocks=(TextBlock("Counting."),))))
    assert accordions(box) == [area]
    assert (area.selected_index, "Counting." in words(area)) == (None, True)
    asking = replace(LOOK, outcome=None, approval_id="q", why="the tool may <change> something")
    blocks.show(turn_of(running(blocks=(TextBlock("Counting."), asking))))
    assert (area.selected_index, area.titles) == (0, ("helper · waits for your answer",))
    assert "helper asks because the tool may &lt;change&gt; something" in words(area)
    area.selected_index = None
    blocks.show(turn_of(running(blocks=(TextBlock("Counting all."), asking))))
    assert area.selected_index is None
    blocks.show(turn_of(DONE))
    assert accordions(box) == []
    assert FACTS in words(box)


def test_announced_call_names_the_sub_agent():
    about = {"seq": 1, "session_id": "s", "turn_id": "1", "at": 0.0, "approval_id": "q", "call_id": "l1"}
    asked = ApprovalRequested(agent="helper", tool="look", args={}, why="strict", for_calls=("c1",), **about)
    assert "chat waits for your answer: helper: look · strict" in announcement("chat", asked)
    assert "helper" not in announcement("chat", replace(asked, for_calls=()))
