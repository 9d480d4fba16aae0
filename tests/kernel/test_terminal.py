"""IPython in a terminal: text streams as it comes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.kernel.cells import SOON
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

    def ask(self, line, text):
        """Type a line, again and again, until its output has that text."""
        deadline = time.monotonic() + PATIENCE
        while True:
            at = self.type(f"{line}\nprint('an' + 'swered')\n")
            if text in (shown := self.until("answered", at)):
                return shown
            assert time.monotonic() < deadline, shown


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


def acts(terminal, *steps):
    terminal.type(f"register_model('acts', scripted.acts(*{steps!r}))\n")


def announced(terminal, at):
    """Return what a turn in the background waits for, and the id that answers it."""
    shown = terminal.until("(or with --reject", at)
    return shown, re.search(r"%agent approve (\w+)", shown)[1]


def test_call_of_a_background_turn_is_announced_and_approved(terminal, session):
    acts(terminal, ["Let me see.", ("run_python_isolated", {"code": "x = 6\nprint(x * 7)"})], "Done.")
    at = terminal.type(f"%%agent -b -m acts -s {session}\ngo\n\n\n")
    shown, waits = announced(terminal, at)
    assert shown.index("Let me see.") < shown.index(f"? {session} waits for your answer: run_python_isolated")
    assert "    x = 6\n    print(x * 7)\n" in shown
    assert waits in terminal.ask("%agent approve", "print(x * 7)")
    at = terminal.type(f"%agent approve {waits}\n")
    shown = terminal.until(f"{session} · turn 1", at)
    assert re.search(r"✓ run_python_isolated · .* s\n    42\n", shown)
    shown = terminal.ask(f"%agent show {session}", "Done.")
    assert re.search(r"✓ run_python_isolated · .* s\n    x = 6\n    print\(x \* 7\)\n    42\n", shown)


def test_what_cannot_run_in_the_background_fails_without_being_asked_for(terminal, session):
    terminal.type("def mine() -> str:\n    return 'ran'\n\n")
    calls = [("run_python", {"code": "1"}), ("insert_cell", {"code": "1"}), ("mine", {}), ("list_variables", {})]
    acts(terminal, calls, "Done.")
    at = terminal.type(f"%%agent -b -t mine -m acts -s {session}\ngo\n\n\n")
    shown = terminal.until(f"{session} · turn 1", at)
    assert shown.count("run without -b") == 3
    assert "✓ list_variables" in shown
    assert "waits for your answer" not in shown


@pytest.mark.once
@pytest.mark.parametrize(
    ("answer", "result"), [("\nmaybe\ny\nR\n\n\ny\nRome\n\n\n", 'accept: {"to":"Rome"'), (" --reject\n", "decline")]
)
def test_question_of_a_server_in_a_background_turn_is_announced_and_answered(terminal, session, answer, result):
    pytest.importorskip("fastmcp")
    terminal.type(f"%agent tools add-mcp tests {sys.executable} {TESTS / 'mcp_server.py'}\n")
    acts(terminal, [("tests__ask", {})], "Done.")
    at = terminal.type(f"%%agent -b --yes -m acts -s {session}\ngo\n\n\n")
    shown, waits = announced(terminal, at)
    assert "MCP server tests asks: Where do you want to go?" in shown
    refused = terminal.ask(f"%agent approve {waits} --all", "question of a server")
    assert "UsageError: --tool, --all and a reason for --reject are for tool calls" in refused
    at = terminal.type(f"%agent approve {waits}{answer}")
    assert result in terminal.until(f"{session} · turn 1", at)


def test_leaving_ends_a_running_turn_soon(open_terminal):
    terminal = open_terminal()
    terminal.type("%%agent -m hang -b -s chat\nhi\n\n\n")
    terminal.ask("%agent show chat", "partial answer")
    started = time.monotonic()
    terminal.type("exit\n")
    assert terminal.process.wait(PATIENCE) == 0
    assert time.monotonic() - started < SOON
    assert "Traceback" not in terminal.shown


def test_what_a_call_prints_is_shown_as_it_comes_and_then_what_is_new_in_its_result(terminal, session, tmp_path):
    wait = f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)"
    code = f"import pathlib, time\nprint('first')\n{wait}\nprint('second')\n6 * 7"
    acts(terminal, [("run_python", {"code": code})], "Done.")
    at = terminal.type(f"%%agent --yes -m acts -s {session}\ngo\n\n\n")
    shown = terminal.until("\n    first", at)
    assert shown.index("… run_python\n    import pathlib") < shown.index("\n\n    first")
    (tmp_path / "go").touch()
    shown = terminal.until(f"{session} · turn 1", at)
    assert re.search(r"\n    first\n(    second\n)?✓ run_python · .* s\n(    second\n)?    42\n\nDone\.", shown)


@pytest.mark.once
def test_calls_of_columns_are_asked_about_by_name_and_one_answer_may_cover_all(terminal, session):
    step = [("run_python_isolated", {"code": "print(6 * 7)"})]
    for name in ("left", "right"):
        terminal.type(f"register_model({name!r}, scripted.acts({step!r}, 'Done.'))\n")
    at = terminal.type(f"%%agent --compare left right -s {session}\ngo\n\n\n")
    asked = terminal.until("or why not: ", at)
    assert re.search(r"\? (left|right): run_python_isolated", asked)
    terminal.type("a\n")
    terminal.until("or Enter to go back: ", at)
    terminal.type("everything\n")
    shown = terminal.until("goes on with column 1", at)
    assert shown.count("or why not: ") == 1
    assert shown.count("Done.") == 2
