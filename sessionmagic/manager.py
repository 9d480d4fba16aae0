"""The manager of sessions: runs their turns, one at a time each. Knows nothing of IPython."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.definition import BUILT_IN, AgentDefinition, find_agent
from sessionmagic.conversation.names import check_name
from sessionmagic.exceptions import (
    SessionBusyError,
    SessionExistsError,
    SessionIdleError,
    SessionNotFoundError,
)
from sessionmagic.loop import in_thread, loop_thread, settled_in_thread
from sessionmagic.models.catalog import Models
from sessionmagic.sessions.running import RunningTurns
from sessionmagic.sessions.stored import Sessions
from sessionmagic.storage.claims import HeldError, Holder, busy
from sessionmagic.storage.store import Claim, Store, TinyStore, new_session_id
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.turns.admission import admit
from sessionmagic.turns.group import TurnGroup
from sessionmagic.turns.lifecycle import abandon, stream
from sessionmagic.turns.request import Request
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sessionmagic.turns.turn import Turn, TurnResult

POLL_SECONDS = 0.05
STOP_SECONDS = 5.0
DELETE_SECONDS = 2.0


class SessionManager:
    """Runs turns on stored sessions, one at a time per session.

    Args:
        store: where sessions live; the user's own store when left out.
        models: which models references can name.
        agents: which agents answer, the default one first.
        mcp: the MCP servers whose tools every turn offers; none when left out, until some are added to `mcp`.
    """

    def __init__(
        self,
        store: Store | None = None,
        models: Models | None = None,
        agents: Mapping[str, AgentDefinition] | None = None,
        mcp: McpServers | None = None,
    ) -> None:
        self.store: Store = store if store is not None else TinyStore()
        self.models = models if models is not None else Models(home=getattr(self.store, "home", None))
        self.agents = dict(agents or BUILT_IN)
        self.mcp = mcp if mcp is not None else McpServers()
        self.sessions = Sessions(self.store, self.models, self.agents)
        self.turns = RunningTurns(self.sessions, self.store)
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_deleted: Callable[[str], Awaitable[None]] | None = None
        """Awaited with the id of each session that was deleted here."""

    async def start(self, request: Request, group: TurnGroup | None = None) -> Turn:
        """Start a turn and return its handle once the prompt is on disk and the model is being asked.

        Args:
            request: What is asked, and how.
            group: The group that the turn belongs to; see `group`. Left out, the turn has a claim of its own.

        When the calling task is cancelled while the prompt is being written, the turn exists: it is returned, stopped.

        Raises:
            SessionBusyError: Another turn holds the session.
            ModelReferenceError: The model cannot be used.
            UnknownAgentError: No agent has that name.
            SessionExistsError: The request is for a new session, and the name is taken.
            StoreError: The store cannot be read or written.
            ToolError: Something in `tools` cannot be a tool.
            UsageError: The turn cannot come after the one that the request names.

        Whatever is raised, nothing was stored.
        """
        agent = find_agent(self.agents, request.agent)
        if group is not None:
            return await self._admit(request, agent, group)
        deadline = time.monotonic() + request.wait
        while True:
            own = await self._group(request.session, request.where, deadline, new=request.new)
            try:
                return await self._admit(request, agent, own)
            except SessionExistsError:
                if request.new:
                    raise
            except SessionNotFoundError:
                pass  # deleted while we waited for it
            finally:
                own.leave()

    @asynccontextmanager
    async def group(self, session: str, *, where: str = "", wait: float = 0) -> AsyncIterator[TurnGroup]:
        """Claim a session for several turns: pass the group to `start`. They may run at the same time.

        The claim is released when the block has been left and all turns have ended.

        Args:
            session: Name or id of the session; a name that no session has is created by the first turn.
            where: The cell or script, for the error of whoever finds the session busy.
            wait: Seconds to wait for a busy session.

        Raises `SessionBusyError`, `StoreError`, and `UsageError` for a name that is not valid.
        """
        check_name(session)
        group = await self._group(session, where, time.monotonic() + wait)
        try:
            yield group
        finally:
            group.leave()

    async def _group(self, session: str, where: str, deadline: float, *, new: bool = False) -> TurnGroup:
        found = await in_thread(self.store.find, session)
        if found is not None and new:
            raise SessionExistsError(f"a session named {session!r} already exists; drop --new to continue it")
        claim = await self._claim(found or new_session_id(), where, deadline)
        return TurnGroup(session, claim, new=found is None)

    async def run(self, prompt: str, **options: Any) -> Turn:
        """Start a turn, as `start` does. The options are the other fields of `Request`; `session` is required."""
        return await self.start(Request(prompt=prompt, **options))

    async def _admit(self, request: Request, agent: AgentDefinition, group: TurnGroup) -> Turn:
        """Admit the turn and start it. From then on the turn holds the group's claim, too."""
        group.require(request.session)
        admitting = functools.partial(admit, request, store=self.store, models=self.models, agent=agent, group=group)
        async with group.admitting:
            admitted, cancelled = await settled_in_thread(admitting)
        group.join()
        turn = admitted.turn
        self.turns.add(turn)
        ended = functools.partial(self.turns.remove, turn)
        task = asyncio.create_task(stream(admitted, self.store, self.mcp, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: None if turn.finished else abandon(admitted, ended))
        if cancelled:
            turn.cancel()
        return turn

    def run_sync(self, prompt: str, **options: Any) -> TurnResult:
        """Do what `run` does, wait for the turn's end, and return its result.

        Takes the options of `run` and raises what it raises, and the turn's own error when it failed.
        `KeyboardInterrupt` stops the turn.
        """

        async def turn() -> Turn:
            return await self.run(prompt, **options)

        starting = loop_thread().submit(turn())
        try:
            started = starting.result()
        except KeyboardInterrupt:
            starting.cancel()
            raise
        try:
            result = loop_thread().submit(started.result()).result()
        except KeyboardInterrupt:
            started.cancel()
            started.wait(STOP_SECONDS)
            raise
        if result.error is not None:
            raise result.error
        return result

    async def _claim(self, session_id: str, where: str, deadline: float, *, ends_turns: bool = False) -> Claim:
        while True:
            if ends_turns:
                for turn in (turns := self.turns.of_id(session_id)):
                    turn.cancel()
                for turn in turns:
                    await turn.ended(STOP_SECONDS)
            taking = asyncio.ensure_future(asyncio.to_thread(self.store.claim, session_id, Holder.here(where)))
            try:
                return await asyncio.shield(taking)
            except asyncio.CancelledError:
                taking.add_done_callback(_give_back)
                raise
            except HeldError as held:
                if time.monotonic() >= deadline or _by_a_tool_of(session_id):
                    raise await self._busy(session_id, held.holder) from None
            await asyncio.sleep(POLL_SECONDS)

    async def _busy(self, session_id: str, holder: Holder | None) -> SessionBusyError:
        error = busy((await in_thread(self.store.load, session_id)).name, holder)
        if any(turn.transcript.waits_for_an_answer for turn in self.turns.of_id(session_id)):
            return SessionBusyError(f"{error}; it waits for your answer: %agent approve")
        return error

    def shutdown(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every turn and wait, at most that long, until what they said is on disk; then end the MCP servers."""
        turns = self.turns.running()
        for turn in turns:
            turn.cancel()
        deadline = time.monotonic() + seconds
        for turn in turns:
            turn.wait(max(0.0, deadline - time.monotonic()))
        self.mcp.shutdown()

    async def queue(
        self, request: Request, *, key: str = "", start: Callable[[Request], Awaitable[Turn]] | None = None
    ) -> Turn | None:
        """Ask the session when its running turn is done, in the same stream; start a turn on an idle session.

        Args:
            request: What to ask. `after` names the running turn when there are several. All but that, the prompt and
                the session matters only when a turn is started.
            key: Do nothing when this manager has queued something under the same key before.
            start: What starts a turn on an idle session; `start` of the manager when left out.

        Returns the turn that will answer, or None when the key was used before. Raises what `start` raises, and
        `InboxFullError`.
        """
        known = await in_thread(self.store.find, request.session)
        with self.turns.queue_keys.once(known or request.session, key) as new:
            if not new:
                return None
            with suppress(SessionIdleError, SessionNotFoundError):
                return await self.turns.say(request.session, "queue", request.prompt, turn=request.after or "", key=key)
            turn = await (start or self.start)(replace(request, wait=request.wait or STOP_SECONDS))
            self.turns.queue_keys.use(turn.session_id, key)
            if known is None:
                self.turns.queue_keys.free(request.session, key)  # the name may be another session's later
            return turn

    async def delete(self, session: str) -> None:
        """Stop the session's turn, wait for its end, and remove the session for good.

        A prompt that has waited for the session and gets it first is stopped too. Raises `SessionBusyError` when
        another process runs a turn on it for another `DELETE_SECONDS`. A turn may delete its own session.
        """
        await asyncio.shield(asyncio.ensure_future(self._delete(session)))

    async def _delete(self, session: str) -> None:
        session_id = await in_thread(self.sessions.id_of, session)
        deadline = time.monotonic() + DELETE_SECONDS
        claim = await self._claim(session_id, "its deletion", deadline, ends_turns=True)
        try:
            await in_thread(self.store.delete, session_id)
        finally:
            claim.release()
        if self.on_deleted is not None:
            await self.on_deleted(session_id)


def _by_a_tool_of(session_id: str) -> bool:
    """Whether a tool of a turn on that session asks, at whatever depth: it would wait for its own end."""
    turn = current_turn.get(None)
    while turn is not None and turn.session_id != session_id:
        turn = turn.within
    return turn is not None


def _give_back(taking: asyncio.Future[Claim]) -> None:
    if not taking.cancelled() and taking.exception() is None:
        taking.result().release()
