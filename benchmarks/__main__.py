"""Measure everything or what is named, print a table; exit code 1 when a target is missed."""

import argparse
import importlib
import os
import sys
import time

from benchmarks.figures import Figure, table

GROUPS = {
    "load": "%load_ext in a fresh kernel",
    "status": "from Enter to the status line, warm and in a fresh kernel",
    "traffic": "messages and bytes to the page, and how they grow with the answer",
    "delivery": "what arrives through a real jupyter_server",
    "first_text": "from the server's first token to the first text on iopub",
    "wall": "the turn against the same agent run without a display",
    "store": "commits and admissions among 10 and among 10,000 stored sessions",
    "local": "the embedded model against raw xllamacpp",
}


def main() -> int:
    listing = "\n".join(f"  {name:<12}{what}" for name, what in GROUPS.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        epilog=f"names:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; everything when left out")
    parser.add_argument("--quick", action="store_true", help="fewer runs: noisier, for trying things out")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in GROUPS]:
        parser.error(f"unknown name {unknown[0]!r}; there are {', '.join(GROUPS)}")
    figures: list[Figure] = []
    for name in options.names or GROUPS:
        started = time.monotonic()
        print(f"{name}: {GROUPS[name]} …", end=" ", file=sys.stderr, flush=True)
        try:
            measured = importlib.import_module(f"benchmarks.{name}").measure(2 if options.quick else 5)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            break
        except Exception as error:  # one group that fails takes no other with it
            measured = [Figure.failed(name, error)]
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        figures += measured
    print(table(figures))
    if hasattr(os, "getloadavg") and os.getloadavg()[1] > 2 + (os.cpu_count() or 1):  # its own share is about 2
        print(
            f"\nThe machine is busy (load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores): do not trust the times."
        )
    return 1 if any(figure.verdict in {"MISSED", "FAILED"} for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
