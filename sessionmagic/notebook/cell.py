"""One ``%%agent`` cell: what its options mean, what its turn is asked, and where it is shown."""

from __future__ import annotations

import itertools
from contextlib import nullcontext, suppress
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionExistsError, SessionIdleError, ToolError, UsageError
from sessionmagic.loop import in_thread, loop_thread
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.tools import functions
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from sessionmagic.notebook.launch import Asks, Launch, WaitsFor
    from sessionmagic.notebook.magics import AgentMagics
    from sessionmagic.notebook.page.view import View
    from sessionmagic.tools.functions import Tool
    from sessionmagic.turns.turn import Turn, TurnResult

END_SECONDS = 5.0
"""How long a turn that says it has ended may take to let go of its session."""


def run_cell(magics: AgentMagics, options: argparse.Namespace, text: str) -> None:
    """Ask the session that the options mean for an answer to the text, and show it under the running cell."""
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.notebook.page.attention import attention

    if options.out and (not options.out.isidentifier() or iskeyword(options.out)):
        raise UsageError(f"--out {options.out!r} is no variable name")
    background = options.background and not magics.front_end.headless
    request = _request(magics, options, text, background=background)
    done = partial(_keep, magics, out=options.out)
    asks = _asks(magics, background=background)
    launch = Launch(magics.manager, magics.refresh_hz, done, magics.main_thread, asks=asks)
    with launch.interruptible(), nullcontext() if background else magics.main_thread.served():
        view = _view_for(magics, options, launch, background=background)
        launch.open(view)
        waits_for: WaitsFor = "end" if not background else "nothing" if options.wait else "start"
        launch.begin(_start(magics, options, request), view, waits_for)
        if waits_for == "start":
            launch.wait_until_admitted()
        if background:
            return
        with attention(magics.front_end.kernel):
            result = launch.wait_until_over()
    if result is not None and result.error is not None:
        raise result.error


def _request(magics: AgentMagics, options: argparse.Namespace, text: str, *, background: bool) -> dict[str, Any]:
    """What the manager is asked to run, but for the session."""
    from sessionmagic.notebook.prompts import attach, interpolate
    from sessionmagic.tools.permissions import Limits

    return {
        "prompt": interpolate(text, magics.shell.user_ns),
        "attachments": [attach(expression, magics.shell.user_ns) for expression in options.attach],
        "model": options.model,
        "once": options.once,
        "agent": options.agent,
        "wait": options.wait,
        "timeout": (options.timeout if options.timeout is not None else magics.timeout) or None,
        "tools": offered(magics, options.tools, background=background),
        "attended": not magics.front_end.headless and not _by_a_tool(),
        "yes": options.yes,
        "safety": magics.safety,
        "limits": Limits(requests=magics.request_limit, tool_calls=magics.tool_call_limit),
        "where": magics.front_end.cell,
        "cell_id": magics.front_end.cell_id,
    }


def queue(magics: AgentMagics, session: str, text: str, key: str) -> None:
    """Ask the session when its running turn is done, or at once, in the background, when none runs."""
    from sessionmagic.notebook.prompts import interpolate

    session = magics.manager.sessions.load(session).id
    with magics.manager.turns.queue_keys.once(session, key) as new:
        if not new:
            print(f"{key} was used before; nothing was queued")
            return
        ending = magics.manager.turns.of(session)
        try:
            said = interpolate(text, magics.shell.user_ns)
            loop_thread().submit(magics.manager.turns.say(session, "queue", said, key=key)).result()
        except SessionIdleError:
            if ending is not None:
                ending.wait(END_SECONDS)
            run_cell(magics, CELL_LINE.parse_args(["--background", "--session", session]), text)
        else:
            print("it is asked when the running turn is done")


async def _start(magics: AgentMagics, options: argparse.Namespace, request: dict[str, Any]) -> Turn:
    """Run the request on the session that the options mean, which is active from then on when it is new."""
    if magics.active is not None and await in_thread(magics.manager.store.find, magics.active) is None:
        magics.active = None  # deleted since
    named = options.session or (None if options.new else magics.chosen())
    if named:
        turn = await magics.manager.run(session=named, new=options.new, **request)
    else:
        turn = await _start_fresh(magics, request)
    magics.latest = turn.session_id
    if options.new or not named:
        magics.active = turn.session_id
    return turn


async def _start_fresh(magics: AgentMagics, request: dict[str, Any]) -> Turn:
    """Run the request on a new session, named after the notebook, with a number when that name is taken."""
    base = magics.front_end.notebook or "session"
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}-{number}"
        with suppress(SessionExistsError):
            return await magics.manager.run(session=name, new=True, **request)
    raise AssertionError


def _keep(magics: AgentMagics, result: TurnResult, out: str) -> None:
    magics.shell.user_ns["_agent"] = result
    if out:
        magics.shell.user_ns[out] = result


def _surface(magics: AgentMagics) -> str:
    """Where turns of the running cell are shown: widgets, text or static."""
    if magics.view != "auto":
        surface = magics.view
    elif magics.front_end.kernel is None:
        surface = "text"
    else:
        surface = "static" if magics.front_end.headless else "widgets"
    return "static" if surface == "widgets" and _by_a_tool() else surface


def _by_a_tool() -> bool:
    """Whether a tool runs the cell: then nobody sees its widgets, or answers."""
    from sessionmagic.turns.turn import current_turn

    return current_turn.get(None) is not None


def _view_for(magics: AgentMagics, options: argparse.Namespace, launch: Launch, *, background: bool) -> View:
    from sessionmagic.notebook.page.view import GuardedView, StaticView, TextView

    view: View
    match _surface(magics):
        case "text":
            again = magics.tools.show_again if magics.front_end.kernel is not None else None
            view = TextView(again, by_lines=background)
        case "static":
            view = StaticView()
        case _:
            from sessionmagic.notebook.page.draft import Draft
            from sessionmagic.notebook.page.widgets import WidgetView

            # what ipykernel 6 displays for a background turn is under whatever cell ran last
            draft = Draft(wanted=magics.front_end.clicks_arrive or not background)
            known = options.session or ("" if options.new or magics.active else magics.session)
            view = WidgetView(known, options.model, launch, draft)
    return GuardedView(view)


def offered(magics: AgentMagics, names: Iterable[str], *, background: bool = False) -> list[Tool]:
    """Return what a turn offers: the kernel's tools, marked functions, and those of these names.

    In the background some of them cannot run.

    Raises `ToolError` for a name that means no function.
    """
    named = []
    for name in filter(None, (name.strip() for name in ",".join(names).split(","))):
        if name not in magics.shell.user_ns:
            raise ToolError(f"--tools: there is no function {name!r}.{did_you_mean(name, magics.shell.user_ns)}")
        named.append(functions.tool_for(magics.shell.user_ns[name], name=name))
    own = magics.tools.own(background=background) if magics.kernel_tools else []
    users = (magics.tools.of_user(tool, background=background) for tool in functions.offered(named))
    return list({tool.name: tool for tool in [*own, *users]}.values())


def _asks(magics: AgentMagics, *, background: bool) -> Asks:
    """How a turn's questions are answered: with clicks, unless they should not or cannot be."""
    if background:
        return "page" if _surface(magics) == "widgets" else "command"
    clicks = magics.approval == "buttons" or (magics.approval == "auto" and magics.front_end.clicks_arrive)
    return "page" if clicks and _surface(magics) == "widgets" else "stdin"
