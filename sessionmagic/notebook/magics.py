"""``%%agent`` sends a cell to a session; ``%agent SUBCOMMAND`` looks after sessions and models."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Dict, Enum, Float, Int, Unicode, observe

from sessionmagic.exceptions import StoreError
from sessionmagic.notebook.cell import run_cell
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.front_end import FrontEnd
from sessionmagic.notebook.kernel.main_thread import MainThread

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.manager import SessionManager
    from sessionmagic.notebook.kernel.tools import KernelTools
    from sessionmagic.tools.mcp.servers import McpServers


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
        self._making = Lock()
        self.front_end = FrontEnd(shell)
        kernel = self.front_end.kernel
        self.main_thread = MainThread(kernel.io_loop.add_callback if kernel is not None else None)
        super().__init__(shell)  # sets what a config file says, on which the observers below are called

    @property
    def manager(self) -> SessionManager:
        """The manager that runs this kernel's turns, made at first use."""
        with self._making:  # two managers would not know of each other's turns
            if self._manager is None:
                self._manager = self._made_manager()
            return self._manager

    def _made_manager(self) -> SessionManager:
        from sessionmagic.manager import SessionManager
        from sessionmagic.models.catalog import Models
        from sessionmagic.storage.store import TinyStore

        try:
            store = TinyStore(Path(self.store).expanduser() if self.store else None)
        except (RuntimeError, ValueError) as error:  # a home of nobody's, a null character
            raise StoreError(f"{self.store!r} is no directory for sessions: {error}") from error
        manager = SessionManager(store, Models(self.model, self.endpoints, store.home), mcp=self.servers)
        manager.on_deleted = self.tools.end_session
        return manager

    @cached_property
    def servers(self) -> McpServers:
        """The MCP servers that were added in this kernel, whatever store its sessions are in."""
        from sessionmagic.tools.mcp.servers import McpServers

        return McpServers(show=self.tools.show_picture)

    @cached_property
    def tools(self) -> KernelTools:
        """What a model may do in this kernel."""
        from sessionmagic.notebook.kernel.tools import KernelTools

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

    @observe("session")
    def _session_changed(self, _change: object) -> None:
        self.active = None

    def chosen(self, name: str = "") -> str | None:
        """Return the session that is meant: of that name, else the active one, else the configured one."""
        return name or self.active or self.session or None

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
        if CELL_LINE.wants_help(line):
            print(CELL_LINE.format_help())
            return None
        run_cell(self, CELL_LINE.parse_line(line), cell.removesuffix("\n"))
        return None


AgentMagics.agent.__doc__ = CELL_LINE.format_help()
