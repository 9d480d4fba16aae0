"""``sessionmagic``, or ``python -m sessionmagic``: version, what is set up here, and a server for the local model."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from sessionmagic.doctor import checks, version_of
from sessionmagic.exceptions import SessionMagicError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.models.shared import VARIABLE
from sessionmagic.serve import CONTEXT, serve
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
    _add_serve(commands)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    return _serve(options) if options.command == "serve" else _doctor()


def _add_serve(commands: Any) -> None:
    served = commands.add_parser(
        "serve", help="hold the weights of the local model once, for all kernels of this machine, until Ctrl-C"
    )
    served.add_argument("model", nargs="?", default="", help="a .gguf file, or a name in the home; else the demo model")
    served.add_argument(
        "--threads", type=_number, default=1, metavar="N", help="threads that the model uses; default: 1"
    )
    served.add_argument(
        "--context", type=_number, default=CONTEXT, metavar="N", help=f"tokens that it reads; default: {CONTEXT}"
    )
    served.add_argument(
        "--file", default="", metavar="PATH", help=f"by which kernels find the server if {VARIABLE} names it for them"
    )
    served.add_argument("--everyone", action="store_true", help="let all users of this machine read that file")


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    try:
        serve(
            options.model,
            file=options.file,
            threads=options.threads,
            context_length=options.context,
            everyone=options.everyone,
        )
    except SessionMagicError as error:
        print(f"sessionmagic serve: {error}", file=sys.stderr)
        return 1
    return 0


def _doctor() -> int:
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
