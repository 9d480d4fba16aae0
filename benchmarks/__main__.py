"""Measure the named groups, or all, and print a table. The exit code is 1 when a target is missed or a group fails."""

import argparse
import importlib
import os
import sys
import time

from benchmarks.against import compare
from benchmarks.figures import Figure, table

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
    "history": "a turn, ten tool calls and memory in sessions of up to 5,000 turns",
    "length": "writing to, loading and holding sessions of 10 to 20,000 turns, and of 200 MB of images",
    "rerun": "a cell that runs again in a long session, against a new one",
    "find": "a listing and a search in a store of 10,000 sessions of 20 turns",
    "grid": "cells of a grid beside inspect_ai, bare pydantic-ai and the SDK",
    "columns": "three models in one cell, against the slowest of them alone",
    "statistics": "how often intervals and verdicts are right, in 2,000 simulated comparisons of 30 prompts",
    "local": "the embedded model against raw xllamacpp",
}
COMPARED = {
    "writing": "writing one turn to sessions of 10 to 20,000 turns, and loading them",
    "asking": "whole turns in long sessions, 50 at a time, with tools, and their memory",
    "first_cell": "the first cell of a kernel beside the second",
    "listing": "a listing of 10,000 sessions",
}
"""Groups that are measured by ``--against`` or by name. Each has no target of its own."""


def main() -> int:
    known = GROUPS | COMPARED
    listing = "\n".join(f"  {name:<12}{what}" for name, what in known.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        epilog=f"groups:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="GROUP", help="what to measure; all by default")
    parser.add_argument("--quick", action="store_true", help="make fewer runs, which gives noisier figures")
    parser.add_argument(
        "--against",
        metavar="REV",
        help="measure this working tree and an older revision alternately, and print the ratios",
    )
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"there is no group {unknown[0]!r}; use one of {', '.join(known)}")
    if options.against is not None:
        code = compare(options.against, options.names or list(known), quick=options.quick)
        if code < 2:  # something was measured
            _warn_if_busy()
        return code
    figures: list[Figure] = []
    for name in options.names or GROUPS:
        started = time.monotonic()
        print(f"{name}: {known[name]} …", end=" ", file=sys.stderr, flush=True)
        try:
            measured = importlib.import_module(f"benchmarks.{name}").measure(2 if options.quick else 5)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            break
        except Exception as error:  # noqa: BLE001  the other groups are still measured
            measured = [Figure.failed(name, f"{type(error).__name__}: {error}")]
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        figures += measured
    print(table(figures))
    _warn_if_busy()
    return 1 if any(figure.verdict in {"MISSED", "FAILED"} for figure in figures) else 0


def _warn_if_busy() -> None:
    # The benchmarks themselves add about 2 to the load.
    if hasattr(os, "getloadavg") and os.getloadavg()[1] > 2 + (os.cpu_count() or 1):
        print(
            f"\nDo not trust the times: the machine is busy (load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores)."
        )


if __name__ == "__main__":
    sys.exit(main())
