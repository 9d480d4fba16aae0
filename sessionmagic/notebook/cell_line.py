"""The line of a ``%%agent`` cell: its options and its manual."""

from __future__ import annotations

import math

from sessionmagic.notebook.arguments import LineParser

MANUAL = """Send the cell to an agent session: the answer streams under the cell, and the session remembers it.

    %%agent --model local --session churn
    Name three features that often leak the label in a churn model.

Write $`expression` in the prompt for a value of yours; every other character is sent as it is.
A model stays with its session until another is given; --model default takes it back, --once asks it one time.
_agent holds the last result: str(_agent) is the answer, and it has .usage .cost .model .turn .session .messages.

%agent alone lists the subcommands for sessions, models and tools; %config AgentMagics shows and sets the defaults.
"""


def _parser() -> LineParser:
    parser = LineParser("%%agent", MANUAL)
    add = parser.add_argument
    add("-m", "--model", default="", metavar="REF", help="provider:model, local, local:path.gguf; default clears it")
    add("--once", action="store_true", help="use --model for this turn only")
    add("-s", "--session", default="", metavar="NAME", help="the session of that name, created when there is none")
    add("-a", "--agent", default="", metavar="NAME", help="which agent answers")
    add("--new", action="store_true", help="start a fresh session and make it the active one")
    add("-b", "--background", action="store_true", help="return at once; the area keeps streaming")
    add(
        "--wait", nargs="?", type=float, const=math.inf, default=0.0, metavar="SECONDS",
        help="wait for a busy session (at most SECONDS) instead of refusing",
    )  # fmt: skip
    add("-o", "--out", default="", metavar="VAR", help="put the result in the variable VAR")
    add(
        "-t", "--tools", action="append", default=[], metavar="NAMES",
        help="functions of yours that the model may call, with commas; may be repeated",
    )  # fmt: skip
    add("--yes", action="store_true", help="approve every tool call of this turn, deny rules excepted")
    add(
        "--attach", action="append", default=[], metavar="EXPR",
        help="a file (image, PDF, text) or a value (figure, image, DataFrame); may be repeated",
    )  # fmt: skip
    add(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="fail the turn after SECONDS, your answers not counted; 0: never",
    )
    return parser


CELL_LINE = _parser()
"""Reads a ``%%agent`` line; its help is the manual."""
