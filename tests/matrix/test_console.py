"""jupyter console: a turn is text, and calls are approved at the prompt."""

import pexpect
import pytest

from tests.matrix.conftest import SETUP

ENVIRONMENT = "console"
SECONDS = 60


@pytest.fixture
def console(python, env, tmp_path):
    child = pexpect.spawn(
        python,
        ["-m", "jupyter_console", "--simple-prompt", "--ZMQTerminalInteractiveShell.kernel_timeout=60"],
        env={**env, "TERM": "dumb"},
        cwd=str(tmp_path),
        encoding="utf-8",
        timeout=SECONDS,
        dimensions=(50, 200),
        echo=False,
    )
    child.expect_exact("In [1]:")
    yield child
    child.close(force=True)


def run(console, code):
    """Send a cell of one line."""
    console.sendline(code)


def turn(options, prompt):
    """Return one line of code that runs an %%agent cell, because a simple prompt takes no cells of several lines."""
    return f"get_ipython().run_cell_magic('agent', {options!r}, {prompt!r})"


def until_prompt(console):
    """Wait for the next input prompt, and return what was shown before it."""
    console.expect(r"In \[\d+\]:")
    return console.before


def test_turn_is_shown_once_as_text_with_its_footer_after_a_call_was_approved(console):
    for line in SETUP.splitlines():
        run(console, line)
        until_prompt(console)
    run(console, "%agent config")
    assert "front end: a console" in until_prompt(console)
    run(console, turn("-m acts -s lesson", "Go."))
    console.expect_exact("[y]es")
    asked = console.before
    assert asked.count("print(6 * 7)") == 1
    console.sendline("y")
    shown = until_prompt(console)
    assert (asked + shown).count("It is **42**.") == 1
    assert "lesson · turn 1" in shown
    assert "running here" not in asked + shown
