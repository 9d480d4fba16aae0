"""Bad input is one clear line, and nothing is stored or lost."""

import pytest

from sessionmagic.exceptions import PromptError, SessionExistsError, UsageError
from sessionmagic.testing import script
from tests.turns import ask, events_of, on_a_loop, statuses, whole


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"prompt": ""}, PromptError, "empty"),
        ({"prompt": " \n\t "}, PromptError, "empty"),
        ({"prompt": "x" * 64_000_000}, PromptError, "64,000,000 characters"),
        ({"timeout": 0}, UsageError, "timeout"),
        ({"timeout": -1}, UsageError, "timeout"),
        ({"session": ""}, UsageError, "session name"),
        ({"session": "  "}, UsageError, "session name"),
        ({"session": "two\nlines"}, UsageError, "session name"),
        ({"session": "\x1b[31mred"}, UsageError, "session name"),
        ({"session": "x" * 10_000}, UsageError, "10,000"),
    ],
)
@on_a_loop
async def test_bad_input_is_one_line_and_stores_nothing(manager, options, error, words):
    with pytest.raises(error, match=words) as caught:
        await ask(manager, **options)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    assert manager.sessions.summaries() == ([], [])


@pytest.mark.parametrize("name", ["a/b", "../../x", "..", "🦊", "~", "x" * 200, "  spaced  "])
@on_a_loop
async def test_any_visible_name_is_a_session(manager, name):
    await ask(manager, session=name)
    await ask(manager, session=name)
    assert manager.sessions.load(name).name == name
    assert statuses(manager.sessions.load(name)) == ["completed"] * 2


@pytest.mark.parametrize("chunks", [["\ud83d", "\ude00"], ["half \ud83d"]], ids=["in two", "one half"])
@on_a_loop
async def test_half_a_surrogate_pair_in_an_answer_frees_the_session(manager, chunks):
    script("halves", chunks)
    turn = await manager.run("Hello", session="chat", model="halves")
    whole(await events_of(turn))
    await turn.result()
    assert (await ask(manager, model="calm")).status == "completed"


@on_a_loop
async def test_half_a_surrogate_pair_in_a_prompt_does_no_harm(manager):
    await ask(manager, "half \ud83d")
    assert (await ask(manager, "Next")).status == "completed"
    assert manager.turns.running() == []


@on_a_loop
async def test_new_refuses_a_name_that_is_taken(manager):
    await ask(manager, new=True)
    with pytest.raises(SessionExistsError, match="'chat'"):
        await ask(manager, new=True)
    assert len(manager.sessions.load("chat").turns) == 1
