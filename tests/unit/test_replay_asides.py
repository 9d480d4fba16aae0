"""Recorded titles and verdicts, which are no part of a conversation."""

import asyncio
import json
from dataclasses import replace

import pytest

from sessionmagic import ReplayError
from sessionmagic.agents.definition import BUILT_IN
from sessionmagic.comparing.contestants import Contestant
from sessionmagic.comparing.judge import Judge
from sessionmagic.comparing.plan import GridRequest
from sessionmagic.models.configured import configured
from sessionmagic.sessions.formats.recording import to_recording
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import script
from sessionmagic.turns.request import Request
from tests.turns import ask, manager_on, on_a_loop

COLUMNS = [Contestant("left"), Contestant("right")]


def with_titles(store=None):
    """Return a manager whose agent has its titles made by a scripted model."""
    manager = manager_on(store or MemoryStore())
    manager.agents.define(replace(BUILT_IN["assistant"], title_model="titler"))
    return manager


async def titled(manager, prompt="Why do customers leave us?", session="chat", **options):
    """Run a turn, wait for its title, and return that."""
    result = await ask(manager, prompt, session, titles=True, **options)
    assert result.status == "completed"
    await asyncio.sleep(0)  # lets the end of the turn be noticed
    await asyncio.gather(*manager._titling._tasks.values(), return_exceptions=True)
    return manager.sessions.load(session).title


def in_file(manager, tmp_path):
    file = tmp_path / "lesson.jsonl"
    file.write_text(to_recording(manager.sessions.load("chat")))
    return file


@on_a_loop
async def test_title_is_replayed_and_no_model_is_asked(tmp_path):
    titler = script("titler", "Why customers *leave*")
    manager = with_titles()
    assert await titled(manager) == "Why customers leave"
    file = in_file(manager, tmp_path)
    assert await titled(manager, session="again", model=f"replay:{file}") == "Why customers leave"
    configured.change("openai:gpt-5.2", {}, {}, replay=str(file))
    elsewhere = with_titles()
    assert await titled(elsewhere) == "Why customers leave"
    [answer, title] = elsewhere.sessions.load("chat").turns[0].requests
    assert (title.purpose, title.model, title.usage.cost) == ("title", "replay of titler", 0.0)
    recorded = manager.sessions.load("chat").turns[0].requests[1]
    assert (title.usage.output_tokens, title.seconds) == (recorded.usage.output_tokens, recorded.seconds)
    assert len(titler.sent) == 1
    assert answer.model == "replay of calm"


@pytest.mark.parametrize("everywhere", [False, True])
@on_a_loop
async def test_title_that_was_not_recorded_stays_the_first_words_and_no_model_is_asked(everywhere):
    titler = script("titler", "Why customers leave")
    manager = with_titles()
    await ask(manager, "Why?")
    if everywhere:
        configured.change("openai:gpt-5.2", {}, {}, replay="chat")
    assert await titled(manager, "Why?", "again", model="" if everywhere else "replay:chat") == "Why?"
    assert titler.sent == []


@on_a_loop
async def test_titles_are_filled_in(tmp_path):
    titler = script("titler", "Why customers leave", "A greeting")
    file = tmp_path / "lesson.jsonl"
    configured.change("calm", {}, {}, replay=str(file), fills=True)
    await ask(with_titles(), "Why?", model="calm")
    assert await titled(with_titles(), "Why?", model="calm") == "Why customers leave"
    assert await titled(with_titles(), "Hello", model="calm") == "A greeting"
    assert await titled(with_titles(), "Why?", model="calm") == "Why customers leave"
    assert len(titler.sent) == 2
    assert [json.loads(line).get("prompt") for line in file.read_text().splitlines()] == [None, "Why?", "Hello"]
    configured.change("calm", {}, {}, replay=str(file))
    assert await titled(with_titles(), "Hello") == "A greeting"


def judge_of(*answers):
    return script("judge", *answers)


async def answered(manager, left="To the left.", right="To the right."):
    """Compare two models that answer so, in the session `again`."""
    script("left", left)
    script("right", right)
    comparison = await manager.compare(Request(prompt="Which?", session="again"), COLUMNS)
    await comparison.answers()


async def compared(manager, criteria="", session="chat", repeat=1):
    """Compare two models, let a judge judge them, and return its verdicts."""
    script("left", "To the left.", "To the left again.")
    script("right", "To the right.", "To the right again.")
    comparison = await manager.compare(Request(prompt="Which?", session=session), COLUMNS, repeat=repeat)
    await comparison.answers()
    turns = await manager.comparisons.judge(session, Judge("judge", criteria))
    return [(each.straight, each.swapped) for each in turns[0].verdicts]


@on_a_loop
async def test_verdicts_are_replayed_and_no_model_is_asked(manager, tmp_path):
    judge = judge_of("Clear.\nVERDICT: first", "VERDICT: second", "Who knows?", "VERDICT: tie")
    verdicts = await compared(manager, "Brevity", repeat=2)
    assert sorted(each for pair in verdicts for each in pair if each) == ["first", "second", "tie"]
    file = in_file(manager, tmp_path)
    configured.change("openai:gpt-5.2", {}, {}, replay=str(file))
    elsewhere = manager_on(MemoryStore())
    assert await compared(elsewhere, "Brevity", repeat=2) == verdicts
    assert len(judge.sent) == 4
    asked = [each for each in elsewhere.sessions.load("chat").turns[0].requests if each.purpose == "judge"]
    recorded = [each for each in manager.sessions.load("chat").turns[0].requests if each.purpose == "judge"]
    assert {each.model for each in asked} == {"replay of judge"}
    assert [each.usage.output_tokens for each in asked] == [each.usage.output_tokens for each in recorded]
    assert {each.usage.cost for each in asked} == {0.0}


@on_a_loop
async def test_judge_can_be_a_recording_of_its_own(manager):
    judge = judge_of("VERDICT: first", "VERDICT: second")
    verdicts = await compared(manager)
    await answered(manager)
    turns = await manager.comparisons.judge("again", Judge("replay:chat"))
    assert [(each.straight, each.swapped) for each in turns[0].verdicts] == verdicts
    assert len(judge.sent) == 2


@pytest.mark.parametrize(
    ("criteria", "difference"),
    [
        ("Length", 'instructions line 1: "Length" where the recording has "Brevity"; ask as it was recorded'),
        ("", 'instructions line 1: is missing where the recording has "Brevity"; ask as it was recorded'),
    ],
)
@on_a_loop
async def test_other_criteria_are_other_questions(manager, criteria, difference):
    judge = judge_of("VERDICT: first", "VERDICT: second")
    await compared(manager, "Brevity")
    configured.change("openai:gpt-5.2", {}, {}, replay="chat")
    with pytest.raises(ReplayError) as raised:
        await compared(manager, criteria, "again")
    assert str(raised.value) == (
        f'the recording chat does not have a verdict on answers to the prompt "Which?" in this form: {difference}'
    )
    assert manager.sessions.load("again").turns[0].verdicts == []
    assert len(judge.sent) == 2


@on_a_loop
async def test_verdict_on_other_answers_is_another_one(manager):
    judge = judge_of("VERDICT: first", "VERDICT: second")
    await compared(manager)
    await answered(manager, left="Straight on.")
    with pytest.raises(ReplayError) as raised:
        await manager.comparisons.judge("again", Judge("replay:chat"))
    assert str(raised.value) == (
        'the recording chat has verdicts on answers to the prompt "Which?", but not on these: first answer line 1: '
        '"Straight on." where the recording has "To the left."'
    )
    assert len(judge.sent) == 2


@on_a_loop
async def test_grid_has_no_answers_in_a_recording_and_asks_no_model(manager):
    model = script("left", "Never.")
    await ask(manager)
    configured.change("openai:gpt-5.2", {}, {}, replay="chat")
    results = await manager.grids.run(GridRequest(prompts=["Hello"], models=["left"]))
    assert [row.error for row in results] == [
        "the recording chat has no answers for grids; %config AgentMagics.replay = '' lets models answer"
    ]
    assert model.sent == []


@on_a_loop
async def test_recording_without_verdicts_says_so(manager):
    await answered(manager)
    with pytest.raises(ReplayError) as raised:
        await manager.comparisons.judge("again", Judge("replay:again"))
    assert str(raised.value) == (
        'the recording again does not have a verdict on answers to the prompt "Which?"; it has no verdicts at all'
    )


@on_a_loop
async def test_verdicts_are_filled_in(tmp_path):
    judge = judge_of("VERDICT: first", "VERDICT: second")
    file = tmp_path / "lesson.jsonl"
    configured.change("calm", {}, {}, replay=str(file), fills=True)
    verdicts = await compared(manager_on(MemoryStore()))
    assert await compared(manager_on(MemoryStore())) == verdicts == [("first", "second")]
    configured.change("openai:gpt-5.2", {}, {}, replay=str(file))
    assert await compared(manager_on(MemoryStore())) == verdicts
    assert len(judge.sent) == 2
    assert len(file.read_text().splitlines()) == 3
