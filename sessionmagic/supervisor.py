"""End a program, and all that it has started, when the process that started it ends, even if that is killed.

`supervised` puts this file before a command. It then runs as a process between the two, which outlives both.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PARENT_SECONDS = 0.5
"""Time between two checks whether the parent is alive."""
KILL_SECONDS = 5.0
"""How long processes are killed that do not end, because they belong to another user or wait for a device."""
NOT_STARTED = "not started: "
"""What the supervisor's line on stderr begins with if the command cannot be started."""
NOT_STARTED_CODE = 127
"""The exit code then, as in a shell."""
SIGNALLED = 128
"""What is added to the number of the signal that has ended the command, as in a shell."""
PR_SET_PDEATHSIG = 1
"""From Linux's <sys/prctl.h>."""
PR_SET_CHILD_SUBREAPER = 36


def supervised(command: Sequence[str], grace: float) -> list[str]:
    """Return a command that runs `command`, and ends it and its descendants when this process ends.

    The new command must be started by this process, and as the leader of a new session. It passes on input, output
    and signals to its process group. It also ends the descendants when `command` ends, and on SIGTERM. Its exit code is
    that of `command`; if a signal has ended that, it is 128 more than the signal's number, as in a shell.

    On Linux this holds for all descendants. On macOS, one that has left the process group and whose parent has ended
    is not found. On Windows the command is returned as it is.

    Args:
        command: The program and its arguments.
        grace: Seconds between the parent's end, or SIGTERM, and the end of processes that have not ended then.
    """
    if os.name == "nt":
        return list(command)
    import psutil

    # -I and -S: neither the variables meant for the command nor what is installed can change this program.
    here = [sys.executable, "-I", "-S", __file__, str(Path(psutil.__file__).parents[1])]
    return [*here, str(os.getpid()), str(grace), *command]


def main(packages: str, parent: int, grace: float, command: Sequence[str]) -> None:
    """Run the command until it ends or has to, and then end all processes that are left of it."""
    signals = _signals()
    _call_prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        program = subprocess.Popen(command, preexec_fn=_end_with_supervisor)  # noqa: PLW1509, S603  has one thread
    except OSError as error:
        print(f"{NOT_STARTED}{error}", file=sys.stderr)
        sys.exit(NOT_STARTED_CODE)
    _release_input_and_output()
    sys.path.append(packages)
    deadline, ended = None, dict[int, int]()
    while (deadline is None or time.monotonic() < deadline) and program.pid not in ended:
        waiting, _, _ = select.select([signals], [], [], PARENT_SECONDS if deadline is None else grace / 10)
        stopped = bool(waiting) and not {signal.SIGTERM, signal.SIGHUP}.isdisjoint(os.read(signals, 1000))
        if deadline is None and (stopped or os.getppid() != parent):
            deadline = time.monotonic() + grace
        ended |= _reaped()
    _kill_descendants()
    code = os.waitstatus_to_exitcode(ended.get(program.pid, signal.SIGKILL))
    sys.exit(code if code >= 0 else SIGNALLED - code)


def _signals() -> int:
    """Return a file descriptor from which the numbers of received signals are read.

    SIGINT is read too, so that it interrupts only the other processes of the group.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the command does not inherit a handler, but would inherit SIG_IGN
    return readable


def _call_prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def _end_with_supervisor() -> None:
    """Have Linux kill this process when the supervisor is killed."""
    _call_prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _release_input_and_output() -> None:
    """Close stdin and stdout, so that their other ends see when the command closes them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)


def _reaped() -> dict[int, int]:
    """Return the child processes that have ended since the last call, each with its status."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
            ended.update([found])
    return ended


def _kill_descendants() -> None:
    """Kill all descendants. On Linux, those of a killed process become children of this one."""
    import psutil

    this, deadline = psutil.Process(), time.monotonic() + KILL_SECONDS
    while (left := [*this.children(recursive=True), *_others_of_group()]) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.005)
        _reaped()


def _others_of_group() -> list[Any]:
    """Return the other processes of the group, which on macOS has those whose parents have ended."""
    if sys.platform == "linux" or os.getpgrp() != os.getpid():
        return []
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(OSError):
            if process.pid != os.getpid() and os.getpgid(process.pid) == os.getpgrp():
                found.append(process)
    return found


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
