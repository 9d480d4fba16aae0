"""One ``%%agent`` cell: from its options and text to a turn that is shown under it."""

from __future__ import annotations

import itertools
from contextlib import nullcontext, suppress
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionExistsError, SessionIdleError, UsageError
from sessionmagic.loop import in_thread, loop_thread
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.offered_tools import offered_tools

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.asker import Asks
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.launch import Launch, WaitsFor
    from sessionmagic.notebook.view import View
    from sessionmagic.turns.turn import Turn, TurnResult

END_SECONDS = 5.0
"""How long to wait for a turn that is ending to release its session."""


def run_cell(context: NotebookContext, options: argparse.Namespace, text: str) -> None:
    """Send the text to the session that the options choose, and show the answer under the running cell."""
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.notebook.page.attention import attention

    if options.out and (not options.out.isidentifier() or iskeyword(options.out)):
        raise UsageError(f"--out {options.out!r} is not a valid variable name")
    background = options.background and not context.front_end.headless
    request = _request(context, options, text, background=background)
    done = partial(_keep, context, out=options.out)
    asks = _asks(context, background=background)
    launch = Launch(context.manager, context.settings.refresh_hz, done, context.main_thread, asks=asks)
    with launch.interruptible(), nullcontext() if background else context.main_thread.served():
        view = _view_for(context, options, launch, background=background)
        launch.open(view)
        waits_for: WaitsFor = "end" if not background else "nothing" if options.wait else "start"
        launch.begin(_start(context, options, request), view, waits_for)
        if waits_for == "start":
            launch.wait_until_admitted()
        if background:
            return
        with attention(context.front_end.kernel):
            result = launch.wait_until_over()
    if result is not None and result.error is not None:
        raise result.error


def _request(context: NotebookContext, options: argparse.Namespace, text: str, *, background: bool) -> dict[str, Any]:
    """Return the arguments of `SessionManager.run`, except for the session."""
    from sessionmagic.notebook.prompts import attach, interpolate
    from sessionmagic.tools.permissions import Limits

    settings, front_end = context.settings, context.front_end
    return {
        "prompt": interpolate(text, context.shell.user_ns),
        "attachments": [attach(expression, context.shell.user_ns) for expression in options.attach],
        "model": options.model,
        "once": options.once,
        "agent": options.agent,
        "wait": options.wait,
        "timeout": (options.timeout if options.timeout is not None else settings.timeout) or None,
        "tools": offered_tools(context, options.tools, background=background),
        "attended": not front_end.headless and not _by_a_tool(),
        "yes": options.yes,
        "safety": settings.safety,
        "limits": Limits(requests=settings.request_limit, tool_calls=settings.tool_call_limit),
        "where": front_end.cell,
        "cell_id": front_end.cell_id,
    }


def queue(context: NotebookContext, session: str, text: str, key: str) -> None:
    """Ask the session when its running turn ends; if none is running, ask at once, in the background."""
    from sessionmagic.notebook.prompts import interpolate

    session = context.manager.sessions.load(session).id
    with context.manager.turns.queue_keys.once(session, key) as new:
        if not new:
            print(f"key {key!r} was used before; nothing was queued")
            return
        ending = context.manager.turns.of_id(session)
        try:
            said = interpolate(text, context.shell.user_ns)
            loop_thread().submit(context.manager.turns.say(session, "queue", said, key=key)).result()
        except SessionIdleError:
            for turn in ending:
                turn.wait(END_SECONDS)
            run_cell(context, CELL_LINE.parse_args(["--background", "--session", session]), text)
        else:
            print("queued until the running turn ends")


async def _start(context: NotebookContext, options: argparse.Namespace, request: dict[str, Any]) -> Turn:
    """Run the request on the session that the options choose. A session created here becomes the active one."""
    active = context.active_session
    if active is not None and await in_thread(context.manager.store.find, active) is None:
        context.active_session = None  # it was deleted
    named = options.session or (None if options.new else context.chosen())
    if named:
        turn = await context.manager.run(session=named, new=options.new, **request)
    else:
        turn = await _start_fresh(context, request)
    context.latest_session = turn.session_id
    if options.new or not named:
        context.active_session = turn.session_id
    return turn


async def _start_fresh(context: NotebookContext, request: dict[str, Any]) -> Turn:
    """Run the request on a new session, named after the notebook and numbered if that name is taken."""
    base = context.front_end.notebook or "session"
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}-{number}"
        with suppress(SessionExistsError):
            return await context.manager.run(session=name, new=True, **request)
    raise AssertionError


def _keep(context: NotebookContext, result: TurnResult, out: str) -> None:
    context.shell.user_ns["_agent"] = result
    if out:
        context.shell.user_ns[out] = result


def _surface(context: NotebookContext) -> str:
    """Return how the running cell shows its turn: widgets, text or static."""
    if context.settings.view != "auto":
        surface = context.settings.view
    elif context.front_end.kernel is None:
        surface = "text"
    else:
        surface = "static" if context.front_end.headless else "widgets"
    return "static" if surface == "widgets" and _by_a_tool() else surface


def _by_a_tool() -> bool:
    """Whether a tool runs the cell, so that nobody can see its widgets or answer its questions."""
    from sessionmagic.turns.turn import current_turn

    return current_turn.get(None) is not None


def _view_for(context: NotebookContext, options: argparse.Namespace, launch: Launch, *, background: bool) -> View:
    from sessionmagic.notebook.static import StaticView
    from sessionmagic.notebook.terminal.view import TextView
    from sessionmagic.notebook.view import GuardedView

    view: View
    match _surface(context):
        case "text":
            again = context.tools.show_again if context.front_end.kernel is not None else None
            view = TextView(again, by_lines=background)
        case "static":
            view = StaticView()
        case _:
            from sessionmagic.notebook.page.draft import Draft
            from sessionmagic.notebook.page.widgets import WidgetView

            # ipykernel 6 displays the output of a background turn under whichever cell ran last
            draft = Draft(wanted=context.front_end.clicks_arrive or not background)
            known = options.session or ("" if options.new or context.active_session else context.settings.session)
            view = WidgetView(known, options.model, launch, draft)
    return GuardedView(view)


def _asks(context: NotebookContext, *, background: bool) -> Asks:
    """Return where the user answers the turn's questions: on the page if clicks are wanted and arrive in time."""
    if background:
        return "page" if _surface(context) == "widgets" else "command"
    approval = context.settings.approval
    clicks = approval == "buttons" or (approval == "auto" and context.front_end.clicks_arrive)
    return "page" if clicks and _surface(context) == "widgets" else "stdin"
