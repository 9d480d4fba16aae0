"""A turn from its first event to its last: ask the model, persist at boundaries, write the end, let go."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import TurnFinished, TurnStarted, Warned
from sessionmagic.conversation.tree import with_changed_turn, with_finished_turn
from sessionmagic.exceptions import (
    ModelRefusedError,
    SessionMagicError,
    SessionNotFoundError,
    StoreError,
)
from sessionmagic.loop import in_thread, settled_in_thread
from sessionmagic.tools.permissions import Limits, Policy, safety_of, with_grant
from sessionmagic.turns.turn import TurnResult, current_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.conversation.events import Decision
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.mcp.servers import McpServers
    from sessionmagic.turns.admission import Admitted
    from sessionmagic.turns.agent_run import Outcome
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.request import Request

TICK_SECONDS = 0.1


async def stream(admitted: Admitted, store: Store, servers: McpServers, ended: Callable[[], object]) -> None:
    """Run the turn to its end, whatever that is; `ended` is called when all is written. Never raises."""
    from sessionmagic.turns.agent_run import Outcome
    from sessionmagic.turns.failures import failure

    plan, log = admitted.plan, admitted.log
    try:
        outcome = await _ask(admitted, store, servers)
    except asyncio.CancelledError:
        outcome = Outcome("interrupted", error_code="cancelled")
    except BaseException as problem:  # noqa: BLE001  the session must become free, whatever a model does
        code, error = failure(admitted.record.model, problem)
        outcome = Outcome("failed", error_code=code, error=error)
    undo = plan.changes_override and isinstance(outcome.error, ModelRefusedError)
    if undo:
        kept = plan.previous_override or "the default"
        log.emit(Warned, text=f"session {admitted.turn.session_name!r} goes back to its model before: {kept}")
    unwritten = await _write_end(admitted, outcome, store, undo=undo)
    _let_go(admitted, outcome, unwritten or outcome.error, ended)


async def _ask(admitted: Admitted, store: Store, servers: McpServers) -> Outcome:
    from sessionmagic.turns.agent_run import AgentRun
    from sessionmagic.turns.guard import Guard
    from sessionmagic.turns.model_requests import ModelRequests

    turn, log, record, plan = admitted.turn, admitted.log, admitted.record, admitted.plan
    turn.within = current_turn.get(None)
    current_turn.set(turn)
    log.emit(TurnStarted, session=turn.session_name, prompt=record.prompt, model=record.model, cell_id=record.cell_id)
    for warning in plan.warnings:
        log.emit(Warned, text=warning)

    async def policy() -> Policy:
        session = await in_thread(store.load, turn.session_id)
        return policy_of(session, admitted.request)

    async def grant(decision: Decision, tool: str) -> None:
        await in_thread(store.update, turn.session_id, lambda session: granted(session, decision, tool))

    guard = Guard(
        emit=partial(log.emit, agent=plan.agent.name),
        requests=ModelRequests(plan.agent.name),
        approvals=turn.approvals,
        inbox=turn.inbox,
        policy=policy,
        grant=grant,
        limits=admitted.request.limits or Limits(),
    )
    run = AgentRun(plan.agent, plan.model, guard)

    async def persist(messages: Messages, requests: list[RequestRecord]) -> None:
        def changed(stored: TurnRecord) -> TurnRecord:
            return replace(stored, messages=messages, requests=requests, waiting=turn.inbox.waiting)

        def change(session: Session) -> Session:
            return with_changed_turn(session, turn.id, changed)

        await in_thread(store.update, turn.session_id, change)

    def waits_for_the_user() -> bool:
        asking = len(turn.questions.open)  # each in the middle of a call
        return bool(asking or turn.approvals.open) and guard.running <= asking

    def stop_late(seconds: float) -> None:
        run.time_out(seconds)
        turn.cancel()

    async with _timed(admitted.request.timeout, waits_for_the_user, stop_late):
        toolset = await _toolset(admitted, servers)
        turn.on_cancel(run.cancel)
        return await run.run(admitted.content, admitted.history, persist, toolset)


@asynccontextmanager
async def _timed(
    seconds: float | None, stands_still: Callable[[], bool], late: Callable[[float], object]
) -> AsyncIterator[None]:
    """Call `late` after that many seconds, but for those in which the clock stands still."""

    async def run_down(seconds: float) -> None:
        left = seconds
        while left > 0:
            began = time.monotonic()
            await asyncio.sleep(min(left, TICK_SECONDS))
            if not stands_still():
                left -= time.monotonic() - began
        late(seconds)

    timer = asyncio.ensure_future(run_down(seconds)) if seconds is not None else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


async def _toolset(admitted: Admitted, servers: McpServers) -> AbstractToolset[None] | None:
    """Return what the model may call: functions, and the tools of those MCP servers that can be reached."""
    plan, turn = admitted.plan, admitted.turn
    if not servers.names or not plan.takes_tools:
        return plan.toolset
    from pydantic_ai.toolsets import CombinedToolset

    def warn(text: str) -> None:
        admitted.log.emit(Warned, text=text)

    taken = [tool.name for tool in plan.tools]
    opening = asyncio.ensure_future(servers.toolsets(turn.questions, warn, taken))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(opening.cancel)

    turn.on_cancel(stop)
    try:
        await asyncio.wait([opening])
    finally:
        opening.cancel()
    if opening.cancelled():  # the turn was stopped; it ends as soon as it runs
        return plan.toolset
    return CombinedToolset([*([plan.toolset] if plan.toolset else []), *opening.result()])


def policy_of(session: Session, request: Request) -> Policy:
    """Return what decides over the tool calls of a turn on that session."""
    return Policy(
        session=session.permissions,
        file={},
        safety=safety_of(session.safety),
        attended=request.attended,
        yes=request.yes,
    )


def granted(session: Session, decision: Decision, tool: str) -> Session:
    """Remember a decision that holds for the session: for one tool, or for all."""
    if decision == "all":
        return replace(session, safety="autonomous")
    return replace(session, permissions=with_grant(session.permissions, tool))


def _let_go(admitted: Admitted, outcome: Outcome, error: SessionMagicError | None, ended: Callable[[], object]) -> None:
    """Release the turn's session, then close its event stream."""
    turn = admitted.turn
    record = replace(admitted.record, requests=outcome.requests)
    model = record.answered_by or record.model
    turn.approvals.close()
    turn.questions.close()
    ended()
    admitted.group.leave()
    admitted.log.emit(
        TurnFinished,
        status=outcome.status,
        model=model,
        error_code=outcome.error_code,
        error=str(error) if error else None,
    )
    result = TurnResult(
        text=turn.transcript.text,
        status=outcome.status,
        usage=record.usage,
        model=model,
        turn=turn.id,
        session=turn.session_name,
        raw_messages=outcome.messages or admitted.record.messages,
        error=error,
    )
    turn.end(result)


def abandon(admitted: Admitted, ended: Callable[[], object]) -> None:
    """Free the session of a turn whose task was cancelled before its first step. Its record says `running`."""
    from sessionmagic.turns.agent_run import Outcome

    _let_go(admitted, Outcome("interrupted", error_code="cancelled"), None, ended)


async def _write_end(admitted: Admitted, outcome: Outcome, store: Store, *, undo: bool) -> SessionMagicError | None:
    """Write the turn's end; return what kept it from being written."""

    def finished(stored: TurnRecord) -> TurnRecord:
        return replace(
            stored,
            messages=outcome.messages or stored.messages,
            status=outcome.status,
            waiting=[],
            warnings=list(admitted.turn.transcript.warnings),
            requests=outcome.requests or stored.requests,
            error_code=outcome.error_code,
            error=str(outcome.error) if outcome.error else None,
        )

    def change(session: Session) -> Session:
        session = with_finished_turn(session, admitted.turn.id, finished, at=time.time())
        return admitted.plan.without_override(session) if undo else session

    try:
        await settled_in_thread(store.update, admitted.turn.session_id, change)
    except SessionNotFoundError:
        return None  # deleted meanwhile, and nothing may bring it back
    except Exception as problem:  # noqa: BLE001  the session must become free, whatever befell its file
        error = (
            problem if isinstance(problem, SessionMagicError) else StoreError(f"{type(problem).__name__}: {problem}")
        )
        admitted.log.emit(Warned, text=f"the answer could not be stored: {error}")
        return error
    return None
