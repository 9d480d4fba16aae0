"""Bad input is one clear line, and nothing is stored or lost."""

import pytest

from sessionmagic.exceptions import PromptError, SessionExistsError, UsageError
from tests.turns import ask, on_a_loop, statuses


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


@on_a_loop
async def test_new_refuses_a_name_that_is_taken(manager):
    await ask(manager, new=True)
    with pytest.raises(SessionExistsError, match="'chat'"):
        await ask(manager, new=True)
    assert len(manager.sessions.load("chat").turns) == 1
