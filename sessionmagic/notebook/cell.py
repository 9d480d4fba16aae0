"""Run an ``%%agent`` cell: start a turn from its options and text, and show it under the cell."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import result_of
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.cell_session import Place, begun, place_of
from sessionmagic.notebook.offered_tools import offered_tools, session_offers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from sessionmagic.notebook.background import BackgroundTurn
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.controls import ModelChoice
    from sessionmagic.notebook.launch import Launch, WaitsFor
    from sessionmagic.tools.permissions import Offers
    from sessionmagic.turns.output_type import OutputType
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.turn import Turn, TurnResult

FRESH_NAME = "session"
"""Name of a new session if the name of its notebook is not known."""


def run_cell(context: NotebookContext, options: argparse.Namespace, text: str) -> None:
    """Send the text to the session that the options choose, and show the answer under the running cell."""
    from sessionmagic.notebook.cell_work import cell_waits

    background = not cell_waits(options, background=options.background and context.front_end.kind.late)
    ask(context, options, request_of(context, options, text, background=background), background=background)


def ask(
    context: NotebookContext,
    options: argparse.Namespace,
    request: Request,
    *,
    background: bool = False,
    takes_code: bool = True,
) -> TurnResult | None:
    """Start a turn, show it under the running cell, and return its result. Raises its error.

    Args:
        context: The kernel's context.
        options: The options of the cell.
        request: What to ask.
        background: Whether to return at once, without a result.
        takes_code: Whether there is a button that puts the code of the answer into a new cell.
    """
    from sessionmagic.notebook.cells_behind import held_up
    from sessionmagic.notebook.page.attention import attention
    from sessionmagic.notebook.surface import view_for

    def done(result: TurnResult) -> None:
        if not background:
            keep(context, _handle(launch) if options.background else result, options.out)

    launch = launch_of(context, done, background=background)
    launch.takes_code = takes_code and not background and context.next_cell.possible and context.front_end.clicks_arrive
    with launch.interruptible(), nullcontext() if background else context.main_thread.served():
        view = view_for(context, options, launch, background=background)
        launch.show_in(view)
        waits_for: WaitsFor = "end" if not background else "nothing" if options.wait else "start"
        launch.held_up = partial(held_up, context, options.session or context.chosen() or request.session)
        begin = partial(context.manager.start, on_wait=launch.wait_for_session)
        start = begun(context, request, begin, place_of(context, options))
        launch.begin(start, view, waits_for)
        if waits_for == "start":
            launch.wait_until_admitted()
        if background:
            keep(context, _handle(launch), options.out)
            return None
        with attention(context.front_end.kernel):
            result = launch.wait_until_over()
        if result is not None and launch.code_taken:
            _propose_code(context, result.text)
    if result is not None and result.error is not None:
        raise result.error
    return result


def _handle(launch: Launch) -> BackgroundTurn:
    """Return what ``-b`` leaves in the variables of the cell."""
    from sessionmagic.notebook.background import BackgroundTurn

    return BackgroundTurn(launch)


def _propose_code(context: NotebookContext, answer: str) -> None:
    """Propose the Python code of an answer as a new cell."""
    from sessionmagic.notebook.page.code_blocks import as_cell, code_blocks, python_in

    if blocks := python_in(code_blocks(answer)):
        context.next_cell.propose(as_cell(blocks))
    else:
        print("the answer has no Python code, so no cell was added")


def queue(context: NotebookContext, session: str, queued: argparse.Namespace) -> None:
    """Send a text to the session when its running turn ends; at once, in the background, if the session is idle.

    Args:
        context: The kernel's context.
        session: Name or id.
        queued: The options of ``%agent queue``.
    """
    from sessionmagic.notebook.surface import view_for

    options = CELL_LINE.parse_args(["--background", "--session", context.manager.sessions.load(session).id])
    options.raw = queued.raw
    request = replace(request_of(context, options, queued.text, background=True), rerun="append", reuse=False)
    launch = launch_of(context, partial(keep, context), background=True)

    async def start(request: Request) -> Turn:
        view = view_for(context, options, launch, background=True)
        launch.show_in(view)
        return await launch.start(begun(context, request, context.manager.start, Place(names_session=True)), view)

    with launch.interruptible():
        answering = result_of(context.manager.queue(request, turn=queued.turn, key=queued.key, start=start))
    if answering is None:
        print(f"key {queued.key!r} was used before; nothing was queued")
    elif not launch.begun:
        print("queued until the running turn ends")
    elif not context.front_end.kind.late:
        print("asked in the background; %agent show shows the answer")


def launch_of(
    context: NotebookContext, done: Callable[[TurnResult], object], *, background: bool, shares: int = 1
) -> Launch:
    """Return what starts and shows a turn of the running cell.

    Args:
        context: The kernel's context.
        done: Called with the turn's result.
        background: Whether the cell does not wait for the turn.
        shares: How many turns are shown at the same time under the cell.
    """
    from sessionmagic.notebook.cells_behind import cells_behind
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.notebook.surface import asks_of, rate_of

    async def steer(turn: Turn, text: str) -> None:
        await context.manager.turns.tell(turn, "steer", text)

    asks = asks_of(context, background=background)
    launch = Launch(steer, rate_of(context, shares), done, context.main_thread, asks=asks)
    launch.late = context.front_end.kind.late
    launch.choice_of = partial(_choice_of_model, context)
    launch.cells_behind = None if background else cells_behind(context)
    return launch


def _choice_of_model(context: NotebookContext, session: str) -> ModelChoice:
    from sessionmagic.notebook.session_model import SessionModel

    return SessionModel(context, session)


def request_of(context: NotebookContext, options: argparse.Namespace, text: str, *, background: bool) -> Request:
    """Return the request of the running cell. Raises `UsageError` and `ToolError` for options that are not valid."""
    from sessionmagic.conversation.budget import parsed_budget
    from sessionmagic.models.settings import parsed
    from sessionmagic.notebook.prompts import attach, checked_limit, filled_in, filled_option
    from sessionmagic.notebook.surface import run_by_a_tool
    from sessionmagic.tools.permissions import Limits, safety_of
    from sessionmagic.turns.request import Request

    if options.out and (not options.out.isidentifier() or iskeyword(options.out)):
        raise UsageError(f"--out {options.out!r} is not a valid variable name; use letters, digits and _")
    options.session = context.named(options.session, turn=False)
    settings, front_end, namespace = context.settings, context.front_end, context.shell.user_ns
    offers: Offers = options.offers or ("" if options.new else session_offers(context, options.session))
    limit = settings.value_limit if options.value_limit is None else checked_limit(options.value_limit)
    filled = filled_in(text, namespace, raw=options.raw, limit=limit)
    system, in_system = filled_option(options.system or "", namespace, raw=options.raw)
    attached = [attach(expression, namespace, limit) for expression in options.attach]
    in_attached = [each.value for each in attached if each.value]
    return Request(
        prompt=filled.text,
        session=options.session or front_end.notebook or FRESH_NAME,
        new=options.new,
        model=options.model,
        models=options.models,
        once=options.once,
        reuse=options.reuse or settings.reuse,
        settings=parsed(options.set),
        system=None if options.system is None else system,
        agent=options.agent,
        attachments=[*filled.images, *(each.attachment for each in attached)],
        typed=text,
        titles=settings.titles and front_end.attended,
        values=list(dict.fromkeys([*filled.expressions, *in_system, *in_attached, *options.filled_in])),
        tools=offered_tools(context, options.tools, offers, background=background),
        only_tools=offers == "none",
        wait=options.wait,
        timeout=(options.timeout if options.timeout is not None else settings.timeout) or None,
        attended=front_end.attended and not run_by_a_tool(),
        remedy=front_end.kind.remedy,
        send_keys=options.send_keys,
        yes=options.yes,
        live_tools=options.live_tools,
        safety=safety_of(settings.safety),
        limits=Limits(requests=settings.request_limit, tool_calls=settings.tool_call_limit),
        budget=None if options.budget is None else parsed_budget(options.budget),
        where=front_end.place,
        notebook=front_end.notebook_path,
        cell=front_end.cell,
        rerun="append" if settings.rerun == "append" else "branch",
        output_type=_type_of(options.type, namespace),
        kind="plan" if options.plan else "ask",
    )


def _type_of(expression: str | None, namespace: Mapping[str, Any]) -> OutputType | None:
    if not expression:
        return None
    from sessionmagic.notebook.types import type_of

    return type_of(expression, namespace)


def keep(context: NotebookContext, result: object, out: str = "") -> None:
    """Assign a result to ``_agent``, and to the variable that the cell names."""
    context.shell.user_ns["_agent"] = result
    if out:
        context.shell.user_ns[out] = result
