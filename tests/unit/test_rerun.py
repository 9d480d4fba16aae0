"""A cell that runs again: its new turn takes the place of its old one, and nothing is lost."""

import time

import pytest

from sessionmagic import ROOT, Cell, MemoryStore, TinyStore
from sessionmagic.conversation.events import TurnStarted
from sessionmagic.exceptions import SessionBusyError, UsageError
from sessionmagic.testing import script
from sessionmagic.turns.request import Request
from tests.scripted import lists_prompts
from tests.turns import ask, events_of, manager_on, on_a_loop, prompts


@pytest.fixture(params=["memory", "disk"])
def store(request, home):
    return MemoryStore() if request.param == "memory" else TinyStore(home)


def path_of(manager, session="chat"):
    return [turn.id for turn in manager.sessions.load(session).path()]


def heard(result):
    """The prompts that the model of the turn has read, its own last."""
    return result.text.splitlines()


async def run(manager, *cells, **options):
    """Run cells one after the other, and return their results. A cell's id is its prompt without capitals."""
    script("prompts", lists_prompts)
    asked = {"model": "prompts"} | options
    return [await ask(manager, prompt, cell=Cell(id=prompt.lower()), **asked) for prompt in cells]


async def notes(manager, **options):
    turn = await manager.run("Hello", **{"session": "chat"} | options)
    return next(event.notes for event in await events_of(turn) if isinstance(event, TurnStarted))


@on_a_loop
async def test_turn_takes_the_place_of_the_one_that_its_cell_has_started_before(manager):
    await run(manager, "a", "b", "c")
    [again] = await run(manager, "B")
    assert heard(again) == ["a", "B"]
    assert path_of(manager) == ["1", "4"]
    assert prompts(manager.sessions.load("chat")) == ["a", "b", "c", "B"]
    assert [turn.id for turn in manager.sessions.load("chat").path("3")] == ["1", "2", "3"]


@on_a_loop
async def test_notebook_that_runs_from_the_top_gives_the_same_conversation_once(manager):
    first = await run(manager, "a", "b", "c")
    second = await run(manager, "a", "b", "c")
    assert list(map(heard, second)) == list(map(heard, first)) == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert path_of(manager) == ["4", "5", "6"]


@on_a_loop
async def test_turn_that_fails_gives_its_place_back(manager):
    await run(manager, "a", "b", "c")
    result = await ask(manager, "b", model="dumb", once=True, cell=Cell(id="b"))
    assert result.status == "failed"
    assert path_of(manager) == ["1", "2", "3"]


@on_a_loop
async def test_interrupted_turn_is_replaced_too(manager):
    turn = await manager.run("a", session="chat", model="hang", cell=Cell(id="a"))
    turn.cancel()
    await turn.result()
    [again] = await run(manager, "a")
    assert heard(again) == ["a"]


@on_a_loop
async def test_append_continues_the_head(manager):
    await run(manager, "a", "b")
    [again] = await run(manager, "a", rerun="append")
    assert heard(again) == ["a", "b", "a"]


@on_a_loop
async def test_first_of_the_turns_that_a_cell_has_started_is_replaced(manager):
    await run(manager, "a", "b", "b", "b", rerun="append")
    await run(manager, "b")
    assert path_of(manager) == ["1", "5"]


@on_a_loop
async def test_turn_that_says_what_it_continues_takes_no_other_place(manager):
    await run(manager, "a", "b")
    await run(manager, "a", after="2")
    assert path_of(manager) == ["1", "2", "3"]


@on_a_loop
async def test_cell_that_moves_to_another_session_leaves_the_first_as_it_is(manager):
    await run(manager, "a", "b")
    await run(manager, "a", session="other")
    assert (path_of(manager), path_of(manager, "other")) == (["1", "2"], ["1"])


@on_a_loop
async def test_copy_of_a_notebook_replaces_no_turn_of_the_original(manager, tmp_path):
    original = tmp_path / "a.ipynb"
    original.touch()
    await run(manager, "a", notebook=str(original))
    await run(manager, "a", notebook=str(tmp_path / "copy.ipynb"))
    assert path_of(manager) == ["1", "2"]


@on_a_loop
async def test_notebook_that_was_renamed_is_still_the_same(manager, tmp_path):
    await run(manager, "a", notebook=str(tmp_path / "before.ipynb"))
    await run(manager, "a", notebook=str(tmp_path / "after.ipynb"))
    assert path_of(manager) == ["2"]


@on_a_loop
async def test_path_in_a_file_from_elsewhere_is_another_notebook(manager):
    await run(manager, "a", notebook="elsewhere\0.ipynb")
    await run(manager, "a", notebook="/here/a.ipynb")
    assert path_of(manager) == ["1", "2"]


@pytest.mark.parametrize(("prompt", "path"), [("a", ["2"]), ("another", ["1", "2"])])
@on_a_loop
async def test_id_that_may_be_another_cells_by_now_counts_only_with_the_same_prompt(manager, prompt, path):
    await ask(manager, "a", cell=Cell(id="vscode#W1", ids_since=time.time() - 60))
    await ask(manager, prompt, cell=Cell(id="vscode#W1", ids_since=time.time()))
    assert path_of(manager) == path


@on_a_loop
async def test_id_that_has_been_the_cells_since_counts_with_any_prompt(manager):
    since = time.time() - 60
    await ask(manager, "a", cell=Cell(id="vscode#W1", ids_since=since))
    await ask(manager, "edited", cell=Cell(id="vscode#W1", ids_since=since))
    assert path_of(manager) == ["2"]


@on_a_loop
async def test_where_a_turn_stands_is_said_if_that_may_surprise(manager):
    cell = Cell(id="a")
    assert await notes(manager, cell=cell) == ("new session 'chat', answered by calm",)
    assert await notes(manager) == ()
    assert await notes(manager, cell=cell) == (
        "in the place of turn 1; it and 1 later turn are kept: %agent use chat@2 goes back",
    )
    assert await notes(manager, cell=cell) == ("in the place of turn 3; it is kept: %agent use chat@3 goes back",)
    assert await notes(manager, after=ROOT) == (
        "from the beginning again; 1 turn is kept: %agent use chat@4 goes back",
    )
    assert await notes(manager, after="1", moves_head=False) == ()


@on_a_loop
async def test_way_back_is_a_head_that_moves(manager):
    await run(manager, "a", "b", "a")
    assert manager.branches.move_head("chat", "2").head == "2"
    [third] = await run(manager, "c")
    assert heard(third) == ["a", "b", "c"]


@on_a_loop
async def test_head_moves_to_no_turn_that_cannot_be_continued(manager):
    await run(manager, "a")
    with pytest.raises(UsageError, match="has no turn '7'; its last turn is 1"):
        manager.branches.move_head("chat", "7")
    turn = await manager.run("b", session="chat", model="hang")
    with pytest.raises(SessionBusyError):
        manager.branches.move_head("chat", "1")
    turn.cancel()
    await turn.result()


def test_rerun_is_one_of_two_words():
    with pytest.raises(UsageError, match="rerun is 'replace'; give 'branch' or 'append'"):
        Request(prompt="a", session="chat", rerun="replace")


@pytest.mark.parametrize(
    ("names", "name", "meant"),
    [(["churn"], "chrun", "; did you mean 'churn'?"), (["month-01"], "month-02", ""), (["prices"], "churn", "")],
)
@on_a_loop
async def test_new_session_with_a_name_like_another_may_be_a_mistake(store, names, name, meant):
    manager = manager_on(store)
    for other in names:
        await ask(manager, session=other)
    assert await notes(manager, session=name) == (f"new session {name!r}, answered by calm{meant}",)


@on_a_loop
async def test_session_that_was_asked_to_be_new_is_no_mistake(manager):
    await ask(manager, session="churn")
    assert await notes(manager, session="chrun", new=True) == ("new session 'chrun', answered by calm",)
