"""IPython in a terminal: text streams as it comes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.kernel.conftest import MODELS
from tests.kernel.kernels import PATIENCE, TESTS


class Terminal:
    """An IPython whose standard input and output are pipes."""

    def __init__(self, home):
        self.shown = ""
        self._changed = threading.Condition()
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-u",
                "-m",
                "IPython",
                "--simple-prompt",
                "--no-banner",
                "--no-confirm-exit",
                "--colors=NoColor",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=os.environ
            | {
                "SESSIONMAGIC_HOME": str(home / "store"),
                "IPYTHONDIR": str(home / "ipython"),
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self._reader.join()
        self.process.stdout.close()

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            with self._changed:
                self.shown += piece.decode()
                self._changed.notify_all()

    def type(self, text):
        """Type some lines and return where their output begins."""
        at = len(self.shown)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()
        return at

    def until(self, text, at=0):
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.shown[at:], PATIENCE), self.shown[at:]
        return self.shown[at:]


@pytest.fixture(scope="module")
def open_terminal(tmp_path_factory):
    terminals = []

    def open_terminal():
        home = tmp_path_factory.mktemp("terminal")
        (home / "models.py").write_text(MODELS)
        terminals.append(terminal := Terminal(home))
        terminal.type("%load_ext sessionmagic\n%run models.py\nprint('rea' + 'dy')\n")
        terminal.until("ready")
        return terminal

    yield open_terminal
    for terminal in terminals:
        terminal.close()


@pytest.fixture(scope="module")
def terminal(open_terminal):
    return open_terminal()


def test_text_streams_as_it_comes(terminal, session, pen):
    at = terminal.type(f"%%agent -m dictated -s {session}\n{pen}\n\n\n")
    pen.write("first ")
    assert "second" not in terminal.until("first ", at)
    pen.write("second")
    terminal.until("first second", at)
    pen.end()
    shown = terminal.until(f"{session} · turn 1", at)
    assert shown.count("first second") == 1
    assert "Widget" not in shown
    assert "VBox" not in shown
    assert "<object" not in shown
    at = terminal.type("str(_agent)\n")
    terminal.until("'first second'", at)


def test_an_error_is_one_line(terminal):
    at = terminal.type("%%agent -m opnai:x\nhi\n\n\nprint('af' + 'ter')\n")
    shown = terminal.until("after", at)
    assert "ModelReferenceError: unknown provider 'opnai'" in shown
    assert "Traceback" not in shown


def test_ctrl_c_stops_the_turn_and_keeps_the_words(terminal, session):
    at = terminal.type(f"%%agent -m hang -s {session}\nhi\n\n\n")
    terminal.until("partial answer", at)
    terminal.process.send_signal(signal.SIGINT)
    shown = terminal.until("KeyboardInterrupt", at)
    assert "Traceback" not in shown
    at = terminal.type(f"%%agent -m recalls -s {session}\nagain\n\n\n")
    terminal.until("text: partial answer", at)


def test_escape_sequences_do_not_reach_the_terminal(terminal, session, pen):
    at = terminal.type(f"%%agent -m dictated -s {session}\n{pen}\n\n\n")
    pen.write("\x1b[2J\x1b]0;title\x07words")
    pen.end()
    shown = terminal.until(f"{session} · turn 1", at)
    assert "words" in shown
    for sequence in ("\x1b[2J", "\x1b]0", "\x07"):
        assert sequence not in shown


def test_listings_are_plain_tables(terminal):
    at = terminal.type("%%agent -m hello -s listed\nhi\n\n\n%agent sessions\n")
    shown = terminal.until("completed", at)
    assert "listed" in shown
    assert "<table" not in shown


def test_leaving_ends_a_running_turn_soon(open_terminal):
    terminal = open_terminal()
    at = terminal.type("%%agent -m hang -b -s chat\nhi\n\n\n")
    terminal.until("partial answer", at)
    started = time.monotonic()
    terminal.type("exit\n")
    assert terminal.process.wait(PATIENCE) == 0
    assert time.monotonic() - started < 10
    assert "Traceback" not in terminal.shown
