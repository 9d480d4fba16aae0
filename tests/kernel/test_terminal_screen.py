"""IPython in a real terminal, whose prompt redraws itself."""

import os
import re
import sys
import time

import pexpect
import pyte
import pytest

from tests.kernel.conftest import MODELS
from tests.kernel.kernels import PATIENCE, TESTS, appears

ANSWER = """Some **bold words** and a [link](https://example.org).

- one
- two

```python
def f(x):
    return x
```

| left | right |
|---|---|
| a | b |

The end."""
MORE = f"""
answer = {ANSWER!r}
script("markdown", paced([answer[at : at + 5] for at in range(0, len(answer), 5)], 0.02))
script("bold", "Some **bold words**")
script("deaf", scripted.ignores_cancel("partial answer"))
"""


class Screen:
    """An IPython at its real prompt, which redraws itself, and what a terminal shows of it."""

    def __init__(self, home, columns=100, **env):
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        folders = {"SESSIONMAGIC_HOME": str(home / "store"), "IPYTHONDIR": str(home / "ipython"), "PYTHONPATH": path}
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner"],
            env=os.environ | folders | {"TERM": "xterm-256color"} | env,
            dimensions=(60, columns),
            cwd=str(home),
            encoding="utf-8",
        )
        self._screen = pyte.Screen(columns, 60)
        self._screen.write_process_input = self.process.send  # the prompt asks where the cursor is
        self._stream = pyte.Stream(self._screen)

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self._screen.display)

    def until(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, self.text
            try:
                shown = self.process.read_nonblocking(65536, 0.2)
            except pexpect.TIMEOUT:
                continue
            self._stream.feed(shown)

    def run(self, source):
        """Type a cell, and run it with Escape and Enter."""
        self.process.send(source.replace("\n", "\r"))
        self.until(re.escape(source.splitlines()[-1]))
        self.process.send("\x1b\r")


@pytest.fixture
def open_screen(tmp_path):
    """Open IPython at its prompt, with the scripted models."""
    screens = []

    def open_screen(*arguments, **env):
        (tmp_path / "models.py").write_text(MODELS.rstrip().rstrip(";") + MORE)
        screens.append(screen := Screen(tmp_path, *arguments, **env))
        screen.until(r"In \[1\]:")
        screen.run("%load_ext sessionmagic")
        screen.until(r"In \[2\]:")
        screen.run("%run models.py")
        screen.until(r"In \[3\]:")
        return screen

    yield open_screen
    for screen in screens:
        screen.process.close(force=True)


def type_slowly(screen, text):
    for at, character in enumerate(text, 1):
        screen.process.send(character)
        screen.until(rf"In \[\d+\]: {re.escape(text[:at])}")


def test_answer_is_markdown_and_a_line_says_what_the_turn_does(open_screen):
    screen = open_screen()
    screen.run("%%agent -m markdown -s chat\nhi")
    screen.until(r"chat · markdown · \d+ s · ~\d+ tokens · answering\n*$")
    screen.until("chat · turn 1 ·")
    shown = screen.text.partition("...: hi")[2]
    assert "Some bold words and a link (https://example.org).\n\n • one\n • two\n\ndef f(x):\n    return x\n" in shown
    assert re.search(r"\n left +right *\n ─+\n a +b *\n", shown)
    assert "answering" not in shown


def test_results_shown_turns_and_comparisons_are_markdown_and_their_texts_are_not(open_screen):
    screen = open_screen()
    screen.run("%%agent -b -m bold -s chat -o late\nhi")
    screen.until("chat · turn 1 ·")
    screen.run("late.result()")
    screen.until(r"Out\[4\]: Some bold words")
    screen.run("late")
    screen.until(r"Out\[5\]: Some bold words")
    screen.run("str(late)")
    screen.until(r"Out\[6\]: 'Some \*\*bold words\*\*'")
    screen.run("%agent show chat")
    screen.until(r"\n> hi\n\nSome bold words\n\nnew session")
    screen.run("%%agent -s two --compare bold markdown\nhi")
    screen.until(r"=== 1\. bold\nSome bold words\n\n=== 2\. markdown\nSome bold words and a link [\s\S]*\n • one\n")
    screen.run("%config AgentMagics.view = 'text'")
    screen.run("late.result()")
    screen.until(r"Out\[\d+\]: Some \*\*bold words\*\*")


def test_markdown_of_a_background_turn_leaves_the_prompt_as_it_is_typed(open_screen):
    screen = open_screen(40)
    screen.run("%%agent -b -m markdown -o late -s chat\nhi")
    screen.until(r"In \[4\]:")
    type_slowly(screen, "late.text[:4]")
    screen.until(r"chat · turn 1 ·[\s\S]*In \[4\]: late\.text\[:4\]")
    shown = re.sub(r"\n\n+", "\n", screen.text.partition("...: hi")[2])  # a redrawn prompt may leave an empty line
    assert " • one\n • two\ndef f(x):\n    return x\n" in shown
    assert (shown.count("The end."), shown.count("In [4]")) == (1, 1)
    screen.process.send("\r")
    screen.until(r"Out\[4\]: 'Some'")
    screen.run("(await late).number")
    screen.until(r"Out\[5\]: 1")


def test_turn_that_ends_after_its_interrupted_cell_leaves_the_prompt_as_it_is_typed(open_screen, tmp_path):
    screen = open_screen()
    screen.run("%%agent -m deaf -s chat\nhi")
    screen.until("answering")
    appears(tmp_path / "deaf")
    screen.process.sendintr()
    screen.until(r"KeyboardInterrupt: turn interrupted\s+In \[4\]:")
    screen.process.send("1 + 1")
    screen.until(r"In \[4\]: 1 \+ 1")
    (tmp_path / "may_end").touch()
    screen.until(r"partial answer\n+■ interrupted\n[\s\S]*chat · turn 1 ·[^\n]*\n+In \[4\]: 1 \+ 1")
    assert "answering" not in screen.text


def test_dumb_terminal_shows_plain_text(open_screen):
    screen = open_screen(TERM="dumb")
    screen.run("%%agent -m markdown -s chat\nhi")
    screen.until("chat · turn 1 ·")
    assert ANSWER in screen.text


def test_background_text_is_whole_while_the_prompt_is_redrawn(open_screen):
    screen = open_screen()
    screen.run("%%agent -b -m slow -s chat\nhi")
    screen.until(r"In \[4\]:")
    screen.process.send("1 + 1")  # somebody types meanwhile
    screen.until(r"chat · turn 1 · .* s\n")
    assert re.findall(r"word\d+", screen.text) == [f"word{number}" for number in range(400)]
    screen.until(r"In \[4\]: 1 \+ 1")
