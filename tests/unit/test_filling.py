"""Recordings that are filled with the answers that they do not have."""

import json
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from itertools import count
from threading import Barrier

import pytest

from sessionmagic import Cell, ModelReferenceError, Models, SessionManager
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.comparing.contestants import Contestant
from sessionmagic.models.configured import configured
from sessionmagic.models.replay import ASKING
from sessionmagic.sessions import recordings
from sessionmagic.storage.locks import lock_of
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import call, script
from sessionmagic.turns.request import Request
from tests.turns import ask, events_of, manager_on, on_a_loop, returned


@pytest.fixture
def file(tmp_path):
    """A file that is filled from now on, and does not exist yet."""
    path = tmp_path / "lesson.jsonl"
    configured.change("calm", {}, {}, replay=str(path), fills=True)
    return path


@pytest.fixture
def manager():
    return manager_on(MemoryStore())


def restarted():
    """Return a manager that knows nothing of who has asked for what."""
    return manager_on(MemoryStore())


def prompts_in(file):
    return [json.loads(line)["prompt"] for line in file.read_text().splitlines()[1:]]


@on_a_loop
async def test_missing_file_is_made_and_then_replayed(manager, file):
    asked = []

    def counts(messages):
        asked.append(messages)
        return f"answer {len(asked)}"

    script("counts", counts, counts)
    first = [await ask(manager, prompt, model="counts") for prompt in ("One", "Two")]
    assert {result.model for result in first} == {"counts"}
    assert prompts_in(file) == ["One", "Two"]
    manager = restarted()
    again = [await ask(manager, prompt, "again", model="counts") for prompt in ("One", "Two")]
    assert [result.text for result in again] == ["answer 1", "answer 2"]
    assert {result.model for result in again} == {"replay of counts"}
    assert len(asked) == 2
    assert prompts_in(file) == ["One", "Two"]
    configured.change("calm", {}, {}, replay=str(file))
    strict = restarted()
    assert [(await ask(strict, prompt, model="nobody:x")).text for prompt in ("One", "Two")] == ["answer 1", "answer 2"]


@on_a_loop
async def test_what_comes_before_a_new_answer_is_in_the_file_once(manager, file):
    await ask(manager, "One", "a")
    await ask(manager, "Two", "a")
    manager = restarted()
    await ask(manager, "One", "b")
    await ask(manager, "Three", "b")
    entries = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    assert [(entry["prompt"], entry.get("parent")) for entry in entries] == [
        ("One", None),
        ("Two", "1"),
        ("Three", "1"),
    ]


@on_a_loop
async def test_new_answers_may_call_tools_which_run_under_the_usual_rules(manager, file):
    ran = []

    def add(a: int, b: int) -> int:
        """Add."""
        ran.append((a, b))
        return a + b

    script("adds", [call("add", {"a": 1, "b": 2})], "It is 3")
    await ask(manager, "Go", model="adds", tools=[add], yes=True)
    assert ran == [(1, 2)]
    assert (await ask(restarted(), "Go", "again", model="adds", tools=[add])).text == "It is 3"
    assert ran == [(1, 2)]
    assert prompts_in(file) == ["Go"]


@on_a_loop
async def test_turn_that_fails_is_not_added(manager, file):
    assert (await ask(manager, model="dumb")).status == "failed"
    assert not file.exists()


@on_a_loop
async def test_session_cannot_be_filled(manager):
    await ask(manager)
    configured.change("calm", {}, {}, replay="chat", fills=True)
    with pytest.raises(ModelReferenceError, match="answers are only added to files such as lesson"):
        await ask(manager, session="again")


@on_a_loop
async def test_file_that_is_no_recording_is_left_alone(manager, file):
    file.write_text("my notes")
    with pytest.raises(ModelReferenceError, match="it is not a recording"):
        await ask(manager)
    assert file.read_text() == "my notes"


@on_a_loop
async def test_file_that_cannot_be_written_is_a_warning_and_the_answer_stays(manager, file):
    configured.change("calm", {}, {}, replay=str(file.parent / "none" / "x.jsonl"), fills=True)
    turn = await manager.run("Hello", session="chat")
    assert (await turn.result()).text == "It is fine."
    problem = f"there is no directory {file.parent / 'none'}; make it first"
    assert f"the answer could not be added to the recording: {problem}" in turn.transcript.warnings


@on_a_loop
async def test_full_disk_is_a_warning_in_one_line_and_leaves_the_file_as_it_was(manager, file, monkeypatch):
    await ask(manager)
    before = file.read_bytes()

    def full(*_):
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(recordings, "replace_file", full)
        turn = await manager.run("Further", session="chat", cell=Cell(id="further"))
        assert (await turn.result()).text == "It is fine."
    problem = f"cannot write {file}: No space left on device; it is as it was, so run the cell again later"
    assert turn.transcript.warnings == (f"the answer could not be added to the recording: {problem}",)
    assert file.read_bytes() == before
    await ask(manager, "Further", cell=Cell(id="further"))
    assert prompts_in(file) == ["Hello", "Further"]


@on_a_loop
async def test_file_that_another_kernel_keeps_locked_is_a_warning_and_the_answer_stays(manager, file, monkeypatch):
    monkeypatch.setattr(recordings, "LOCK_SECONDS", 0.05)
    with lock_of(file.with_name(".lesson.jsonl.lock"), 1):
        turn = await manager.run("Hello", session="chat")
        assert (await turn.result()).text == "It is fine."
    [warning] = turn.transcript.warnings
    assert f"another kernel has locked {file} for more than 0.05 seconds; run it again" in warning
    assert not file.exists()


@on_a_loop
async def test_members_of_an_alloy_fill_too(manager, file):
    result = await ask(manager, model="calm,recalls")
    assert result.status == "completed"
    assert (await ask(restarted(), session="again", model="calm,recalls")).model.startswith("replay of")
    assert len(prompts_in(file)) == 1


@on_a_loop
async def test_same_answer_to_a_further_cell_or_with_other_settings_is_added_too(manager, file):
    script("same", *["Yes."] * 3)
    cells = [
        {"session": "a"},
        {"session": "b"},
        {"session": "c", "settings": {"temperature": 0.3}},
    ]
    for options in cells:
        assert (await ask(manager, model="same", **options)).model == "same"
    configured.change("calm", {}, {}, replay=str(file))
    strict = restarted()
    for options in cells:
        assert (await ask(strict, **options)).text == "Yes."


def test_no_answer_is_lost_when_several_kernels_fill_one_file(file):
    managers = [manager_on(MemoryStore()) for _ in range(4)]
    start = Barrier(len(managers))

    @on_a_loop
    async def fill(manager, name):
        start.wait()
        for number in range(3):
            await ask(manager, f"{name}{number}", f"{name}{number}")

    with ThreadPoolExecutor(len(managers)) as pool:
        list(pool.map(fill, managers, "abcd"))
    assert sorted(prompts_in(file)) == sorted(f"{name}{number}" for name in "abcd" for number in range(3))
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@on_a_loop
async def test_sub_agents_that_work_at_the_same_time_are_asked_and_their_answers_recorded_with_the_call(file):
    tasks = [call("transfer_task", agent=name, task="Hello", expected_output="x") for name in ("left", "right")]
    agents = {
        "root": AgentDefinition(name="root", model="boss", sub_agents={"left": "L.", "right": "R."}),
        "left": AgentDefinition(name="left", model="lefts"),
        "right": AgentDefinition(name="right", model="rights"),
    }
    boss, lefts, rights = script("boss", tasks, "Done."), script("lefts", "To the left."), script("rights", "No.")
    script("calm", "It is fine.")
    await ask(SessionManager(MemoryStore(), Models("calm"), agents), "Hello", "before", model="calm")
    results = []
    for _ in range(2):
        manager = SessionManager(MemoryStore(), Models("calm"), agents)
        turn = await manager.run("Go", session="chat", cell=Cell(id="go"))
        results.append(sorted(content for _, _, content in returned(await events_of(turn))))
        assert (await turn.result()).text == "Done."
    assert results == [["No.", "To the left."]] * 2
    assert [len(each.sent) for each in (boss, lefts, rights)] == [2, 1, 1]
    assert prompts_in(file) == ["Hello", "Go"]


@pytest.mark.usefixtures("file")
@on_a_loop
async def test_each_sub_agent_is_compared_by_what_it_is_asked_itself():
    asked = {}

    def answers(name, text):
        return lambda _messages: asked.update({name: ASKING.get()}) or text

    tasks = [call("transfer_task", agent=name, task=name, expected_output="x") for name in ("left", "right")]
    agents = {
        "root": AgentDefinition(name="root", model="boss", sub_agents={"left": "L.", "right": "R."}),
        "left": AgentDefinition(name="left", model="lefts"),
        "right": AgentDefinition(name="right", model="rights"),
    }
    script("boss", tasks, answers("root", "Done."))
    script("lefts", answers("left", "Left."))
    script("rights", answers("right", "Right."))
    await ask(SessionManager(MemoryStore(), Models("calm"), agents), "Go")
    assert {name: asking.wanted().prompt.partition("\n")[0] for name, asking in asked.items()} == {
        "root": "Go",
        "left": "left",
        "right": "right",
    }
    assert {name: asking.reference for name, asking in asked.items()} == {
        "root": "boss",
        "left": "lefts",
        "right": "rights",
    }


@on_a_loop
async def test_repeats_keep_their_numbers_in_whatever_order_they_have_ended(file):
    numbers = count(1)
    script("varies", *[lambda _messages: f"answer {next(numbers)}"] * 4)

    async def compared():
        request = Request(prompt="Which?", session="chat")
        comparison = await restarted().compare(request, [Contestant("varies")], repeat=4)
        return [str(each) for each in await comparison.answers()]

    said = await compared()
    header, *turns = file.read_text().splitlines(keepends=True)
    file.write_text("".join([header, *turns[::-1]]))
    configured.change("calm", {}, {}, replay=str(file))
    assert await compared() == said
    assert len(set(said)) == 4
