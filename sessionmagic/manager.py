"""The session manager: claims sessions, starts and queues turns on them, and deletes them. It works without IPython."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.known import Agents
from sessionmagic.conversation.names import check_name
from sessionmagic.exceptions import (
    SessionExistsError,
    SessionNotFoundError,
)
from sessionmagic.loop import in_thread, is_cancelled, loop_thread, result_of, settled_in_thread
from sessionmagic.models.catalog import Models
from sessionmagic.only_thread import running_loop
from sessionmagic.sessions.branches import Branches
from sessionmagic.sessions.claiming import STOP_SECONDS, Claiming, Patience, already_exists
from sessionmagic.sessions.recordings import Recordings
from sessionmagic.sessions.running import RunningTurns
from sessionmagic.sessions.stored import Sessions
from sessionmagic.sessions.titling import Titling
from sessionmagic.storage.tiny import TinyStore
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.tools.tool_code import refuse_tools, runs_for_a_tool
from sessionmagic.turns.admission import Admission
from sessionmagic.turns.admitted import Admitted
from sessionmagic.turns.agent_tools import AgentTools
from sessionmagic.turns.compaction_request import ONE_REQUEST, PROMPT
from sessionmagic.turns.lifecycle import abandon, stream
from sessionmagic.turns.request import Request
from sessionmagic.turns.unasked import ask_again
from sessionmagic.turns.unwritten import UnwrittenEnds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.comparing.comparison import Comparison
    from sessionmagic.comparing.comparisons import Comparisons
    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.comparing.grids import Grids
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.group import TurnGroup
    from sessionmagic.turns.turn import Turn, TurnResult

DELETE_SECONDS = 2.0
"""How long a deletion waits for a session that another process has claimed."""


class SessionManager:
    """Runs turns on stored sessions, one at a time per session.

    Args:
        store: The store of the sessions; by default the user's own.
        models: The models that references can name.
        agents: The agents: those of an agents file, or definitions by name, the default one first.
        mcp: The MCP servers whose tools every turn offers; none by default. Servers can be added to `mcp` later.
    """

    def __init__(
        self,
        store: Store | None = None,
        models: Models | None = None,
        agents: Agents | Mapping[str, AgentDefinition] | None = None,
        mcp: McpServers | None = None,
    ) -> None:
        self.store: Store = store if store is not None else TinyStore()
        self.models = models if models is not None else Models(home=getattr(self.store, "home", None))
        self.agents = agents if isinstance(agents, Agents) else Agents(definitions=agents) if agents else Agents()
        self._unwritten = UnwrittenEnds(self.store)
        self.sessions = Sessions(self.store, self.models, self.agents, self._unwritten)
        self.models.library = self.recordings = Recordings(self.sessions)
        self.branches = Branches(self.store, self.sessions)
        self.turns = RunningTurns(self.sessions, self.store)
        self.agent_tools = AgentTools(mcp or McpServers(), getattr(self.store, "home", None))
        self._admission = Admission(self.store, self.models, self.agents, self.agent_tools)
        self._claiming = Claiming(self.store, self.turns)
        self._titling = Titling(self.models, self.store, self.turns, self.recordings)
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_deleted: Callable[[str], Awaitable[None]] | None = None
        """Called with the id of each session that this manager has deleted, and awaited."""

    @property
    def mcp(self) -> McpServers:
        """The MCP servers whose tools every turn offers."""
        return self.agent_tools.common

    @mcp.setter
    def mcp(self, servers: McpServers) -> None:
        self.agent_tools.common = servers

    @cached_property
    def comparisons(self) -> Comparisons:
        """The comparisons of the stored sessions."""
        from sessionmagic.comparing.comparisons import Comparisons

        return Comparisons(self.store, self.sessions, self.branches, self.recordings)

    @cached_property
    def grids(self) -> Grids:
        """The grids of many prompts, which are kept beside the sessions."""
        from sessionmagic.comparing.grids import Grids

        return Grids(lambda: self.agents.with_names(self.models), getattr(self.store, "home", None))

    async def start(
        self, request: Request, group: TurnGroup | None = None, *, on_wait: Callable[[], object] | None = None
    ) -> Turn:
        """Start a turn and return its handle once the prompt is on disk and the model is being asked.

        Args:
            request: What is asked, and how.
            group: The group that the turn belongs to; see `group`. Without one, the turn claims the session itself.
            on_wait: Called whenever the session is found busy, and the request waits for it.

        If the calling task is cancelled while the prompt is being written, the turn is started all the same. It is
        returned, and has been asked to stop.

        Raises:
            SessionBusyError: Another turn has claimed the session.
            ModelReferenceError: The model cannot be used.
            UnknownAgentError: No agent has that name, or the session's agent is not known here.
            AgentsFileError: The agents file is not valid, or the agent needs something that we do not have.
            SessionExistsError: The request asks for a new session, but its name is taken.
            StoreError: The store cannot be read or written.
            ToolError: One of the request's tools cannot be offered, or the caller runs for a tool call, and the request
                has `yes` or `send_keys`, which only the user can say.
            UsageError: The turn that the request names in `after` cannot be continued.

        When one of them is raised, nothing has been stored.
        """
        if request.yes:
            refuse_tools("approve the calls of a turn in advance")
        if request.send_keys:
            refuse_tools("send keys")
        if group is not None:
            return await self._admit(request, group)
        patience = Patience(request.wait, on_wait)
        while True:
            own_group = await self._claiming.group(request.session, request.where, patience, new=request.new)
            try:
                return await self._admit(request, own_group)
            except SessionExistsError:  # created by another process meanwhile
                if request.new:
                    raise
            except SessionNotFoundError:  # deleted before it was claimed
                if is_cancelled():  # while the admission was failing
                    raise asyncio.CancelledError from None
            finally:
                own_group.leave()

    @asynccontextmanager
    async def group(self, session: str, *, where: str = "", wait: float = 0) -> AsyncIterator[TurnGroup]:
        """Claim a session for a group of turns, which may run at the same time. Pass the group to `start`.

        The claim is released when the block has been left and all turns of the group have ended.

        Args:
            session: Name or id. If there is no such session, the first turn creates it.
            where: The cell or script that claims the session, for the errors that others get.
            wait: Seconds to wait for a busy session.

        Raises `SessionBusyError`, `StoreError`, and `UsageError` when the name is not valid.
        """
        check_name(session)
        group = await self._claiming.group(session, where, Patience(wait))
        try:
            yield group
        finally:
            group.leave()

    async def compare(
        self,
        request: Request,
        contestants: Sequence[Contestant],
        *,
        repeat: int = 1,
        blind: bool = False,
        judge: str = "",
    ) -> Comparison:
        """Claim a session, to let several models answer the same request, each in its own branch.

        All models are checked first. Nothing is stored and asked before the comparison starts its runs. Each run is a
        turn that continues the session's head, does not move it, and leaves the session's model as it is.

        Args:
            request: What is asked, without a model.
            contestants: The models with their settings, one for each column.
            repeat: How many times each model is asked.
            blind: Give the columns letters in random order in place of labels.
            judge: The reference of the model that will judge the answers. It is checked like the others.

        Raises what `start` raises, and `UsageError` for too many contestants or repeats.
        """
        from sessionmagic.comparing.comparison import Comparison, prepared, runs_of

        runs = runs_of(request, contestants, repeat=repeat, blind=blind)
        group = await self._claiming.group(request.session, request.where, Patience(request.wait), new=request.new)
        check = partial(self._admission.prepared, group=group, judge=judge, loop=running_loop())
        runs = await prepared(runs, group, check)
        return Comparison(runs, group, self.start, self.comparisons.keep_turn)

    async def run(self, prompt: str, **options: Any) -> Turn:
        """Start a turn, as `start` does. The options are the other fields of `Request`; `session` is required."""
        return await self.start(Request(prompt=prompt, **options))

    async def _admit(self, request: Request, group: TurnGroup) -> Turn:
        """Admit the turn and start it. It holds the group's claim until it ends."""
        group.require(request.session)
        if request.new and not group.new and request.column is None:  # another column may have created it
            raise already_exists(request.session)
        if request.budget is not None:
            refuse_tools("set a budget")
        if self._unwritten:
            await in_thread(self._unwritten.write, group.session_id)
        if runs_for_a_tool() and request.safety == "autonomous":  # only the user can make a session autonomous
            request = replace(request, safety="balanced")
        hold = group.hold()  # before the turn is stored, so that nothing runs on a session that is not claimed
        try:
            admitted, cancelled = await settled_in_thread(self._admission.admit, request, hold)
        except BaseException:
            hold.release()
            raise
        if not isinstance(admitted, Admitted):
            hold.release()
            return admitted
        turn = admitted.turn
        self._titling.tell(admitted)
        self.turns.add(turn)
        on_end = partial(self.turns.remove, turn)
        add = self.recordings.add
        task = asyncio.create_task(stream(admitted, self.store, self.agent_tools, self._unwritten, on_end, record=add))
        self._tasks.add(task)  # the loop itself does not keep its tasks alive
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step runs none of `stream`, not even the end of the turn.
        task.add_done_callback(lambda _: None if turn.finished else abandon(admitted, on_end))
        task.add_done_callback(lambda _: self._titling.begin(admitted))
        if cancelled:
            turn.cancel()
        return turn

    async def compact(self, session: str, instruction: str = "", **options: Any) -> Turn:
        """Let the session's model write a summary, which is sent from the next turn on in place of older turns.

        The summary is a turn of the session, and all other turns stay stored. The newest ones are still sent word by
        word. If the turn fails or is stopped, nothing changes.

        Args:
            session: Name or id.
            instruction: What the user asks of the summary.
            options: Other fields of `Request`, such as `wait` and `timeout`.

        Raises what `start` raises, `SessionNotFoundError`, and `UsageError` when the session has no turns to compact.
        """
        session_id = await in_thread(self.sessions.id_of, session)
        prompt = instruction.strip() or PROMPT
        options = {"limits": ONE_REQUEST, "rerun": "append", **options}
        return await self.start(Request(prompt=prompt, session=session_id, kind="compaction", **options))

    def run_sync(self, prompt: str, **options: Any) -> TurnResult:
        """Run a turn to its end and return its result. The options are those of `run`.

        Raises what `run` raises, and the error of the turn when it failed. `KeyboardInterrupt` stops the turn.
        """
        given_up = threading.Event()
        running: list[Turn] = []

        async def turn() -> Turn:
            started = await self.run(prompt, **options)
            running.append(started)
            if given_up.is_set():  # the interrupt came too late to prevent the start
                started.cancel()
            return started

        try:
            started = loop_thread().run_sync(turn)
            result = result_of(started.result())
        except KeyboardInterrupt:
            given_up.set()
            for started in running:
                started.cancel()
                started.wait(STOP_SECONDS)
            raise
        if result.error is not None:
            raise result.error
        return result

    async def grid(self, prompts: Iterable[Any], models: Sequence[str] | str, **options: Any) -> GridResults:
        """Ask several models many prompts, and return the rows. What the grid has answered before is not asked again.

        The options are the other fields of `GridRequest`. Raises what `Grid.run` raises.
        """
        from sessionmagic.comparing.plan import GridRequest

        return await self.grids.run(GridRequest(prompts=prompts, models=models, **options))

    def grid_sync(self, prompts: Iterable[Any], models: Sequence[str] | str, **options: Any) -> GridResults:
        """Do what `grid` does. `KeyboardInterrupt` becomes `GridInterrupt`, whose `results` are the rows so far."""
        from sessionmagic.comparing.plan import GridRequest

        return self.grids.new(GridRequest(prompts=prompts, models=models, **options)).run_sync()

    def shutdown(self, seconds: float = STOP_SECONDS) -> None:
        """Stop all turns, wait at most `seconds` until they have ended and are stored, and end what tools run."""
        self._titling.stop()
        turns = self.turns.running()
        for session_id in {turn.session_id for turn in turns}:
            self.turns.stop_id(session_id)
        deadline = time.monotonic() + seconds
        for turn in turns:
            turn.wait(max(0.0, deadline - time.monotonic()))
        self._unwritten.write_all()
        self.agent_tools.shutdown()

    async def queue(
        self,
        request: Request,
        *,
        turn: str = "",
        key: str = "",
        start: Callable[[Request], Awaitable[Turn]] | None = None,
    ) -> Turn | None:
        """Let the session's running turn answer a prompt when it is done, or start a turn on an idle session.

        If the running turn writes a summary, this waits for its end and starts another turn.

        Args:
            request: The request. A running turn uses only its prompt and `values`.
            turn: Id of the running turn; needed when the session has several.
            key: Do nothing if something was queued for this session under the same key before.
            start: Starts the turn on an idle session; by default the manager's `start`.

        Returns the turn that will answer, or None when the key was used before. Raises what `start` raises, and
        `InboxFullError`.
        """
        return await self.turns.queue(request, start or self.start, turn=turn, key=key)

    async def delete(self, session: str) -> None:
        """Stop the session's turns, wait for their end, and delete the session.

        If a prompt that waits for the session claims it first, its turn is stopped too. A turn may delete its own
        session. Raises `SessionBusyError` when another process, or a group that is not left, does not release the
        session within `DELETE_SECONDS`.
        """
        # Shielded: when a turn deletes its own session, stopping the turn cancels this call, too.
        await asyncio.shield(asyncio.ensure_future(self._delete(session)))

    async def _delete(self, session: str) -> None:
        session_id = await in_thread(self.sessions.id_of, session)
        claim = await self._claiming.for_deletion(session_id, DELETE_SECONDS)
        self._titling.stop(session_id)
        try:
            await in_thread(self.store.delete, session_id)
            ask_again(session_id)  # an import may bring a session with this id
        finally:
            claim.release()
        await self.agent_tools.end_session(session_id)
        if self.on_deleted is not None:
            await self.on_deleted(session_id)
