"""``%agent compare``: ask several models many prompts."""

from __future__ import annotations

import re
import threading
from copy import copy
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionMagicError, UsageError
from sessionmagic.notebook.commands.registry import argument, command, say
from sessionmagic.words import counted

if TYPE_CHECKING:
    import argparse

    from sessionmagic.comparing.plan import GridRequest
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.grid_progress import GridProgress

GRID = "grid"
NAME_BYTES = 45
"""The most bytes of each part of a name that is not given, as a file system limits the names of files."""


@command(
    "Ask several models many prompts. Each answer is kept as it comes in; running it again asks only what is missing.",
    argument("--prompts", required=True, metavar="EXPR", help="the prompts: a list, or a column of a DataFrame"),
    argument("--models", nargs="+", required=True, metavar="REF", help="the models"),
    argument("--repeat", type=int, default=1, metavar="N", help="ask each prompt N times; default: 1"),
    argument(
        "--vary", nargs="+", default=[], metavar="NAME=A,B", help="ask each model with each value, as temperature=0,1"
    ),
    argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of all models, such as seed=7"),
    argument("--system", default="", metavar="TEXT", help="instructions for all models"),
    argument("--type", default="", metavar="EXPR", help="ask for values of this type; their fields become columns"),
    argument("--score", default="", metavar="EXPR", help="a function (answer, row): number, bool or dict"),
    argument("--max-cost", metavar="USD", help="do not start if the estimate is higher, and stop when it is spent"),
    argument("--executor", default="", metavar="EXPR", help="a concurrent.futures executor for the requests"),
    argument(
        "--name", default="", metavar="NAME", help="under which the answers are kept; default: the notebook and --out"
    ),
    argument("--judge", default="", metavar="REF", help="this model says which answers are better"),
    argument("--criteria", default="", metavar="TEXT", help="what makes an answer better, for --judge"),
    argument("-o", "--out", default="", metavar="VAR", help="assign the results to VAR, also when it is interrupted"),
)
def compare(context: NotebookContext, options: argparse.Namespace) -> GridResults:
    from sessionmagic.comparing.grid import GridInterrupt
    from sessionmagic.notebook.cell_work import short_interrupt
    from sessionmagic.notebook.grid_progress import GridProgress

    if options.out and (not options.out.isidentifier() or iskeyword(options.out)):
        raise UsageError(f"--out {options.out!r} is not a valid variable name; use letters, digits and _")
    progress = GridProgress(context.front_end.kind)
    request = _request(context, options, progress)
    namespace = context.shell.user_ns
    grid = context.manager.grids.new(request)
    try:
        results = grid.run_sync()
    except SessionMagicError:
        if done := grid.results:  # the disk is full, or the executor is gone
            _keep(namespace, options.out, done)
        raise
    except GridInterrupt as interrupt:
        _keep(namespace, options.out, interrupt.results)
        rows = _rows(interrupt.results, options.out)
        raise short_interrupt(f"comparison interrupted; {rows}, and the same line goes on") from None
    finally:
        progress.end()
    _keep(namespace, options.out, results)
    if results.error is not None:
        _show(results)
        raise type(results.error)(f"{_rows(results, options.out)}, because {results.error}")
    if options.judge:
        try:
            _judge(context, results, options)
        except UsageError as error:  # the answers are there, and are shown
            say(f"⚠ not judged: {error}")
    for warning in results.warnings:
        say(f"⚠ {warning}")
    return results


def _rows(results: GridResults, out: str) -> str:
    """Return how many rows there are, and where."""
    are = "are" if len(results) != 1 else "is"
    return f"{len(results):,} of {counted(results.total, 'row')} {are} {f'in {out}' if out else 'kept'}"


def _show(results: GridResults) -> None:
    """Show results that are not the value of the line, because it ends with an error, which says why."""
    from IPython.display import display

    for warning in results.warnings:
        say(f"⚠ {warning}")
    shown = copy(results)
    shown.stopped = "stopped before its end"
    display(shown)


def _judge(context: NotebookContext, results: GridResults, options: argparse.Namespace) -> None:
    """Let the judge compare the answers; its report is shown with the results."""
    from sessionmagic.comparing.grid import STOP_SECONDS
    from sessionmagic.comparing.judge import Judge
    from sessionmagic.conversation.budget import parsed_budget
    from sessionmagic.loop import loop_thread
    from sessionmagic.notebook.cell_work import short_interrupt
    from sessionmagic.notebook.grid_progress import GridProgress

    if results.stopped:
        raise UsageError("the grid was stopped before its end; run it again")
    judge, left = Judge(options.judge, options.criteria), None
    if options.max_cost is not None:
        left = parsed_budget(options.max_cost) - (results.spent or 0.0)
        if left <= 0:
            raise UsageError("--max-cost is spent; raise it, and run the grid again")
    progress = GridProgress(context.front_end.kind, done="verdicts")
    closed = threading.Event()

    async def ask() -> None:
        try:
            await context.manager.grids.judge(
                results, judge, progress=progress.show, max_cost=left, where=context.front_end.place
            )
        finally:
            closed.set()

    try:
        loop_thread().run_sync(ask)
    except KeyboardInterrupt:
        closed.wait(STOP_SECONDS)
        raise short_interrupt("judging interrupted; the answers are kept, and the same line goes on") from None
    finally:
        progress.end()


def _keep(namespace: dict[str, Any], out: str, results: GridResults) -> None:
    if out:
        namespace[out] = results


def _request(context: NotebookContext, options: argparse.Namespace, progress: GridProgress) -> GridRequest:
    from sessionmagic.comparing.contestants import contestants, parsed_vary
    from sessionmagic.comparing.intervals import check_installed
    from sessionmagic.comparing.plan import GridRequest
    from sessionmagic.conversation.budget import parsed_budget
    from sessionmagic.models.settings import parsed
    from sessionmagic.notebook.prompts import value_of
    from sessionmagic.notebook.types import type_of
    from sessionmagic.turns.account import KERNEL, Account
    from sessionmagic.turns.charged_model import require_price

    max_cost = None if options.max_cost is None else parsed_budget(options.max_cost)
    namespace = context.shell.user_ns
    vary = parsed_vary(options.vary)
    if options.judge:
        check_installed()
        judge = context.models.resolve(options.judge)
        for account in (KERNEL, Account("the judge", "", budget=max_cost)):  # before the answers are paid
            require_price(judge, account)
        if len(contestants(options.models, vary)) == 1:
            raise UsageError("there is nothing to judge, because only one model answers; name two or more")
    score = value_of("--score", options.score, namespace) if options.score else None
    if score is not None and not callable(score):
        raise UsageError(f"--score {options.score} is of type {type(score).__name__}; give a function (answer, row)")
    return GridRequest(
        prompts=value_of("--prompts", options.prompts, namespace),
        models=options.models,
        repeat=options.repeat,
        vary=vary,
        settings=parsed(options.set),
        defaults=context.settings.model_settings,
        system=options.system or context.settings.system,
        output_type=type_of(options.type, namespace) if options.type else None,
        score=score,
        name=options.name or _name(context, options.out),
        max_cost=max_cost,
        executor=value_of("--executor", options.executor, namespace) if options.executor else None,
        progress=progress.show,
        where=context.front_end.place,
    )


def _name(context: NotebookContext, out: str) -> str:
    words = [re.sub(r"[^\w-]+", "-", each).strip("-") for each in (context.front_end.notebook, out)]
    return "-".join(each.encode()[:NAME_BYTES].decode(errors="ignore") for each in words if each) or GRID
