"""How tool calls are shown: from their first character to their result, live and remembered."""

import asyncio
import re

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart, UserPromptPart

from sessionmagic import register_model
from sessionmagic.conversation.event_json import event_from_json, event_to_json
from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    MessageInjected,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolReturned,
)
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.session import TurnRecord
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import MessageBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.captions import tool_line
from sessionmagic.notebook.page.answer import call_html
from sessionmagic.testing import call, hang, script
from tests.scripted import acts
from tests.turns import acted, ask, events_of, on_a_loop, orphans, whole

HEAD = {"session_id": "s", "turn_id": "1", "agent": "assistant", "at": 5.0}


def called(call_id, **args):
    return ToolCalled, {"call_id": call_id, "tool": "look", "args": args}


def came_back(call_id, content, outcome="success"):
    return ToolReturned, {
        "call_id": call_id,
        "tool": "look",
        "outcome": outcome,
        "content": content,
        "duration": None,
    }


def draft(call_id, text):
    return ToolCallDelta, {"call_id": call_id, "tool": "look", "text": text}


def transcript_after(*contents):
    """The transcript after events of these kinds and contents."""
    return fold(
        Transcript(), [kind(seq=seq, **HEAD, **content) for seq, (kind, content) in enumerate(contents, start=1)]
    )


def blocks_after(*contents):
    return transcript_after(*contents).blocks


def test_call_can_be_seen_from_its_first_character_to_its_result():
    steps = [
        (draft("a", ""), ToolBlock("a", "look", {})),
        (draft("a", '{"at":'), ToolBlock("a", "look", {}, draft='{"at":')),
        (draft("a", " 1}"), ToolBlock("a", "look", {}, draft='{"at": 1}')),
        (called("a", at=1), ToolBlock("a", "look", {"at": 1})),
        (
            (
                ApprovalRequested,
                {"approval_id": "q", "call_id": "a", "tool": "look", "args": {"at": 1, "to": 9}, "why": "strict"},
            ),
            ToolBlock("a", "look", {"at": 1}, approval_id="q", why="strict", asked={"at": 1, "to": 9}),
        ),
        (
            (ApprovalResolved, {"approval_id": "q", "call_id": "a", "decision": "once"}),
            ToolBlock("a", "look", {"at": 1}),
        ),
        (came_back("a", "dark"), ToolBlock("a", "look", {"at": 1}, "success", "dark")),
    ]
    for count, (_, block) in enumerate(steps, start=1):
        assert blocks_after(*(step for step, _ in steps[:count])) == (block,)


def test_question_is_closed_by_the_result_of_a_call_that_was_stopped():
    question = (ApprovalRequested, {"approval_id": "q", "call_id": "a", "tool": "look", "args": {}, "why": "strict"})
    assert blocks_after(called("a"), question, came_back("a", "", "interrupted")) == (
        ToolBlock("a", "look", {}, "interrupted"),
    )


def test_calls_that_run_at_once_get_their_own_results_in_their_own_place():
    assert blocks_after(called("a", n=1), called("b", n=2), came_back("b", "two"), came_back("a", "one")) == (
        ToolBlock("a", "look", {"n": 1}, "success", "one"),
        ToolBlock("b", "look", {"n": 2}, "success", "two"),
    )


def test_call_id_that_a_provider_gives_again_is_another_call():
    first = draft("a", "{}"), called("a", n=1), came_back("a", "one")
    second = draft("a", '{"n"'), called("a", n=2), came_back("a", "two", "failed")
    assert blocks_after(*first, second[0])[1] == ToolBlock("a", "look", {}, draft='{"n"')
    assert blocks_after(*first, *second) == (
        ToolBlock("a", "look", {"n": 1}, "success", "one"),
        ToolBlock("a", "look", {"n": 2}, "failed", "two"),
    )


def test_what_the_user_says_in_mid_turn_is_a_block_and_parts_the_answer():
    said = (MessageInjected, {"text": "Be brief", "kind": "steer"})
    transcript = transcript_after((TextDelta, {"text": "Once"}), said, said, (TextDelta, {"text": "Yes."}))
    assert transcript.blocks == (
        TextBlock("Once"),
        MessageBlock("Be brief"),
        MessageBlock("Be brief"),
        TextBlock("Yes."),
    )
    assert transcript.text == "Once\n\nYes."


def add(a: int) -> int:
    return a + 2


def breaks(a: int):  # noqa: ARG001  the model gives it
    raise ValueError("no\nmore")


ONE, TWO = ("add", {"a": 1}), ("add", {"a": 2})
SCRIPTS = {
    "result": [[ONE], "Done"],
    "text around calls": [["Let ", ONE, TWO], ["And ", ("add", {"a": 3})], "Done"],
    "error": [[("breaks", {"a": 1})], "Done"],
    "unknown tool": [[("nothing", {"a": 1})], "Done"],
    "arguments that do not fit": [[("add", {"a": "größe"})], [ONE], "Done"],
    "arguments that are no JSON": [[("add", '{"a": ')], "Done"],
    "arguments that are no object": [[("add", "[1]")], "Done"],
    "arguments of half a character": [[("add", '{"a": "\\ud800"}')], "Done"],
    "no arguments": [[("add", "")], [("add", "null")], "Done"],
    "arguments without end": [[("add", '{"a": ' + "[" * 100_000)], "Done"],
    "the same call id again": [[(*ONE, "id")], [(*TWO, "id")], "Done"],
    "hostile words": [[("<script>", {"\x1b[31m": "</script>\x00"})], "Done"],
    "a limit": [[ONE]],
}


@pytest.mark.parametrize("name", SCRIPTS)
@on_a_loop
async def test_stored_turn_shows_what_the_live_one_showed(manager, name):
    register_model("acts", acts(*SCRIPTS[name]))
    turn = await manager.run("Go", session="chat", model="acts", tools=[add, breaks], yes=True)
    events = whole(await events_of(turn))
    await turn.result()
    live, stored = turn.transcript, transcript_of("chat", manager.sessions.load("chat").turns[0])
    assert any(isinstance(block, ToolBlock) for block in live.blocks)
    assert stored.blocks == live.blocks
    assert (stored.text, stored.status, stored.error) == (live.text, live.status, live.error)
    replayed = [event_from_json(event_to_json(event)) for event in events]
    assert replayed == events
    assert fold(Transcript(), replayed) == live


@on_a_loop
async def test_denied_call_shows_the_same_live_and_stored(manager):
    register_model("acts", acts([ONE], "Done"))
    turn = await manager.run("Go", session="chat", model="acts", tools=[add])
    await turn.result()
    [block, _] = turn.transcript.blocks
    assert block.outcome == "denied"
    assert transcript_of("chat", manager.sessions.load("chat").turns[0]).blocks == turn.transcript.blocks


@on_a_loop
async def test_call_that_was_cut_off_while_it_was_written_is_shown_as_interrupted(manager):
    script("cut", ["Let me ", call("add", '{"a": ', call_id="id"), hang()])
    turn = await manager.run("Go", session="chat", model="cut", tools=[add], yes=True)
    async for event in turn.events():
        if isinstance(event, ToolCallDelta):
            break
    turn.cancel()
    whole(await events_of(turn))
    await turn.result()
    for transcript in (transcript_of("chat", manager.sessions.load("chat").turns[0]), turn.transcript):
        [text, cut] = transcript.blocks
        assert (text, cut.tool, cut.outcome) == (TextBlock("Let me "), "add", "interrupted")
    result, _, _ = await acted(manager, [ONE], "Done", tools=[add], yes=True)
    assert result.text == "Done"


@on_a_loop
async def test_call_id_that_an_earlier_interrupted_turn_used_shows_its_own_result(manager):
    async def never():
        await asyncio.Event().wait()

    register_model("acts", acts([("never", {}, "id")]))
    turn = await manager.run("Go", session="chat", model="acts", tools=[never], yes=True)
    async for event in turn.events():
        if event.type == "tool_called":
            break
    turn.cancel()
    await turn.result()
    await acted(manager, [(*ONE, "id")], "Done", tools=[add], yes=True)
    first, second = (transcript_of("chat", turn).blocks for turn in manager.sessions.load("chat").turns)
    assert [block.outcome for block in first] == ["interrupted"]
    assert (second[0].outcome, second[0].content) == ("success", "3")


def test_what_the_user_said_in_mid_turn_is_remembered_where_it_was_said():
    messages = [
        ModelRequest([UserPromptPart("Go")]),
        ModelResponse([TextPart("Once")]),
        ModelRequest([UserPromptPart("Be brief")]),
        ModelResponse([TextPart("Yes.")]),
    ]
    stored = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
    turn = TurnRecord(id="1", parent=None, agent="a", model="m", prompt="Go", started_at=0, messages=stored)
    assert transcript_of("chat", turn).blocks == (TextBlock("Once"), MessageBlock("Be brief"), TextBlock("Yes."))


@pytest.mark.parametrize(("seconds", "words"), [(0.0, "1 ms"), (0.0421, "42 ms"), (0.1, "0.1 s"), (62.04, "62.0 s")])
def test_row_says_how_long_a_call_took_also_when_that_was_short(seconds, words):
    assert tool_line(ToolBlock("1", "run", {}, "success", "", seconds)) == f"✓ run · {words}"


def test_line_that_runs_is_shown_as_a_line():
    html = call_html({"code": "# just looking\rremove('it')"})
    assert re.sub("<[^>]*>", "", html).splitlines() == ["# just looking", "remove('it')"]


@pytest.mark.parametrize("ids", [("id", "id", "id"), ("id", "id-2", "id"), ("", "", "")])
@on_a_loop
async def test_calls_of_one_step_that_share_an_id_get_a_result_each(manager, ids):
    step = [("add", {"a": number}, call_id) for number, call_id in enumerate(ids)]
    result, events, model = await acted(manager, step, step, "Done", tools=[add], yes=True)
    assert (result.status, result.text) == ("completed", "Done")
    whole(events)
    live = fold(Transcript(), events).blocks
    assert [(block.args, block.outcome, block.content) for block in live[:-1]] == [
        ({"a": number}, "success", str(number + 2)) for number in (0, 1, 2, 0, 1, 2)
    ]
    assert orphans(model.sent[2]) == []
    shown = transcript_of("chat", manager.sessions.load("chat").turns[-1]).blocks
    assert [(block.args, block.content) for block in shown[:-1]] == [(block.args, block.content) for block in live[:-1]]
    assert (await ask(manager, "Next", model="calm")).status == "completed"
