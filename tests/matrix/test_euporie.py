"""euporie's console: a turn is text, and calls are approved in its input box."""

import re
import time

import pexpect
import pyte
import pytest

from tests.matrix.conftest import SETUP

pytestmark = pytest.mark.nightly
ENVIRONMENT = "euporie"
SECONDS = 60
COLUMNS, LINES = 150, 50


class Console:
    """The program in a terminal that answers where its cursor is."""

    def __init__(self, program, env):
        self._child = pexpect.spawn(program, env=env, encoding="utf-8", dimensions=(LINES, COLUMNS))
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._screen.write_process_input = self._child.send
        self._stream = pyte.Stream(self._screen)

    @property
    def lines(self):
        return [line.rstrip() for line in self._screen.display]

    def until(self, words):
        """Wait until the screen has the words, and return the screen."""
        deadline = time.monotonic() + SECONDS
        while words not in "\n".join(self.lines):
            assert time.monotonic() < deadline, "\n".join(self.lines)
            try:
                self._stream.feed(self._child.read_nonblocking(100_000, timeout=0.1))
            except pexpect.TIMEOUT:
                continue
        return "\n".join(self.lines)

    def run(self, code, number):
        """Paste a line of code and run it, as the cell of this number."""
        self.until(f"In [{number}]:")
        self._child.send(f"\x1b[200~{code}\x1b[201~")
        self.until(code[-30:])
        self._child.send("\r")

    def click(self, words):
        """Click with the mouse behind these words."""
        [line] = [number for number, line in enumerate(self.lines, 1) if words in line]
        place = f"{COLUMNS - 50};{line}"
        self._child.send(f"\x1b[<0;{place}M\x1b[<0;{place}m")

    def type(self, text):
        self._child.send(text)

    def close(self):
        self._child.close(force=True)


@pytest.fixture
def console(python, env):
    console = Console(python.replace("bin/python", "bin/euporie-console"), {**env, "TERM": "xterm-256color"})
    yield console
    console.close()


def test_turn_is_shown_once_as_text_after_its_call_was_approved_in_the_box(console):
    for number, line in enumerate(SETUP.splitlines(), 1):
        console.run(line, number)
    console.run("get_ipython().run_cell_magic('agent', '-m acts -s lesson', 'Go.')", 4)
    asked = console.until("[y]es")
    assert re.findall(r"^ +print\(6 \* 7\)$", asked, re.MULTILINE)
    console.click("[y]es")  # it takes no focus after output
    console.type("y")
    console.until("why not:  🮇y")
    console.type("\r")
    _, _, shown = console.until("lesson · turn 1").partition("'Go.'")
    assert shown.count("It is **42**.") == 1
    assert "running here" not in shown
