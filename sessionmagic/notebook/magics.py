"""``%%agent`` sends a cell to a session; ``%agent SUBCOMMAND`` looks after sessions and models."""

from __future__ import annotations

import itertools
import math
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Dict, Enum, Float, Int, Unicode, observe

from sessionmagic.agents.tools import registered, tool_of
from sessionmagic.exceptions import (
    SessionExistsError,
    SessionIdleError,
    StoreError,
    ToolError,
    UsageError,
    did_you_mean,
)
from sessionmagic.loop import in_thread, loop_thread
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.notebook.front_end import FrontEnd
from sessionmagic.notebook.main_thread import MainThread

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.agents.mcp import McpServers
    from sessionmagic.agents.tools import Tool
    from sessionmagic.manager import SessionManager
    from sessionmagic.notebook.kernel_tools import KernelTools
    from sessionmagic.notebook.launch import Asks, Launch, WaitsFor
    from sessionmagic.notebook.view import View
    from sessionmagic.turn import Turn, TurnResult

END_SECONDS = 5.0
"""How long a turn that says it has ended may take to let go of its session."""
MANUAL = """Send the cell to an agent session: the answer streams under the cell, and the session remembers it.

    %%agent --model local --session churn
    Name three features that often leak the label in a churn model.

Write $`expression` in the prompt for a value of yours; every other character is sent as it is.
A model stays with its session until another is given; --model default takes it back, --once asks it one time.
_agent holds the last result: str(_agent) is the answer, and it has .usage .cost .model .turn .session .messages.

%agent alone lists the subcommands for sessions, models and tools; %config AgentMagics shows and sets the defaults.
"""


def cell_parser() -> LineParser:
    """Return the parser of a ``%%agent`` line."""
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
    add("-t", "--tools", default="", metavar="NAMES", help="functions of yours that the model may call, with commas")
    add("--yes", action="store_true", help="approve every tool call of this turn, deny rules excepted")
    add(
        "--attach", action="append", default=[], metavar="EXPR",
        help="a file (image, PDF, text) or a value (figure, image, DataFrame); may be repeated",
    )  # fmt: skip
    add("--timeout", type=float, metavar="SECONDS", help="fail the turn after SECONDS; waiting for you does not count")
    return parser


@magics_class
class AgentMagics(Magics):
    """The magics and their defaults: ``%config AgentMagics`` lists them, ``%config AgentMagics.model = …`` sets one."""

    shell: InteractiveShell

    model = Unicode("local", help="Model that answers when a session has none of its own.").tag(config=True)
    session = Unicode("", help="Session of cells without --session; empty: the kernel's own.").tag(config=True)
    store = Unicode("", help="Directory of the sessions; empty: SESSIONMAGIC_HOME or the user's data.").tag(config=True)
    endpoints = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="OpenAI-compatible servers: name to base URL. NAME:model asks one, with the key in NAME_API_KEY.",
    ).tag(config=True)
    timeout = Float(0, min=0, help="Seconds after which a turn fails; 0: never.").tag(config=True)
    safety = Enum(
        ["strict", "balanced", "restricted", "autonomous"],
        "balanced",
        help="What a new session does with tool calls: strict asks for all, balanced for those that may change "
        "something, restricted denies those, autonomous runs all.",
    ).tag(config=True)
    approval = Enum(
        ["auto", "buttons", "stdin"],
        "auto",
        help="How tool calls are asked for. auto: buttons where they can be clicked while the cell runs.",
    ).tag(config=True)
    kernel_tools = Bool(True, help="Offer the tools that look at this notebook and run code in it.").tag(config=True)
    request_limit = Int(50, min=1, help="Model requests that one turn may make.").tag(config=True)
    tool_call_limit = Int(50, min=1, help="Tool calls that one turn may make.").tag(config=True)
    refresh_hz = Float(10, min=0.5, max=30, help="How often a growing answer is shown, per second.").tag(config=True)
    view = Enum(
        ["auto", "widgets", "text", "static"],
        "auto",
        help="How a turn is shown. auto: widgets in a notebook, static when nobody watches, text in a terminal.",
    ).tag(config=True)

    def __init__(self, shell: Any) -> None:
        self.active: str | None = None
        self.latest: str | None = None
        """Ids of the session that cells go on with, and of the one that was used last."""
        self._manager: SessionManager | None = None
        self.cell_parser = cell_parser()
        self.front_end = FrontEnd(shell)
        kernel = self.front_end.kernel
        self.main_thread = MainThread(kernel.io_loop.add_callback if kernel is not None else None)
        super().__init__(shell)  # sets what a config file says, on which the observers below are called

    @property
    def manager(self) -> SessionManager:
        """The manager that runs this kernel's turns, made at first use."""
        if self._manager is None:
            from sessionmagic.manager import SessionManager
            from sessionmagic.models.catalog import Models
            from sessionmagic.storage.store import TinyStore

            try:
                store = TinyStore(Path(self.store).expanduser() if self.store else None)
            except (RuntimeError, ValueError) as error:  # a home of nobody's, a null character
                raise StoreError(f"{self.store!r} is no directory for sessions: {error}") from error
            self._manager = SessionManager(store, Models(self.model, self.endpoints, store.home), mcp=self.servers)
            self._manager.on_deleted = self.tools.end_session
        return self._manager

    @cached_property
    def servers(self) -> McpServers:
        """The MCP servers that were added in this kernel, whatever store its sessions are in."""
        from sessionmagic.agents.mcp import McpServers

        return McpServers()

    @cached_property
    def tools(self) -> KernelTools:
        """What a model may do in this kernel."""
        from sessionmagic.notebook.kernel_tools import KernelTools

        return KernelTools(self.shell, self.main_thread, self.front_end)

    @observe("model", "endpoints")
    def _models_changed(self, _change: object) -> None:
        if self._manager is not None:
            self._manager.models.default = self.model
            self._manager.models.endpoints = dict(self.endpoints)

    @observe("store")
    def _store_changed(self, _change: object) -> None:
        self.stop_turns()
        self._manager = None
        self.active = self.latest = None

    def stop_turns(self) -> None:
        """Stop every turn and wait until what it said is on disk."""
        if self._manager is not None:
            self._manager.shutdown()

    def close(self) -> None:
        """Stop every turn and end every process that was started for one. Called when the kernel ends."""
        if "tools" in vars(self):
            self.tools.close()  # first, as it takes no time, and a front end may not give us much
        self.stop_turns()

    @no_var_expand
    @line_cell_magic
    def agent(self, line: str, cell: str | None = None) -> Any:  # noqa: D102  its docstring is the manual, below
        if cell is None:
            from sessionmagic.notebook.commands import run_command

            return run_command(self, line)
        if self.cell_parser.wants_help(line):
            print(self.cell_parser.format_help())
            return None
        self._run_cell(self.cell_parser.parse_line(line), cell.removesuffix("\n"))
        return None

    def _run_cell(self, options: argparse.Namespace, cell: str) -> None:
        from sessionmagic.agents.permissions import Limits
        from sessionmagic.notebook.attention import attention
        from sessionmagic.notebook.launch import Launch
        from sessionmagic.notebook.prompts import attach, interpolate

        if options.out and (not options.out.isidentifier() or iskeyword(options.out)):
            raise UsageError(f"--out {options.out!r} is no variable name")
        background = options.background and not self.front_end.headless
        if not self._by_a_tool:
            self.tools.forget_proposals()
        request = {
            "prompt": interpolate(cell, self.shell.user_ns),
            "attachments": [attach(expression, self.shell.user_ns) for expression in options.attach],
            "model": options.model,
            "once": options.once,
            "agent": options.agent,
            "wait": options.wait,
            "timeout": options.timeout if options.timeout is not None else self.timeout or None,
            "tools": self.offered(options.tools, background=background),
            "attended": not self.front_end.headless and not self._by_a_tool,
            "yes": options.yes,
            "safety": self.safety,
            "limits": Limits(requests=self.request_limit, tool_calls=self.tool_call_limit),
            "where": self.front_end.cell,
            "cell_id": self.front_end.cell_id,
        }
        done = partial(self._keep, out=options.out)
        asks = self._asks(background=background)
        launch = Launch(self.manager, self.refresh_hz, done, self.main_thread, asks=asks)
        with launch.interruptible(), nullcontext() if background else self.main_thread.served():
            view = self._view_for(options, launch, background=background)
            launch.open(view)
            waits_for: WaitsFor = "end" if not background else "nothing" if options.wait else "start"
            launch.begin(self._start(options, request), view, waits_for)
            if waits_for == "start":
                launch.wait_until_admitted()
            if background:
                return
            with attention(self.front_end.kernel):
                result = launch.wait_until_over()
        if result is not None and result.error is not None:
            raise result.error

    def queue(self, session: str, text: str, key: str) -> None:
        """Ask the session when its running turn is done, or at once, in the background, when none runs."""
        from sessionmagic.notebook.prompts import interpolate

        session = self.manager.sessions.load(session).id
        with self.manager.keys.once(session, key) as new:
            if not new:
                print(f"{key} was used before; nothing was queued")
                return
            ending = self.manager.running_turn(session)
            try:
                said = interpolate(text, self.shell.user_ns)
                loop_thread().submit(self.manager.say(session, "queue", said)).result()
            except SessionIdleError:
                if ending is not None:
                    ending.wait(END_SECONDS)
                self._run_cell(self.cell_parser.parse_args(["--background", "--session", session]), text)
            else:
                print("it waits for its turn")

    async def _start(self, options: argparse.Namespace, request: dict[str, Any]) -> Turn:
        """Run the request on the session that the options mean, which is active from then on when it is new."""
        named = self._named(options)
        if named == self.active and named is not None and await in_thread(self.manager.store.find, named) is None:
            named = None  # deleted since
        if named:
            turn = await self.manager.run(session=named, new=options.new, **request)
        else:
            turn = await self._start_fresh(request)
        self.latest = turn.session_id
        if options.new or not named:
            self.active = turn.session_id
        return turn

    def _named(self, options: argparse.Namespace) -> str | None:
        """The session that the options mean, by name or id; None for a fresh one."""
        return options.session or (None if options.new else self.session or self.active)

    async def _start_fresh(self, request: dict[str, Any]) -> Turn:
        """Run the request on a new session, named after the notebook, with a number when that name is taken."""
        base = self.front_end.notebook or "session"
        for number in itertools.count(1):
            name = base if number == 1 else f"{base}-{number}"
            with suppress(SessionExistsError):
                return await self.manager.run(session=name, new=True, **request)
        raise AssertionError

    def _keep(self, result: TurnResult, out: str) -> None:
        self.shell.user_ns["_agent"] = result
        if out:
            self.shell.user_ns[out] = result

    def _surface(self) -> str:
        """Where turns of the running cell are shown: widgets, text or static."""
        if self.view != "auto":
            surface = self.view
        elif self.front_end.kernel is None:
            surface = "text"
        else:
            surface = "static" if self.front_end.headless else "widgets"
        return "static" if surface == "widgets" and self._by_a_tool else surface

    @property
    def _by_a_tool(self) -> bool:
        """Whether a tool runs the cell: then nobody sees its widgets, or answers."""
        from sessionmagic.turn import current_turn

        return current_turn.get(None) is not None

    def _view_for(self, options: argparse.Namespace, launch: Launch, *, background: bool) -> View:
        from sessionmagic.notebook.view import GuardedView, StaticView, TextView

        view: View
        match self._surface():
            case "text":
                again = self.tools.show_again if self.front_end.kernel is not None else None
                view = TextView(again, by_lines=background)
            case "static":
                view = StaticView()
            case _:
                from sessionmagic.notebook.draft import Draft
                from sessionmagic.notebook.widgets import WidgetView

                # what ipykernel 6 displays for a background turn is under whatever cell ran last
                draft = Draft(wanted=self.front_end.clicks_arrive or not background)
                view = WidgetView(options.session or self.session, options.model, launch, draft)
        return GuardedView(view)

    def offered(self, names: str, *, background: bool = False) -> list[Tool]:
        """Return what a turn offers: the kernel's tools, marked functions, and those of these names.

        In the background some of them cannot run.

        Raises `ToolError` for a name that means no function.
        """
        functions = []
        for name in filter(None, (name.strip() for name in names.split(","))):
            if name not in self.shell.user_ns:
                raise ToolError(f"--tools: there is no function {name!r}.{did_you_mean(name, self.shell.user_ns)}")
            function = self.shell.user_ns[name]
            marked = registered.get(name)
            functions.append(marked if marked and marked.function is function else tool_of(function, name=name))
        own = self.tools.own(background=background) if self.kernel_tools else []
        users = [*registered.values(), *functions]
        return [*own, *(self.tools.of_user(tool, background=background) for tool in users)]

    def _asks(self, *, background: bool) -> Asks:
        """How a turn's questions are answered: with clicks, unless they should not or cannot be."""
        if background:
            return "page" if self._surface() == "widgets" else "command"
        clicks = self.approval == "buttons" or (self.approval == "auto" and self.front_end.clicks_arrive)
        return "page" if clicks and self._surface() == "widgets" else "stdin"


AgentMagics.agent.__doc__ = cell_parser().format_help()
