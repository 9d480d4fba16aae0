"""A command that runs in a process of its own: its output in limited size, and its end with all that it has started."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_own_thread, settled_in_thread
from sessionmagic.supervisor import supervised
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    Reporting = Callable[[Any], AbstractAsyncContextManager[object]]

GRACE_SECONDS = 0.2
"""How long the processes of a command may take to end when they are told to."""
END_SECONDS = 2.0
"""When a supervisor that has not ended then is killed, too."""
HALF = 30_000
"""Bytes at the beginning and at the end of the output that are kept."""
OUTPUT_LIMIT = 10_000_000
"""Bytes of output after which a command is stopped."""
WINDOWS = os.name == "nt"
SHELLS = {"bash", "dash", "ksh", "sh", "zsh"}
"""The shells that take ``-c`` and the syntax that models write."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*\x07?|[ -/]*[0-Z\\^-~])")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def shell_command(text: str) -> list[str]:
    """Return the program and the arguments that run a text in the user's shell, or in ``sh`` if that is another one."""
    if WINDOWS:
        return [os.environ.get("COMSPEC", "cmd.exe"), "/d", "/c", text]
    shell = os.environ.get("SHELL", "")
    usable = Path(shell).is_absolute() and Path(shell).name in SHELLS and os.access(shell, os.X_OK)
    return [shell if usable else "/bin/sh", "-c", text]


class Command:
    """A command that runs. It has no input, and its errors are part of its output.

    Args:
        words: The program and its arguments.
        directory: The directory in which it runs.
        environment: Its environment.
        limit: Bytes of output after which it is stopped; None for no limit. What is kept is limited anyway.

    Raises `ToolError` if it cannot be started.
    """

    def __init__(
        self, words: list[str], directory: Path, environment: Mapping[str, str], limit: int | None = OUTPUT_LIMIT
    ) -> None:
        if any("\0" in text for text in [*words, *environment, *environment.values()]):
            raise ToolError("the command has a null character; leave it out")
        try:
            self._process = subprocess.Popen(  # noqa: S603  what runs was approved
                supervised(words, GRACE_SECONDS),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ToolError(f"the command cannot be started: {error}") from error
        self.stopped = ""
        """Why it was stopped; empty if it was not."""
        self._limit = limit
        self._begin, self._rest, self._length = bytearray(), bytearray(), 0
        self._untaken = bytearray()
        self._taking = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._follow, name="sessionmagic command", daemon=True).start()

    @classmethod
    async def started(cls, *args: Any) -> Command:
        """Start a command in a thread. One whose caller is cancelled meanwhile is stopped."""
        command, cancelled = await settled_in_thread(cls, *args)
        if cancelled:
            command.stop("it was cancelled")
            raise asyncio.CancelledError
        return command

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None as long as it runs."""
        return self._process.returncode if self._ended.is_set() else None

    @property
    def output(self) -> str:
        """What it has written so far, as text without escape sequences, cut in its middle if it is long."""
        text = cleaned(bytes(self._begin).decode(errors="replace"))
        rest = bytes(self._rest)[-HALF:]
        if not rest:
            return text
        cut = self._length - len(self._begin) - len(rest)
        note = f"\n[cut: {counted(cut, 'byte')}]\n" if cut else ""
        return f"{text}{note}{cleaned(rest.decode(errors='replace'))}"

    def taken(self) -> str:
        """Return the lines that it has written since the last time, the last ones if they are many."""
        with self._taking:
            end = self._untaken.rfind(b"\n") + 1
            taken = bytes(self._untaken[:end])
            del self._untaken[:end]
        return cleaned(taken.decode(errors="replace"))

    async def finished(self, seconds: float, reporting: Reporting = nullcontext) -> str:
        """Wait for its end and return its output, with a note if it failed.

        It is stopped when it takes longer than `seconds`, and when the caller is cancelled.

        Args:
            seconds: How long it may take.
            reporting: Returns a context in which what this `taken` returns is shown.
        """
        try:
            async with reporting(self):
                if not await in_own_thread(self._ended.wait, seconds):
                    self.stop(f"it took longer than {seconds:g} s")
                    await in_own_thread(self._ended.wait, END_SECONDS + GRACE_SECONDS)
        except asyncio.CancelledError:
            self.stop("it was cancelled")
            raise
        return "\n".join(filter(None, [self.output.strip("\n"), self.ending])) or "(no output)"

    @property
    def ending(self) -> str:
        """A note on how it ended; empty if it runs or has succeeded."""
        if self.stopped:
            return f"[stopped: {self.stopped}]"
        code = self.exit_code
        return f"[exit code {code}]" if code else ""

    def stop(self, why: str) -> None:
        """End it and all that it has started, if it runs. The first reason counts."""
        if self._ended.is_set() or self.stopped:
            return
        self.stopped = why
        _end(self._process.pid)
        enforcing = threading.Timer(END_SECONDS, self._kill)
        enforcing.daemon = True
        enforcing.start()

    def _kill(self) -> None:
        if not self._ended.is_set():
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self._process.kill()

    def _follow(self) -> None:
        """Read the output until it ends, and wait for the process."""
        assert self._process.stdout is not None  # noqa: S101  for mypy
        with self._process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                self._length += len(chunk)
                kept = HALF - len(self._begin)
                self._begin += chunk[:kept]
                self._rest += chunk[kept:]
                with self._taking:
                    self._untaken += chunk
                    del self._untaken[:-HALF]
                if len(self._rest) > 2 * HALF:
                    del self._rest[:-HALF]
                if self._limit is not None and self._length > self._limit:
                    self.stop(f"it wrote more than {self._limit:,} bytes")
        self._process.wait()
        self._ended.set()


def _end(process: int) -> None:
    """End the processes of a command: through its supervisor, or where there is none, all that descend from it."""
    if not WINDOWS:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
        return
    import psutil

    with suppress(psutil.Error):
        this = psutil.Process(process)
        for each in [*this.children(recursive=True), this]:
            with suppress(psutil.Error):
                each.kill()


def cleaned(text: str) -> str:
    """Return what a terminal would show of an output, as plain text."""
    lines = _ESCAPE.sub("", text).split("\n")
    return "\n".join(_CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in lines)
