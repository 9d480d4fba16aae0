"""Measure this revision and an older one alternately, and print a table of the ratios."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.part import figures_in, parts_of
from benchmarks.ratios import Failure, Line, Measured, comparison, lines
from benchmarks.revision import ROOT, RevisionError, checked_out, make_environment, short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ROUNDS, QUICK_ROUNDS = 6, 3
RUNS, QUICK_RUNS = 2, 1
"""The runs within a round."""
PART_SECONDS = 600.0
"""How long one side may take for a part in a round."""
END_SECONDS = 10.0
"""How long an interrupted process has to end its kernels and servers."""


@dataclass(frozen=True)
class Side:
    """A revision in a directory, and the Python whose environment has what it requires."""

    name: str
    directory: Path
    python: Path

    def measure(self, group: str, part: str, runs: int) -> Measured:
        """Measure a part of a group in a process of its own."""
        said = self.run("benchmarks.part", group, part, str(runs))
        if isinstance(said, Failure):
            return said
        try:
            return figures_in(said)
        except ValueError:
            return Failure("it printed no figures")

    def run(self, module: str, *arguments: str) -> str | Failure:
        """Run a module of the benchmarks in a process of its own, and return what it prints."""
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | {
            "PYTHONPATH": str(self.directory),
            "PYTHONWARNINGS": "ignore",
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        process = subprocess.Popen(
            [self.python, "-m", module, *arguments],
            cwd=self.directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that Ctrl+C reaches it once, from here
        )
        try:
            output, errors = process.communicate(timeout=PART_SECONDS)
        except subprocess.TimeoutExpired:
            _end(process)
            return Failure(f"it took longer than {PART_SECONDS:.0f} s")
        except KeyboardInterrupt:
            _end(process)
            raise
        if process.returncode:
            return Failure((errors.strip().splitlines() or [f"it ended with {process.returncode}"])[-1])
        return output


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupt a process, so that it ends its kernels and servers, and kill it if it does not end."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=END_SECONDS)
    process.kill()


def compare(
    revision: str,
    groups: Sequence[str],
    *,
    quick: bool,
    root: Path = ROOT,
    environment: Callable[[Path, Path], Path] = make_environment,
) -> int:
    """Print a table of the groups' figures beside those of a revision, and return the exit code.

    Each has an environment that is made for it in the same way, so that only our own code differs. The code is 1 when
    a figure is worse or fails, or misses its target, and 2 when the revision cannot be measured.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left behind after that either
    found: list[Line] = []
    try:
        commit = short_name(revision, root)
        with checked_out(commit, root) as tree:
            with _told("environments"):
                sides = tuple(
                    Side(name, directory, environment(directory, tree.with_name(f"environment-{name}")))
                    for name, directory in (("now", root), (commit, tree))
                )
            with _told("compiling"):
                for side in sides:
                    side.run("benchmarks.bytecode")  # if it fails, the figures will say why
            for group in groups:
                for part in parts_of(group):
                    found += _lines(sides, group.partition(":")[0], part, quick=quick)
    except RevisionError as error:
        print(f"cannot compare with {revision!r}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        if not found:
            return 130
    print(comparison(found, commit))
    return 1 if any(line.is_bad for line in found) else 0


def _lines(sides: Sequence[Side], group: str, part: str, *, quick: bool) -> list[Line]:
    """Return the lines of a part. If one is worse, as many rounds again decide whether it was chance."""
    what, runs, count = f"{group} {part}".strip(), QUICK_RUNS if quick else RUNS, QUICK_ROUNDS if quick else ROUNDS
    rounds: list[tuple[Measured, Measured]] = []
    found: list[Line] = []
    with _told(what):
        while len(rounds) < 2 * count and (not rounds or any(line.verdict == "worse" for line in found)):
            for _ in range(count):
                rounds.append(_round(sides, group, part, runs, backwards=len(rounds) % 2 == 1))
                if any(isinstance(side, Failure) for side in rounds[-1]):
                    return lines(what, sides[1].name, rounds)
            found = lines(what, sides[1].name, rounds)
    return found


def _round(sides: Sequence[Side], group: str, part: str, runs: int, *, backwards: bool) -> tuple[Measured, Measured]:
    measured: dict[str, Measured] = {}
    for side in sides[::-1] if backwards else sides:
        started = time.monotonic()
        measured[side.name] = side.measure(group, part, runs)
        print(f"{side.name} {time.monotonic() - started:.0f} s,", end=" ", file=sys.stderr, flush=True)
    return measured[sides[0].name], measured[sides[1].name]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say on stderr what is being done, and how long it took."""
    started = time.monotonic()
    print(f"{what} …", end=" ", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(f"{time.monotonic() - started:.0f} s in all", file=sys.stderr, flush=True)
