"""Bad input is one clear line, and nothing is stored or lost."""

import pytest

from sessionmagic.exceptions import PromptError, SessionExistsError, UsageError
from sessionmagic.notebook.arguments import split
from sessionmagic.turns.request import Cell, Request
from tests.turns import ask, on_a_loop, statuses


def test_prompt_on_the_line_of_the_options_is_refused_at_once():
    with pytest.raises(UsageError, match="the line has 1,000,000 characters; options come on it, and the prompt below"):
        split("x " * 500_000)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": 5},
        {"session": None},
        {"model": 5},
        {"agent": 5},
        {"where": 5},
        {"cell": Cell(id=5)},
        {"notebook": 5},
        {"after": 5},
        {"values": ["x", 5]},
    ],
)
def test_value_of_a_wrong_type_is_refused_before_it_can_be_stored(wrong):
    with pytest.raises(UsageError, match=r"is of type \w+; give a string"):
        Request(**{"prompt": "Hello", "session": "chat"} | wrong)


def test_unknown_safety_mode_is_refused_before_it_can_be_stored():
    with pytest.raises(UsageError, match="'bogus' is not a safety mode"):
        Request(prompt="Hello", session="chat", safety="bogus")
