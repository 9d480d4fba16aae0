"""``sessionmagic``, or ``python -m sessionmagic``: the version, and what is installed and set up here."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from sessionmagic.doctor import checks, version_of
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code: 1 if the doctor has found something that does not work."""
    parser = argparse.ArgumentParser(
        "sessionmagic",
        description="Agent sessions in notebook cells. In a notebook: %load_ext sessionmagic, then %%agent --help.",
    )
    parser.add_argument("--version", action="version", version=f"sessionmagic {version_of('sessionmagic')}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    commands.add_parser("doctor", help="show what is installed and set up here, without keys, for a bug report")
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    found = checks()
    lines = []
    for check in found:
        lines.append(f"{check.about}: {check.found}")
        if check.advice:
            lines.append(f"  {'✗' if check.wrong else '→'} {check.advice}")
    lines.append("front end: %agent doctor says it in a notebook")
    print("\n".join(printable(without_keys(line)) for line in lines))
    return int(any(check.wrong for check in found))


if __name__ == "__main__":
    sys.exit(main())
