"""Run an admitted turn: ask the model, store messages at each boundary, store the end, release the session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import TurnFinished, TurnStarted, Warned
from sessionmagic.conversation.tree import undelivered, with_changed_turn, with_finished_turn
from sessionmagic.exceptions import (
    ModelRefusedError,
    SessionMagicError,
    SessionNotFoundError,
    StoreError,
)
from sessionmagic.keys.cleaning import messages_without_keys, without_keys
from sessionmagic.loop import in_thread, settled_in_thread
from sessionmagic.tools.permissions import with_grant
from sessionmagic.turns.agent_limits import limits_of, policy_of
from sessionmagic.turns.inbox import Inbox
from sessionmagic.turns.session_permissions import change_permissions, update_and_tighten
from sessionmagic.turns.time_limit import time_limit
from sessionmagic.turns.toolset import toolset_for
from sessionmagic.turns.turn import TurnResult, current_turn
from sessionmagic.turns.unasked import approve_everything, is_everything_approved, notes_of, tell_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.events import Decision
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Permissions
    from sessionmagic.turns.admission import Admitted
    from sessionmagic.turns.agent_run import Outcome
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.guard import Guard
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.run_history import RunHistory
    from sessionmagic.turns.unwritten import UnwrittenEnds


async def stream(
    admitted: Admitted, store: Store, agent_tools: AgentTools, unwritten: UnwrittenEnds, ended: Callable[[], object]
) -> None:
    """Run the turn to its end. Never raises: the turn's result has the error.

    Args:
        admitted: The turn.
        store: Where its messages are stored.
        agent_tools: Starts the MCP servers whose tools it offers.
        unwritten: Keeps the turn's end if it cannot be stored.
        ended: Called when everything is stored, just before the session is released.
    """
    from sessionmagic.turns.agent_run import Outcome
    from sessionmagic.turns.failures import failure
    from sessionmagic.turns.model_requests import ModelRequests

    requests = ModelRequests()
    try:
        outcome = await _ask(admitted, store, agent_tools, requests)
    except asyncio.CancelledError as stop:
        requests.close([], stop)
        outcome = Outcome("interrupted", requests=requests.records, error_code="cancelled")
    except BaseException as problem:  # noqa: BLE001  the session must be released, whatever a model does
        requests.close([], problem)
        code, error = failure(admitted.record.model, problem)
        outcome = Outcome("failed", requests=requests.records, error_code=code, error=error)
    for warning in undelivered(admitted.turn.inbox.close()):
        admitted.log.emit(Warned, text=warning)
    store_error = await _write_end(admitted, outcome, store, unwritten)
    _release(admitted, outcome, store_error or outcome.error, ended)


async def _ask(admitted: Admitted, store: Store, agent_tools: AgentTools, requests: ModelRequests) -> Outcome:
    from sessionmagic.turns.agent_run import AgentRun, advised
    from sessionmagic.turns.compaction import Compaction, announced
    from sessionmagic.turns.messages import as_history
    from sessionmagic.turns.run_history import RunHistory

    turn, log, plan = admitted.turn, admitted.log, admitted.plan
    turn.within = current_turn.get(None)
    current_turn.set(turn)
    _emit_start(admitted)
    for warning in plan.warnings:
        log.emit(Warned, text=warning)
    compaction = Compaction(admitted, store, requests)
    guard = _guard(admitted, store, requests, RunHistory(compaction.after_refusal if admitted.cut is None else None))
    admitted.hold.recheck = guard.approve_allowed_calls
    admitted.hold.tell_permissions = partial(tell_notes, admitted)
    run = AgentRun(plan.agent, plan.model, guard, guard.output_type)

    async def persist(messages: Messages, requests: list[RequestRecord]) -> None:
        def changed(stored: TurnRecord) -> TurnRecord:
            written = replace(stored, messages=messages, requests=requests, waiting=turn.inbox.waiting)
            return written if stored.status == "running" else stored  # a late write must not undo the turn's end

        # The write is shielded: if this task is cancelled, `in_thread` finishes the write before it raises.
        change = partial(with_changed_turn, turn_id=turn.id, change=changed)
        await in_thread(update_and_tighten, store, turn.session_id, change, admitted.hold.group)
        tell_notes(admitted)

    def waits_for_user() -> bool:
        # A call that waits for its approval is not running yet, but a call whose MCP server asks a question is. So the
        # turn does nothing but wait if no more calls are running than questions are open.
        questions = len(turn.questions.open)
        return bool(questions or turn.approvals.open) and guard.running <= questions

    def stop_late(seconds: float) -> None:
        of_budget = seconds == plan.seconds_left
        run.time_out(seconds, "its agents file sets that budget" if of_budget else "allow more time with --timeout")
        turn.cancel()

    async with time_limit(admitted.seconds, waits_for_user, stop_late):
        if admitted.cut is None:
            toolset = await toolset_for(admitted, agent_tools)
            history = await compaction.before_turn()
        else:
            conversation = admitted.cut.conversation(plan.model.context_limit, admitted.record.started_at)
            toolset, history = None, as_history(conversation)
        turn.on_cancel(run.cancel)
        outcome = await run.run(admitted.content, history, persist, toolset)
    return advised(outcome, plan.previous) if admitted.cut is None else announced(outcome, admitted, admitted.cut)


def _emit_start(admitted: Admitted) -> None:
    turn, record = admitted.turn, admitted.record
    admitted.log.emit(
        TurnStarted,
        session=turn.session_name,
        prompt=admitted.request.prompt,
        model=record.model,
        cell_id=record.cell_id,
        values=tuple(admitted.request.values),
        notes=notes_of(admitted),
    )
    turn.tell_new_title()


def _guard(admitted: Admitted, store: Store, requests: ModelRequests, history: RunHistory) -> Guard:
    """Return the guard of a turn. Its rules are those of its group, and grants of a tool are stored."""
    from sessionmagic.turns.fallback import chain_of
    from sessionmagic.turns.guard import Guard
    from sessionmagic.turns.rate_limits import RateLimits
    from sessionmagic.turns.sent_content import SentContent

    turn, agent, request, group = admitted.turn, admitted.plan.agent, admitted.request, admitted.hold.group
    asks = admitted.cut is None

    async def grant(decision: Decision, tool: str) -> None:
        if decision == "all":
            approve_everything(group)
        else:
            change = partial(_with_grant, tool=tool)
            await in_thread(change_permissions, store, turn.session_id, change)
        group.recheck()

    emit = partial(admitted.log.emit, agent=agent.name)
    rate_limits = RateLimits(admitted.seconds, emit)
    return Guard(
        agent=agent.name,
        model=admitted.plan.model,
        emit=emit,
        requests=requests,
        approvals=turn.approvals,
        inbox=turn.inbox if asks else Inbox(),  # a summary takes no further messages
        policy=lambda: policy_of(
            group.permissions,
            agent,
            attended=request.attended,
            remedy=request.remedy,
            yes=request.yes,
            everything=is_everything_approved(group.session_id, group.permissions.safety),
        ),
        grant=grant,
        limits=limits_of(request.limits, agent),
        keep_sent=turn.keep_sent,
        content=SentContent(admitted.left_out),
        accounts=admitted.accounts,
        rate_limits=rate_limits,
        history=history,
        output_type=request.output_type if asks else None,
        chain=chain_of(agent.name, admitted.plan.model, admitted.plan.fallback, emit, rate_limits),
    )


def _with_grant(permissions: Permissions, tool: str) -> Permissions:
    return replace(permissions, rules=with_grant(permissions.rules, tool))


def _release(
    admitted: Admitted, outcome: Outcome, error: SessionMagicError | None, ended: Callable[[], object]
) -> None:
    """Release the turn's session, then emit the last event, then set the result.

    The order matters: an observer that has seen the end may start the next turn at once, and must not find the session
    busy.
    """
    turn = admitted.turn
    record = replace(admitted.record, requests=outcome.requests)
    turn.approvals.close()
    turn.questions.close()
    if error:
        error.args = (without_keys(str(error)),)
    ended()
    admitted.hold.release()
    admitted.log.emit(
        TurnFinished,
        status=outcome.status,
        model=record.who_answered,
        error_code=outcome.error_code,
        error=str(error) if error else None,
        seconds=record.seconds,
    )
    result = TurnResult(
        text=turn.transcript.text,
        status=outcome.status,
        usage=record.usage,
        model=record.answered_by or record.model,
        turn=turn.id,
        session=turn.session_name,
        raw_messages=messages_without_keys(outcome.messages or admitted.record.messages),
        error=error,
        seconds=record.seconds,
        first_token=record.first_token,
        elapsed=max(0.0, time.time() - record.started_at),
        column=record.column,
        value=None if outcome.fitting is None else outcome.fitting.value,
        stored_value=None if outcome.fitting is None else outcome.fitting.stored,
    )
    turn.end(result)


def abandon(admitted: Admitted, ended: Callable[[], object]) -> None:
    """Release the session of a turn whose task was cancelled before its first step.

    The turn stays stored as running; the next turn of the session marks it as interrupted.
    """
    from sessionmagic.turns.agent_run import Outcome

    admitted.hold.group.bury(admitted.turn.id)
    admitted.turn.inbox.close()
    _emit_start(admitted)
    _release(admitted, Outcome("interrupted", error_code="cancelled"), None, ended)


async def _write_end(
    admitted: Admitted, outcome: Outcome, store: Store, unwritten: UnwrittenEnds
) -> SessionMagicError | None:
    """Store the turn's end, and take back an override that the provider refused; return the error if that fails."""
    plan = admitted.plan
    refused = isinstance(outcome.error, ModelRefusedError) and not any(each.model for each in outcome.requests)
    switched_back: list[str] = []
    now = time.time()

    def finished(stored: TurnRecord) -> TurnRecord:
        return replace(
            stored,
            messages=outcome.messages or stored.messages,
            status=outcome.status,
            waiting=[],
            warnings=[*admitted.turn.transcript.warnings, *switched_back],
            notes=list(admitted.turn.transcript.notes),
            requests=outcome.requests or stored.requests,
            value=None if outcome.fitting is None else outcome.fitting.stored,
            error_code=outcome.error_code,
            error=str(outcome.error) if outcome.error else None,
        )

    def change(session: Session) -> Session:
        switched_back.clear()
        if refused and plan.changes_override and session.agent_model_overrides.get(plan.agent.name) == plan.override:
            session = plan.without_override(session)
            previous = plan.previous_override or "the default model"
            switched_back.append(f"session {session.name!r} was switched back to {previous}")
        return with_finished_turn(session, admitted.turn.id, finished, at=now)

    try:
        # A cancellation of this task is ignored here, as the turn ends anyway.
        await settled_in_thread(store.update, admitted.turn.session_id, change)
    except SessionNotFoundError:  # it must not be written again
        deleted = f"session {admitted.turn.session_name!r} was deleted while the turn ran, so the turn is not stored"
        admitted.log.emit(Warned, text=deleted)
        return SessionNotFoundError(deleted)
    except Exception as problem:  # noqa: BLE001  the session must be released, whatever is wrong with its file
        unwritten.keep(admitted.turn.session_id, change)
        error = (
            problem if isinstance(problem, SessionMagicError) else StoreError(f"{type(problem).__name__}: {problem}")
        )
        later = "it is kept in memory, and stored when that is possible"
        admitted.log.emit(Warned, text=f"the end of the turn could not be stored: {error}; {later}")
        return error
    for warning in switched_back:
        admitted.log.emit(Warned, text=warning)
    return None
