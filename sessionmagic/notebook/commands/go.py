"""``%agent go``: carry out the plan that ``%%agent --plan`` has asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.notebook.cell import ask, request_of
from sessionmagic.notebook.cell_line import add_cell_options, add_turn_options
from sessionmagic.notebook.commands.registry import argument, command
from sessionmagic.turns.proposing import CARRY_OUT

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.arguments import LineParser
    from sessionmagic.notebook.context import NotebookContext


def _options(parser: LineParser) -> None:
    add_turn_options(parser)
    add_cell_options(parser)


@command(
    "Carry out the plan of the session's latest turn, which %%agent --plan has asked for, under the usual rules.",
    argument("words", verbatim=True, nargs="?", default="", help="what to add to that, such as: only the first step"),
    options=_options,
)
def go(context: NotebookContext, options: argparse.Namespace) -> None:
    background = options.background and context.front_end.kind.late
    request = request_of(context, options, f"{CARRY_OUT}\n\n{options.words}".strip(), background=background)
    ask(context, options, replace(request, kind="go"), background=background)
