"""What MCP servers ask the user in the middle of a call."""

import asyncio
import json
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessionmagic import AgentDefinition, MemoryStore, Models, SessionManager
from sessionmagic.conversation.event_json import event_from_json, event_to_json
from sessionmagic.conversation.events import (
    InputProvided,
    InputRequested,
    TurnFinished,
    Warned,
)
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.transcript import QuestionBlock, Transcript
from sessionmagic.exceptions import QuestionNotOpenError, UsageError
from sessionmagic.notebook.captions import question_line, status_line
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.testing import call, script
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.tools.questions import Questions
from tests.turns import acting, events_of, manager_on, on_a_loop, returned, until, whole

SERVER = str(Path(__file__).parents[1] / "mcp_server.py")
ASK = [("tests__ask", {})]


@pytest.fixture(scope="module")
def shared():
    servers = McpServers()
    servers.add("tests", {"command": sys.executable, "args": [SERVER]})
    yield servers
    servers.shutdown()


@pytest.fixture
def manager(shared):
    made = manager_on(MemoryStore())
    made.mcp = shared
    return made


async def asking(manager, **options):
    """Start a turn whose call asks; return the turn and the question."""
    turn, model = await acting(manager, ASK, "Done", **({"attended": True, "yes": True} | options))
    await until(lambda: turn.questions.open)
    [question] = turn.questions.open
    return turn, question, model


def calls(manager):
    """What the server is called for now."""
    connection = manager.mcp._servers["tests"]._connection
    return connection.calls if connection is not None else ()


def inputs(events):
    return [event for event in events if isinstance(event, InputRequested | InputProvided)]


@on_a_loop
async def test_accepted_form_reaches_the_server(manager):
    turn, question, model = await asking(manager)
    assert manager.turns.questions() == [(turn, question)]
    assert (question.server, question.message) == ("tests", "Where do you want to go?")
    assert question.schema["required"] == ["to"]
    assert turn.transcript.waits_for_an_answer
    content = {"to": "Rome", "days": 3}
    threading.Thread(target=turn.questions.answer, args=(question.id, "accept", content)).start()
    events = whole(await events_of(turn))
    assert manager.turns.questions() == []
    assert returned(events) == [("tests__ask", "success", 'accept: {"to":"Rome","days":3,"seat":"aisle"}')]
    assert "Rome" in model.sent[1][-1].parts[0].content
    requested, provided = inputs(events)
    assert (requested.server, requested.schema) == ("tests", question.schema)
    assert (provided.question_id, provided.action, provided.content) == (question.id, "accept", content)
    assert [event_from_json(event_to_json(event)) for event in (requested, provided)] == [requested, provided]
    assert [block.action for block in turn.transcript.blocks if isinstance(block, QuestionBlock)] == ["accept"]


@on_a_loop
async def test_titled_several_and_listed_values_reach_the_server(manager):
    turn, _ = await acting(manager, [("tests__book", {})], "Done", attended=True, yes=True)
    await until(lambda: turn.questions.open)
    [question] = turn.questions.open
    content = {"name": "Ada", "seat": "W", "meals": ["b", "d"], "bags": 2, "insured": True, "codes": ["X1"]}
    turn.questions.answer(question.id, "accept", content)
    assert returned(await events_of(turn)) == [("tests__book", "success", f"accept: {json.dumps(content)}")]


@pytest.mark.parametrize("action", ["decline", "cancel"])
@on_a_loop
async def test_user_may_decline(manager, action):
    turn, question, _ = await asking(manager)
    turn.questions.answer(question.id, action, {"to": "Rome"})
    events = await events_of(turn)
    assert returned(events) == [("tests__ask", "success", action)]
    assert (inputs(events)[-1].action, inputs(events)[-1].content) == (action, None)


@on_a_loop
async def test_content_that_does_not_fit_is_refused_and_the_question_stays_open(manager):
    turn, question, _ = await asking(manager)
    for content, words in [
        ({}, "'to' is a required property"),
        ({"to": "Rome", "days": "three"}, "days: 'three' is not of type 'integer'"),
        ({"to": "Rome", "seat": "roof"}, "seat: 'roof' is not one of"),
    ]:
        with pytest.raises(UsageError, match=words):
            turn.questions.answer(question.id, "accept", content)
    for action in ("", "yes", "ACCEPT", None):
        with pytest.raises(UsageError, match="accept, decline, cancel"):
            turn.questions.answer(question.id, action, {"to": "Rome"})
    assert turn.questions.open == [question]
    turn.questions.answer(question.id, "accept", {"to": "Rome"})
    assert (await turn.result()).status == "completed"


@on_a_loop
async def test_question_is_answered_once_and_by_its_id(manager):
    turn, question, _ = await asking(manager)
    with pytest.raises(QuestionNotOpenError):
        turn.questions.answer("another", "decline")
    turn.questions.answer(question.id, "accept", {"to": "Rome"})
    with pytest.raises(QuestionNotOpenError):
        turn.questions.answer(question.id, "decline")
    assert "Rome" in returned(await events_of(turn))[0][2]
    with pytest.raises(QuestionNotOpenError, match="its turn has ended"):
        turn.questions.answer(question.id, "decline")


@on_a_loop
async def test_unattended_turn_declines_at_once(manager):
    turn, _ = await acting(manager, ASK, "Done", yes=True)
    events = whole(await events_of(turn))
    assert returned(events) == [("tests__ask", "success", "decline")]
    assert [getattr(event, "action", None) for event in inputs(events)] == [None, "decline"]


@on_a_loop
async def test_stopped_turn_takes_its_question_back_and_the_server_goes_on(manager):
    turn, question, _ = await asking(manager)
    turn.cancel()
    events = whole(await events_of(turn))
    assert (events[-1].status, inputs(events)[-1].action) == ("interrupted", "cancel")
    with pytest.raises(QuestionNotOpenError):
        turn.questions.answer(question.id, "accept", {"to": "Rome"})
    await until(lambda: not calls(manager))
    turn, question, _ = await asking(manager)
    turn.questions.answer(question.id, "accept", {"to": "Oslo"})
    assert "Oslo" in returned(await events_of(turn))[0][2]


@on_a_loop
async def test_pattern_of_a_server_cannot_hold_up_the_process(manager):
    turn, _ = await acting(manager, [("tests__ask_for_ever", {})], "Done", attended=True, yes=True)
    await until(lambda: turn.questions.open)
    [question] = turn.questions.open
    assert question.schema["properties"]["pattern"] == {"type": "string"}
    endless = "a" * 40 + "!"
    turn.questions.answer(question.id, "accept", {"pattern": endless, "all": [endless]})
    assert returned(await events_of(turn)) == [("tests__ask_for_ever", "success", "accept")]


@on_a_loop
async def test_question_reaches_the_turn_that_calls_whoever_started_the_server(manager):
    for session in "ab":
        turn, question, _ = await asking(manager, session=session)
        assert [each.id for each in turn.questions.open] == [question.id]
        turn.questions.answer(question.id, "decline")
        assert (await turn.result()).session == session


@on_a_loop
async def test_question_during_the_work_of_a_sub_agent_names_it(shared):
    agents = {
        "root": AgentDefinition(name="root", model="boss", sub_agents={"helper": ""}),
        "helper": AgentDefinition(name="helper", model="work"),
    }
    manager = SessionManager(MemoryStore(), Models(), agents)
    manager.mcp = shared
    task = call("transfer_task", agent="helper", task="Ask.")
    script("boss", [task], "Done.")
    script("work", [call("tests__ask")], "Asked.")
    turn = await manager.run("Go", session="chat", attended=True, yes=True)
    await until(lambda: turn.questions.open)
    [question] = turn.questions.open
    assert (question.server, question.sub_agent) == ("tests", "helper")
    [shown] = (block for block in turn.transcript.blocks if isinstance(block, QuestionBlock))
    assert question_line(shown).startswith("? tests (for helper) asks: Where do you want to go?")
    turn.questions.answer(question.id, "decline")
    assert (await turn.result()).text == "Done."


@on_a_loop
async def test_question_of_one_of_two_calling_turns_is_shown_to_neither(manager):
    slow, _ = await acting(manager, [("tests__slow", {"seconds": 60})], session="a", attended=True, yes=True)
    await until(lambda: calls(manager))
    turn, _ = await acting(manager, ASK, "Done", session="b", attended=True, yes=True)
    events = await events_of(turn)
    assert (returned(events), inputs(events)) == ([("tests__ask", "success", "cancel")], [])
    said = "a question of MCP server 'tests' could not be shown: calls of 2 turns are running on the server"
    assert [event.text for event in events if isinstance(event, Warned)] == [said]
    slow.cancel()
    assert inputs(await events_of(slow)) == []


@on_a_loop
async def test_turn_on_the_loop_thread_asks_too(manager):
    answered = []

    def run():
        answered.append(manager.run_sync("Go", session="sync", model="acts", attended=True, yes=True))

    turn, question, _ = await asking(manager, session="other")
    turn.questions.answer(question.id, "decline")
    await turn.result()
    script("acts", call("tests__ask"), "Done")
    thread = threading.Thread(target=run)
    thread.start()
    await until(lambda: [q for running in manager.turns.running() for q in running.questions.open])
    [running] = manager.turns.running()
    running.questions.answer(running.questions.open[0].id, "accept", {"to": "Rome"})
    await asyncio.to_thread(thread.join, 20)
    assert [result.status for result in answered] == ["completed"]
    assert any("Rome" in json.dumps(message) for message in answered[0].raw_messages)


def test_question_is_shown_as_text_and_what_became_of_it():
    head = {"session_id": "s", "turn_id": "1", "agent": "a", "at": 0.0}
    hostile = "<img src=x onerror=alert(1)>"
    asked = InputRequested(seq=1, question_id="q", server=f"web{hostile}", message=hostile, schema={}, **head)
    transcript = fold(Transcript(turn_id="1"), [asked])
    assert transcript.blocks == (QuestionBlock("q", hostile, {}, server=f"web{hostile}"),)
    assert status_line(transcript, "chat", "test", 0).endswith(" · turn 1 waits for your answer")
    assert "waits for your answer" in answer_html(transcript)
    for action, words in [("accept", "answered"), ("decline", "declined"), ("cancel", "not answered")]:
        closed = InputProvided(seq=2, question_id="q", action=action, **head)
        done = fold(transcript, [closed])
        assert (done.blocks[0].action, done.waits_for_an_answer) == (action, False)
        assert f"· {words}" in answer_html(done)
        assert "<img" not in answer_html(done)
        assert fold(Transcript(turn_id="1"), [asked, closed]) == done


@on_a_loop
async def test_question_after_the_turns_end_is_not_heard():
    events = []
    questions = Questions(lambda kind, **_: events.append(kind), attended=True)
    waiting = asyncio.create_task(questions.ask("web", "Now?", {}))
    await until(lambda: questions.open)
    questions.close()
    events.append(TurnFinished)
    assert (await waiting).action == "cancel"
    assert (await questions.ask("web", "Now?", {})).action == "cancel"
    assert events == [InputRequested, InputProvided, TurnFinished]


@on_a_loop
async def test_form_that_cannot_be_filled_in_can_only_be_declined():
    questions = Questions(lambda *_, **__: None, attended=True)
    waiting = asyncio.create_task(questions.ask("web", "Now?", {"$ref": "http://127.0.0.1:9/schema"}))
    await until(lambda: questions.open)
    [question] = questions.open
    with pytest.raises(UsageError, match="decline it"):
        questions.answer(question.id, "accept", {})
    questions.answer(question.id, "decline")
    assert tuple(await waiting) == ("decline", None)


@asynccontextmanager
async def asked(schema):
    """A question with this form, open."""
    questions = Questions(lambda *_, **__: None, attended=True)
    waiting = asyncio.create_task(questions.ask("web", "Now?", schema))
    await until(lambda: questions.open)
    yield questions, questions.open[0]
    questions.close()
    await waiting


@pytest.mark.parametrize("value", [{"b": 1}, [1, 2], [["x"]], [{"b": 1}]])
@on_a_loop
async def test_value_that_the_protocol_does_not_carry_is_refused_and_the_question_stays_open(value):
    async with asked({"type": "object"}) as (questions, question):
        with pytest.raises(UsageError, match="a: only strings, numbers, booleans and lists of strings"):
            questions.answer(question.id, "accept", {"a": value})
        assert questions.open == [question]
        questions.answer(question.id, "accept", {"a": ["x"], "b": None, "c": 1.5, "d": True})


@on_a_loop
async def test_refusal_in_a_servers_words_is_one_short_line_without_control_characters():
    name = "a\n\x1b[2J\u202e"
    values = [f"v{number}" for number in range(1_000)]
    async with asked({"properties": {name: {"enum": values}}}) as (questions, question):
        with pytest.raises(UsageError) as refused:
            questions.answer(question.id, "accept", {name: "x"})
    assert str(refused.value).startswith("a �[2J�: 'x' is not one of ['v0', ")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) <= 300
