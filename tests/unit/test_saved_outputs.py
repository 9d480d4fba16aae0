"""The outputs that a notebook saves of a turn."""

from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.conversation.usage import Usage
from sessionmagic.notebook import output as module
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page import slots
from sessionmagic.notebook.page.slots import Slots
from sessionmagic.notebook.page.static import answer_outputs, whole_html, whole_output
from sessionmagic.testing import call, script
from tests.turns import on_a_loop

FIGURE = Output({"image/png": "aGk="})
FRAME = Output({"text/html": "<b>frame</b>", "text/plain": "frame"})


def ran(call_id, outcome="success"):
    return ToolBlock(call_id, "plot", {}, outcome, "done", 0.1)


def ended(*blocks, **about):
    return Transcript(
        session="chat", turn_id="3", model="test:test", blocks=blocks, status="completed", seconds=1.25, **about
    )


def displays(**shown):
    return lambda _: shown


def kinds(outputs):
    return [output.metadata.get("sessionmagic", {}).get("part") or next(iter(output.data)) for output in outputs]


def test_figure_stands_after_the_call_that_made_it():
    turn = ended(TextBlock("First."), ran("a"), ran("b"), TextBlock("Then."), ran("c"))
    outputs = answer_outputs(turn, displays(a=[FIGURE, FRAME], c=[FIGURE]))
    assert kinds(outputs) == ["answer", "image/png", "text/html", "answer", "image/png", "footer"]
    assert [outputs[at].data["text/plain"] for at in (0, 3)] == ["First.", "Then."]
    assert outputs[0].data["text/html"].count("✓ plot") == 1
    assert outputs[3].data["text/html"].count("✓ plot") == 2


def test_display_of_a_call_that_is_not_shown_comes_last():
    assert kinds(answer_outputs(ended(TextBlock("Hi")), displays(x=[FIGURE]))) == ["answer", "image/png", "footer"]


def test_turn_that_said_nothing_has_an_answer_and_a_footer_all_the_same():
    answer, footer = answer_outputs(ended())
    assert answer.data["text/plain"] == "no answer"
    assert "chat · turn 3" in footer.data["text/plain"]


def test_every_output_has_text_that_is_not_empty():
    turns = [ended(), ended(ReasoningBlock("Hm.")), ended(ran("a")), ended(warnings=("careful",))]
    for turn in turns:
        for output in [*answer_outputs(turn, displays(a=[FIGURE])), *whole_output(turn)]:
            assert output.data
            assert all(output.data.values())


def test_facts_are_in_the_footer_once():
    usage = Usage(input_tokens=5, output_tokens=7, cost=0.5)
    *answer, footer = answer_outputs(ended(TextBlock("Hi"), usage=usage))
    assert footer.data["text/plain"] == "chat · turn 3 · test:test · 5 → 7 tokens · $0.5000 · 1.2 s"
    assert footer.metadata["sessionmagic"] == {
        "session": "chat", "turn": "3", "part": "footer", "agent": "", "model": "test:test", "status": "completed",
        "seconds": 1.25, "input_tokens": 5, "output_tokens": 7, "cost": 0.5,
        "unmeasured_requests": 0, "unpriced_requests": 0,
    }  # fmt: skip
    assert [output.metadata for output in answer] == [
        {"sessionmagic": {"session": "chat", "turn": "3", "part": "answer"}}
    ]


def test_where_no_output_can_be_added_the_footer_is_part_of_the_answer():
    turn = ended(TextBlock("Hi"), ran("a"))
    whole, figure = whole_output(turn, displays(a=[FIGURE]))
    assert figure is FIGURE
    assert whole.data["text/html"] == whole_html(answer_outputs(turn))
    assert "chat · turn 3" in whole.data["text/html"]
    assert whole.metadata["sessionmagic"]["status"] == "completed"


@on_a_loop
async def test_stored_turn_is_shown_as_it_was_when_it_ended_to_the_byte(manager):
    def weather(city: str) -> str:
        return f"rain in {city}"

    script("works", ["I *look*. ", call("weather", city="Bern")], ["It ", "rains."])
    turn = await manager.run("Weather?", session="chat", model="works", tools=[weather], yes=True, values=["city"])
    await turn.result()
    stored = manager.store.load(turn.session_id)
    shown, again = (answer_outputs(each) for each in (turn.transcript, transcript_of(stored.name, stored.turns[-1])))
    assert again == shown
    assert "new session 'chat'" in shown[-1].data["text/plain"]


class Page:
    """The outputs under a cell, as a front end keeps them."""

    def __init__(self, monkeypatch):
        self.shown, self.sent, self.cleared = [], 0, 0
        monkeypatch.setattr(module, "display", self.display)
        monkeypatch.setattr(slots, "clear_output", self.clear)

    def clear(self, *, wait):
        assert wait
        self.shown.clear()
        self.cleared += 1

    def display(self, data, **_):
        at, self.sent = len(self.shown), self.sent + 1
        self.shown.append(data)

        class Handle:
            def update(_, data, **__):  # noqa: N805
                self.shown[at], self.sent = data, self.sent + 1

        return Handle()


def test_what_comes_in_between_moves_the_rest_down(monkeypatch):
    page, kept = Page(monkeypatch), Slots()
    first, second, draft = Output({"a": 1}), Output({"b": 2}), Output({"d": 3})
    kept.show([first])
    kept.show([first, draft])
    kept.show([first, FIGURE, second, draft])
    assert page.shown == [{"a": 1}, {"image/png": "aGk="}, {"b": 2}, {"d": 3}]
    kept.show([first, FIGURE, second, draft])
    assert page.sent == 5


def test_front_end_that_cannot_replace_an_output_is_cleared_for_each_change(monkeypatch):
    page, kept = Page(monkeypatch), Slots("by clearing")
    area, answer, footer = Output({"a": 1}), Output({"b": 2}), Output({"f": 3})
    kept.show([area])
    kept.show([area])
    kept.show([area, FIGURE])
    assert page.shown == [{"a": 1}, {"image/png": "aGk="}]
    kept.show([answer, FIGURE, footer])
    assert page.shown == [{"b": 2}, {"image/png": "aGk="}, {"f": 3}]
    assert page.sent == 5


def test_page_that_others_have_open_too_is_cleared_if_an_output_that_is_not_the_last_changes(monkeypatch):
    page, kept = Page(monkeypatch), Slots("the last in place")
    area, draft, answer, footer = Output({"a": 1}), Output({"d": 2}), Output({"b": 3}), Output({"f": 4})
    kept.show([area])
    kept.show([area, draft])
    kept.show([area, FIGURE])
    assert (page.sent, page.cleared) == (3, 0)
    kept.show([answer, FIGURE, footer])
    assert page.shown == [{"b": 3}, {"image/png": "aGk="}, {"f": 4}]
    assert (page.sent, page.cleared) == (6, 1)


def test_turn_that_never_started_leaves_no_empty_output():
    failed = Transcript(status="failed", error="UsageError: no")
    answer, footer = answer_outputs(failed)
    assert "no" in answer.data["text/plain"]
    assert footer.data["text/plain"] == "the turn did not start"
    assert "the turn did not start" in footer.data["text/html"]
