"""The state that a notebook's cells and commands share: shell, settings, manager and active session."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionNotFoundError, StoreError, UsageError
from sessionmagic.home import default_home
from sessionmagic.models.configured import configured
from sessionmagic.notebook.front_end import FrontEnd
from sessionmagic.notebook.kernel.last_failure import LastFailure
from sessionmagic.notebook.kernel.main_thread import MainThread
from sessionmagic.notebook.kernel.next_cell import NextCell
from sessionmagic.notebook.started import Started
from sessionmagic.turns.account import KERNEL

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.agents.known import Agents
    from sessionmagic.conversation.session import SessionSummary
    from sessionmagic.manager import SessionManager
    from sessionmagic.models.catalog import Models
    from sessionmagic.notebook.kernel.tools import KernelTools
    from sessionmagic.notebook.settings import Settings
    from sessionmagic.tools.mcp.servers import McpServers


REFERENCE = re.compile(r"-([1-9][0-9]{0,8})(@.*|)")
"""How a session is named by its place in the list: ``-1``, or with a turn ``-1@3``."""


class NotebookContext:
    """The shared state of one shell's cells, commands, completion and views.

    The manager, the tools and the servers are created when first used, because importing them is slow.

    Args:
        shell: The shell that the magics are registered with.
        settings: The user's defaults. Changing one takes effect immediately.
    """

    def __init__(self, shell: InteractiveShell, settings: Settings) -> None:
        self.shell = shell
        self.settings = settings
        self.front_end = FrontEnd(shell, settings)
        kernel = self.front_end.kernel
        self.main_thread = MainThread(
            # A kernel that loads the extension from its configuration has no loop yet.
            None if kernel is None else lambda call: kernel.io_loop.add_callback(call)  # noqa: PLW0108
        )
        self.next_cell = NextCell(shell, self.front_end)
        self.last_failure = LastFailure(shell, self.front_end)
        self.active_session: str | None = None
        """Id of the session that cells without ``--session`` continue, if there is one."""
        self.latest_session: str | None = None
        """Id of the session that the latest turn was started on, if there was one."""
        self.started = Started()
        """The sessions on which cells of this kernel have started turns."""
        self._manager: SessionManager | None = None
        self._making = Lock()
        self._replay = ""
        self._choose_recording()
        self._set_budget()
        settings.observe(self._set_budget, "budget")
        settings.observe(self._choose_recording, "replay")
        settings.observe(self._configure_models, ["model", "endpoints", "prices", "context_limits", "replay_mode"])
        settings.observe(self._store_changed, "store")
        settings.observe(self._session_changed, "session")

    @property
    def manager(self) -> SessionManager:
        """The manager that runs this kernel's turns."""
        with self._making:  # a second manager would not know about the first one's turns
            if self._manager is None:
                self._manager = self._made_manager()
        self._look_around()
        return self._manager

    @property
    def models(self) -> Models:
        """The models that references can name here, those of the agents file in use first."""
        manager = self.manager
        return manager.agents.with_names(manager.models)

    def _made_manager(self) -> SessionManager:
        from sessionmagic.manager import SessionManager
        from sessionmagic.models.catalog import Models
        from sessionmagic.storage.tiny import TinyStore

        store = TinyStore(self.home())
        manager = SessionManager(store, Models(home=store.home), self.agents, self.servers)
        manager.on_deleted = self.tools.end_session
        return manager

    def home(self) -> Path:
        """Return the directory of the store. Raises `StoreError` when the setting is not a path."""
        try:
            return Path(self.settings.store).expanduser() if self.settings.store else default_home()
        except (RuntimeError, ValueError) as error:  # no such user after ~, or not a path at all
            raise StoreError(f"cannot store sessions in {self.settings.store!r}: {error}") from error

    @cached_property
    def agents(self) -> Agents:
        """The agents of this kernel. They stay when the store changes."""
        from sessionmagic.agents.known import Agents

        return Agents()

    def _look_around(self) -> None:
        """Tell the agents what the settings are now, and where the notebook is."""
        from sessionmagic.agents.surroundings import Surroundings

        self.agents.surroundings = Surroundings(self.front_end.directory, self.settings.agents_md)
        self.agents.settings, self.agents.system = self.settings.model_settings, self.settings.system

    @cached_property
    def servers(self) -> McpServers:
        """The MCP servers added in this kernel. They stay when the store changes."""
        from sessionmagic.tools.mcp.servers import McpServers

        return McpServers(show=self.tools.show_picture)

    @cached_property
    def tools(self) -> KernelTools:
        """The tools that run in this kernel."""
        from sessionmagic.notebook.kernel.tools import KernelTools

        return KernelTools(self.shell, self.main_thread, self.next_cell, self.home)

    def chosen(self, name: str = "") -> str | None:
        """Return the named session, else the active one, else the configured one, else None."""
        return name or self.active_session or self.settings.session or None

    def chosen_or_latest(self, name: str = "") -> str | None:
        """Return what `chosen` does, else the session of the latest turn. Deleted sessions are forgotten."""
        self.forget_deleted()
        return self.chosen(name) or self.latest_session

    def forget_deleted(self) -> None:
        """Forget the active and the latest session if they were deleted, in this kernel or another one."""
        if self.active_session is not None and self.manager.store.find(self.active_session) is None:
            self.active_session = None
        if self.latest_session is not None and self.manager.store.find(self.latest_session) is None:
            self.latest_session = None

    def named(self, name: str, *, turn: bool = True) -> str:
        """Return the id of the session that ``-1``, ``-2`` and so on mean; return any other name unchanged.

        They count the sessions as ``%agent sessions`` lists them, from the latest one. ``@TURN`` may follow, and the
        session's name then stands before it. Raises `SessionNotFoundError` when there are fewer sessions.

        Args:
            name: What the user has typed.
            turn: Whether a turn may be named; if not, one raises `UsageError`.
        """
        reference = REFERENCE.fullmatch(name)
        if reference is None or self.manager.store.find(name) is not None:
            return name
        if reference[2] and not turn:
            raise UsageError(
                f"{name} names a turn, where only a session can be named; %agent use {name} goes there first"
            )
        shown = [summary for summary in self.manager.sessions.summaries()[0] if self.shows(summary)]
        if (number := int(reference[1])) > len(shown):
            raise SessionNotFoundError(f"there is no session -{number}; %agent sessions lists {len(shown):,}")
        session = shown[number - 1]
        return f"{session.name}{reference[2]}" if reference[2] else session.id

    def shows(self, summary: SessionSummary) -> bool:
        """Return whether lists show a session that was not asked for."""
        return not self.shows_here_only or self.is_here(summary)

    @property
    def shows_here_only(self) -> bool:
        """Whether lists that were not asked for all show only the sessions of this notebook."""
        return self.settings.sessions_shown == "here" or self.settings.presentation

    def is_here(self, summary: SessionSummary) -> bool:
        """Return whether cells of this notebook have started turns of a session."""
        return self.front_end.notebook_path in summary.notebooks or summary.id in self.started

    def close(self) -> None:
        """Stop every turn, and end the processes that turns have started. Called when the kernel exits."""
        if "tools" in vars(self):
            self.tools.close()  # first, because it is quick and a front end may soon kill the kernel
        self._stop_turns()
        if "servers" in vars(self):  # a command may have started them without a turn
            self.servers.shutdown()

    def _stop_turns(self) -> None:
        """Stop every turn and wait until its answer so far is on disk."""
        if self._manager is not None:
            self._manager.shutdown()

    def _choose_recording(self, _change: object = None) -> None:
        """Take the recording that answers, a file with its whole path, as cells may change the working directory."""
        self._replay = self.settings.replay
        if self._replay:
            from sessionmagic.sessions.recordings import whole_path

            self._replay = whole_path(self._replay)
        self._configure_models()

    def _configure_models(self, _change: object = None) -> None:
        """Make the settings those of the process, which managers that the user makes here follow too."""
        settings = self.settings
        configured.change(
            settings.model,
            settings.endpoints,
            settings.prices,
            settings.context_limits,
            replay=self._replay,
            fills=settings.replay_mode == "fill",
        )

    def _set_budget(self, _change: object = None) -> None:
        KERNEL.budget = self.settings.budget

    def _store_changed(self, _change: object) -> None:
        from sessionmagic.turns.unasked import ask_everywhere_again

        self._stop_turns()
        ask_everywhere_again()  # the new store may have sessions with the same ids
        self._manager = None
        self.active_session = self.latest_session = None
        self.started = Started()

    def _session_changed(self, _change: object) -> None:
        self.active_session = None
