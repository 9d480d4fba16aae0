"""Recordings of conversations whose older turns were summarized."""

import json
from dataclasses import replace

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import Agents, Cell, Models, ReplayError, Request, SessionManager
from sessionmagic.comparing.contestants import Contestant
from sessionmagic.conversation.events import HistoryCompacted
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.models.configured import configured
from sessionmagic.sessions.formats.recording import to_recording
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import call, script
from sessionmagic.turns.quotation import CONVERSATION
from tests.turns import ask, events_of, manager_on, on_a_loop, whole

LONG = "word " * 600
"""About 750 tokens."""
TOO_LONG = {"error": {"message": "this model's maximum context length is 4096 tokens"}}


def asks_for_summary(messages):
    return str(messages[-1].parts[0].content).startswith(CONVERSATION)


def answers(messages):
    return "In short." if asks_for_summary(messages) else f"answer to {messages[-1].parts[-1].content.split()[-1]}"


def size_of(messages):
    return sum(len(str(getattr(part, "content", ""))) for message in messages for part in message.parts)


def small(messages):
    """Refuse a long request, except one for a summary."""
    if size_of(messages) > 5_000 and not asks_for_summary(messages):
        return ModelHTTPError(400, "small", TOO_LONG)
    return answers(messages)


@pytest.fixture
def model():
    return script("model", answers)


async def compact(manager, instruction="", session="chat", **options):
    turn = await manager.compact(session, instruction, **options)
    return await turn.result()


def shape(manager, session):
    """Return what a replayed session must have in common with the recorded one."""
    return [
        (turn.id, turn.parent, turn.kind, turn.covers, turn.prompt, transcript_of(session, turn).text)
        for turn in manager.sessions.load(session).turns
    ]


def replaying(recording):
    configured.change("openai:gpt-5.2", {}, {}, replay=str(recording))


def in_file(manager, tmp_path):
    """Record the session in a file, and answer from it in a manager that knows nothing else."""
    file = tmp_path / "lesson.jsonl"
    file.write_text(to_recording(manager.sessions.load("chat")))
    replaying(file)
    return manager_on(MemoryStore())


@on_a_loop
async def test_requested_summaries_and_the_turns_after_them_are_replayed(manager, model, tmp_path):
    for prompt in "abcd":
        await ask(manager, prompt, model="model")
    await compact(manager)
    await ask(manager, "e")
    await compact(manager, "keep the numbers")
    await ask(manager, "f")
    recorded, asked = shape(manager, "chat"), len(model.sent)
    again = in_file(manager, tmp_path)
    for prompt in "abcd":
        await ask(again, prompt)
    assert (await compact(again)).model == "replay of model"
    await ask(again, "e")
    await compact(again, "keep the numbers")
    assert (await ask(again, "f")).text == "answer to f"
    assert (shape(again, "chat"), len(model.sent)) == (recorded, asked)


@on_a_loop
async def test_summary_of_the_same_conversation_is_the_same_again(manager, model):
    await ask(manager, "a", model="model")
    await compact(manager)
    replaying("chat")
    for session in ("again", "once more", "again"):
        await ask(manager, "a", session, cell=Cell(id="a"))
        assert (await compact(manager, session=session)).text == "In short."
    assert len(model.sent) == 2


@on_a_loop
async def test_summary_that_was_not_recorded_is_an_error_that_says_so(manager, model):
    await ask(manager, "a", model="model")
    await ask(manager, "a", "again", model="replay:chat")
    result = await compact(manager, session="again")
    assert isinstance(result.error, ReplayError)
    assert str(result.error) == (
        "the recording chat does not have a summary of this conversation; it has no summaries at all"
    )
    await compact(manager)
    other = manager_on(manager.store)
    script("model", answers)
    await ask(other, "b", "other", model="model")
    result = await compact(other, session="other", model="replay:chat")
    assert str(result.error) == (
        'the recording chat has summaries, but not of this conversation: prompt line 1: "b" where the recording has "a"'
    )
    result = await compact(manager, "keep the names", session="again")
    assert "where the recording has no such line" in str(result.error)
    assert (await compact(manager, session="again")).text == "In short."
    assert len(model.sent) == 2


@on_a_loop
async def test_summary_covers_what_was_recorded_whatever_the_model_could_read(manager, tmp_path):
    script("model", answers, profile={"context_window": 4_000})
    for prompt in ("a", LONG + "b", LONG + "c"):
        await ask(manager, prompt, model="model")
    await compact(manager)
    await ask(manager, "d")
    recorded = shape(manager, "chat")
    assert recorded[3][3] == "2"  # the latest turn alone stays, as two would take too much of the context
    again = in_file(manager, tmp_path)
    for prompt in ("a", LONG + "b", LONG + "c"):
        await ask(again, prompt)
    await compact(again)
    await ask(again, "d")
    assert shape(again, "chat") == recorded


async def fill(manager):
    """Leave the context of the model nearly full. Its provider counts no tokens."""
    script("big", answers)
    for prompt in (LONG + "a", "b", LONG + "c"):
        await ask(manager, prompt, model="big", once=True)

    def uncounted(session):
        return replace(session, turns=tuple(map(without_usage, session.turns)))

    manager.store.update(manager.sessions.id_of("chat"), uncounted)


def without_usage(turn):
    return replace(turn, messages=[turn.messages[0], *({**each, "usage": {}} for each in turn.messages[1:])])


@pytest.mark.parametrize("from_file", [False, True])
@on_a_loop
async def test_summary_that_was_made_for_a_turn_is_made_for_it_again(manager, tmp_path, from_file):
    script("model", answers, profile={"context_window": 1_000})
    await fill(manager)
    await ask(manager, "d", model="model")
    await ask(manager, "e", model="model")
    recorded = shape(manager, "chat")
    assert [each[2] for each in recorded] == ["ask", "ask", "ask", "ask", "compaction", "ask"]
    if from_file:
        manager, name = in_file(manager, tmp_path), "chat"
    else:
        name = "again"
        replaying("chat")
    for prompt in (LONG + "a", "b", LONG + "c"):
        await ask(manager, prompt, name)
    turn = await manager.run("d", session=name)
    events = whole(await events_of(turn))
    assert [event.summary for event in events if isinstance(event, HistoryCompacted)] == ["In short."]
    assert turn.transcript.warnings == ()
    assert (await ask(manager, "e", name)).text == "answer to e"
    assert shape(manager, name) == recorded


@on_a_loop
async def test_summary_after_a_refusal_in_the_middle_of_a_turn_is_replayed(manager, tmp_path):
    def read(at: int) -> str:
        """Read."""
        ran.append(at)
        return f"{at} " + "data " * 100

    ran = []

    def acts(messages):
        results = [part for message in messages for part in message.parts if part.part_kind == "tool-return"]
        if asks_for_summary(messages) or len(results) == 3:
            return "Read all."
        if size_of(messages) > 3_500:
            return ModelHTTPError(400, "small", TOO_LONG)
        return call("read", at=len(results))

    script("big", answers)
    script("small", acts)
    for prompt in (LONG + "a", "b", "c"):
        await ask(manager, prompt, model="big", once=True)
    await ask(manager, "read", model="small", tools=[read], yes=True)
    recorded = shape(manager, "chat")
    assert [each[2] for each in recorded] == ["ask", "ask", "ask", "ask", "compaction"]
    again = in_file(manager, tmp_path)
    for prompt in (LONG + "a", "b", "c"):
        await ask(again, prompt)
    assert (await ask(again, "read", tools=[read])).text == "Read all."
    assert [each[2:] for each in shape(again, "chat")] == [each[2:] for each in recorded]
    assert ran == [0, 1, 2]


@on_a_loop
async def test_cell_that_runs_again_after_its_summary_gets_the_same_answer(manager):
    script("model", answers, profile={"context_window": 1_000})
    await fill(manager)
    await ask(manager, "d", model="model")
    replaying("chat")
    for prompt in (LONG + "a", "b", LONG + "c"):
        await ask(manager, prompt, "again")
    for _ in range(2):
        assert (await ask(manager, "d", "again", cell=Cell(id="d"))).text == "answer to d"
    kinds = [turn.kind for turn in manager.sessions.load("again").turns]
    assert kinds == ["ask", "ask", "ask", "ask", "compaction", "ask"]


@on_a_loop
async def test_columns_of_a_comparison_that_were_summarized_for_are_replayed(manager, tmp_path):
    for name in ("left", "right"):
        script(name, answers, profile={"context_window": 1_000})
    await fill(manager)

    async def compare(manager):
        request = Request(prompt="Which?", session="chat")
        comparison = await manager.compare(request, [Contestant("left"), Contestant("right")])
        return [(each.text, each.model) for each in await comparison.answers()]

    said = await compare(manager)
    again = in_file(manager, tmp_path)
    for prompt in (LONG + "a", "b", LONG + "c"):
        await ask(again, prompt)
    assert await compare(again) == [(text, f"replay of {model}") for text, model in said]
    assert [turn.kind for turn in again.sessions.load("chat").turns].count("compaction") == 2


@on_a_loop
async def test_agents_own_model_for_summaries_is_not_asked(manager):
    script("model", answers)
    writer = script("writer", "By the writer.")
    file = {
        "models": {"own": {"model": "model", "compaction_model": "writer"}},
        "agents": {"root": {"model": "own"}},
    }
    manager = SessionManager(manager.store, Models("calm"), Agents(file))
    await ask(manager, "a")
    await compact(manager)
    await ask(manager, "a", "again", model="replay:chat")
    result = await compact(manager, session="again")
    assert (result.text, result.model) == ("By the writer.", "replay of writer")
    assert len(writer.sent) == 1
    await ask(manager, "b", "other", model="replay:chat")
    assert len(writer.sent) == 1


@on_a_loop
async def test_summaries_are_filled_in_and_then_replayed(manager, tmp_path):
    model = script("small", small)
    file = tmp_path / "lesson.jsonl"

    async def lesson(manager):
        for prompt in (LONG + "a", "b", "c"):
            await ask(manager, prompt, model="small")
        await compact(manager)
        for prompt in (LONG + "d", LONG + "e"):
            await ask(manager, prompt, model="small")
        return shape(manager, "chat")

    configured.change("calm", {}, {}, replay=str(file), fills=True)
    recorded = await lesson(manager)
    assert [each[2] for each in recorded].count("compaction") == 2
    asked = len(model.sent)
    entries = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    assert len(entries) == len(recorded)
    assert all(entry.get("covers") for entry in entries if entry.get("kind") == "compaction")
    assert await lesson(manager_on(MemoryStore())) == recorded
    assert len(file.read_text().splitlines()) == len(entries) + 1
    replaying(file)
    assert await lesson(manager_on(MemoryStore())) == recorded
    assert len(model.sent) == asked
