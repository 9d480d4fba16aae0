"""The manager of sessions: runs their turns, one at a time each. Knows nothing of IPython."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.definition import BUILT_IN, AgentDefinition, find_agent
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
from sessionmagic.tools.functions import offered
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.turns.admission import Request, admit
from sessionmagic.turns.lifecycle import abandon, stream
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sessionmagic.conversation.attachment import Attachment
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.permissions import Limits, Safety
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

    async def run(  # noqa: PLR0913  each is an option of its own
        self,
        prompt: str,
        *,
        session: str,
        new: bool = False,
        model: str = "",
        once: bool = False,
        agent: str = "",
        attachments: Sequence[Attachment] = (),
        wait: float = 0,
        timeout: float | None = None,
        tools: Sequence[Callable[..., Any] | Tool] = (),
        attended: bool = False,
        yes: bool = False,
        safety: Safety = "balanced",
        limits: Limits | None = None,
        where: str = "",
        cell_id: str | None = None,
    ) -> Turn:
        """Start a turn and return its handle once the prompt is on disk and the model is being asked.

        Args:
            prompt: what to ask.
            session: name or id of the session; created when there is none of that name.
            new: refuse a session that is there already.
            model: a model reference that holds from this turn on; ``"default"`` clears it, ``""`` leaves it.
            once: let `model` hold for this turn only.
            agent: who answers; the first agent when left out.
            attachments: further content for the model, after the prompt.
            wait: seconds to wait for a busy session; ``math.inf`` waits for ever.
            timeout: seconds of work after which the turn fails; those in which it waits for the user do not count.
            tools: functions that the model may call, beside those marked with `sessionmagic.tool`.
            attended: whether somebody answers `Turn.approvals`; when not, calls that would ask are denied.
            yes: approve every tool call of this turn, deny rules excepted.
            safety: what a session that is created here does with tool calls; see `Sessions.set_permissions`.
            limits: how many requests and tool calls the turn may make.
            where: the cell or script, for whoever finds the session busy.
            cell_id: the front end's id of the cell.

        Raises:
            SessionBusyError: another turn holds the session.
            ModelReferenceError: the model cannot be used.
            UnknownAgentError: there is no such agent.
            SessionExistsError: `new` was asked for a name that is taken.
            StoreError: the store cannot be read or written.
            PromptError: the prompt is empty or too long.
            ToolError: something that cannot be a tool.

        Whatever is raised, nothing was stored. When the task is cancelled while the prompt is being written, the
        turn is there: it is returned, stopped.
        """
        request = Request(
            prompt=prompt,
            session=session,
            new=new,
            model=model,
            once=once,
            agent=agent,
            attachments=attachments,
            wait=wait,
            timeout=timeout,
            tools=offered(tools),
            attended=attended,
            yes=yes,
            safety=safety,
            limits=limits,
            where=where,
            cell_id=cell_id,
        )
        definition = find_agent(self.agents, agent)
        deadline = time.monotonic() + wait
        while True:
            found = await in_thread(self.store.find, session)
            if found is not None and new:
                raise SessionExistsError(f"a session named {session!r} is there already")
            try:
                claim = await self._claim(found or new_session_id(), where, deadline)
                return await self._admit(request, definition, claim, new=found is None)
            except SessionExistsError:
                if new:
                    raise
            except SessionNotFoundError:
                pass  # deleted while we waited for it

    async def _admit(self, request: Request, agent: AgentDefinition, claim: Claim, *, new: bool) -> Turn:
        """Have the turn admitted and start it. What keeps it from that releases the claim."""
        try:
            admitted, cancelled = await settled_in_thread(
                functools.partial(
                    admit, request, store=self.store, models=self.models, agent=agent, claim=claim, new=new
                )
            )
        except BaseException:
            claim.release()
            raise
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
            if ends_turns and (turn := self.turns.of_id(session_id)) is not None:
                turn.cancel()
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
        turn = self.turns.of_id(session_id)
        if turn is not None and turn.transcript.waits_for_an_answer:
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

    async def queue(self, session: str, text: str, *, key: str = "", **options: Any) -> Turn | None:
        """Ask the session when its running turn is done, in the same stream; on an idle session, start a turn.

        Args:
            session: name or id; created when there is none.
            text: what to ask.
            key: a text queued before under the same key, by this manager, is not queued again.
            options: those of `run`, for a turn that is started here.

        Returns the turn that will answer, or None when the key was used before. Raises what `run` raises, and
        `InboxFullError`.
        """
        known = await in_thread(self.store.find, session)
        with self.turns.queue_keys.once(known or session, key) as new:
            if not new:
                return None
            with suppress(SessionIdleError, SessionNotFoundError):
                return await self.turns.say(session, "queue", text, key=key)
            turn = await self.run(text, session=session, **{"wait": STOP_SECONDS, **options})
            self.turns.queue_keys.use(turn.session_id, key)
            if known is None:
                self.turns.queue_keys.free(session, key)  # the name may be another session's later
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
