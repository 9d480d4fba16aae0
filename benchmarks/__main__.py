"""Measure the named groups, or all, and print a table. The exit code is 1 when a target is missed or a group fails."""

import argparse
import os
import sys
import time
from collections.abc import Callable

from benchmarks.against import compare
from benchmarks.bytecode import bytecode_kept, compile_used
from benchmarks.figures import Figure, table
from benchmarks.part import parts_of

GROUPS = {
    "load": "%load_ext in a fresh kernel",
    "cold": "the first cells of a kernel, beside later ones and a kernel without us",
    "status": "from Enter to the status line, in a warm and in a fresh kernel",
    "traffic": "messages and bytes sent to the page, and how they grow with the answer",
    "delivery": "how much of an answer arrives through a real jupyter_server",
    "first_text": "from the server's first token to the first text on iopub",
    "wall": "a turn against the same agent without a display",
    "store": "commits and admissions in a store of 10 and of 10,000 sessions",
    "turn": "the processor time of a turn beside bare pydantic-ai, 50 at a time",
    "history": "whole turns, ten tool calls and memory, in sessions of up to 5,000 turns",
    "length": "writing to, loading and listing sessions of 10 to 20,000 turns, and a turn among 200 MB of images",
    "rerun": "a cell that runs again in a long session, against a new one",
    "find": "a listing and a search in a store of 10,000 sessions of 20 turns",
    "grid": "cells of a grid beside inspect_ai, bare pydantic-ai and the SDK",
    "columns": "three models in one cell, against the slowest of them alone",
    "statistics": "how often intervals and verdicts are right, in 2,000 simulated comparisons of 30 prompts",
    "tasks": "the tasks of a first hour in JupyterLab: cells, keystrokes, clicks and seconds",
    "local": "the embedded model against raw xllamacpp",
    "shared": "one local model in a server for ten kernels, against one in a kernel",
}
RUNS, QUICK_RUNS = 5, 2


def main() -> int:
    listing = "\n".join(f"  {name:<12}{what}" for name, what in GROUPS.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        epilog=f"groups:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="GROUP[:PART]", help="what to measure; all by default")
    parser.add_argument("--quick", action="store_true", help="make fewer runs, which gives noisier figures")
    parser.add_argument(
        "--against",
        metavar="REV",
        help="measure this working tree and an older revision alternately, and print the ratios",
    )
    options = parser.parse_args()
    for name in options.names:
        _check(parser, name)
    names = options.names or list(GROUPS)
    with bytecode_kept():
        if options.against:
            code = compare(options.against, names, quick=options.quick)
        else:
            code = _measure(names, QUICK_RUNS if options.quick else RUNS)
    if code < 2:  # something was measured
        _warn_if_busy()
    return code


def _check(parser: argparse.ArgumentParser, name: str) -> None:
    group, _, part = name.partition(":")
    if group not in GROUPS:
        parser.error(f"there is no group {group!r}; use one of {', '.join(GROUPS)}")
    if part and part not in (parts := [each for each in parts_of(group) if each]):
        parser.error(f"{group} has no part {part!r}; use {' or '.join(f'{group}:{each}' for each in parts) or group}")


def _measure(names: list[str], runs: int) -> int:
    compile_used()
    figures: list[Figure] = []
    try:
        for name in names:
            for part, measure in parts_of(name).items():
                figures += _measured(f"{name.partition(':')[0]} {part}".strip(), measure, runs)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    print(table(figures))
    return 1 if any(figure.verdict in {"MISSED", "FAILED"} for figure in figures) else 0


def _measured(what: str, measure: Callable[[int], list[Figure]], runs: int) -> list[Figure]:
    started = time.monotonic()
    print(f"{what} …", end=" ", file=sys.stderr, flush=True)
    try:
        return measure(runs)
    except Exception as error:  # noqa: BLE001  the others are still measured
        return [Figure.failed(what, f"{type(error).__name__}: {error}")]
    finally:
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _warn_if_busy() -> None:
    # The benchmarks themselves add about 2 to the load.
    if hasattr(os, "getloadavg") and os.getloadavg()[1] > 2 + (os.cpu_count() or 1):
        print(
            f"\nDo not trust the times: the machine is busy (load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores)."
        )


if __name__ == "__main__":
    sys.exit(main())
