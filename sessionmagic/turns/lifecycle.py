"""Run an admitted turn: ask the model, store messages at each boundary, store the end, release the session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import TurnFinished, TurnStarted, Warned
from sessionmagic.conversation.sub_agents import with_ended_workers
from sessionmagic.conversation.tree import undelivered, with_finished_turn
from sessionmagic.conversation.usage import total
from sessionmagic.exceptions import (
    ModelRefusedError,
    SessionMagicError,
    SessionNotFoundError,
    StoreError,
)
from sessionmagic.keys.cleaning import messages_without_keys, without_keys
from sessionmagic.loop import settled_in_thread
from sessionmagic.turns.outcome import Outcome
from sessionmagic.turns.turn import TurnResult
from sessionmagic.turns.unasked import notes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.unwritten import UnwrittenEnds


async def stream(  # noqa: PLR0913
    admitted: Admitted,
    store: Store,
    agent_tools: AgentTools,
    unwritten: UnwrittenEnds,
    ended: Callable[[], object],
    *,
    record: Callable[[str, str], object] = lambda *_: None,
) -> None:
    """Run the turn to its end. Never raises: the turn's result has the error.

    Args:
        admitted: The turn.
        store: Where its messages are stored.
        agent_tools: Starts the MCP servers whose tools it offers.
        unwritten: Keeps the turn's end if it cannot be stored.
        ended: Called when everything is stored, just before the session is released.
        record: Called in a worker thread with the ids of the session and the turn, to add it to a recording.
    """
    from sessionmagic.models.replay import ASKING
    from sessionmagic.turns.answering import answered
    from sessionmagic.turns.failures import failure
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.replaying import add_to_recording, asking_of, was_filled

    requests = ModelRequests()
    try:
        _emit_start(admitted)
        ASKING.set(asking_of(admitted))
        outcome = await answered(admitted, store, agent_tools, requests)
    except asyncio.CancelledError as stop:
        requests.close([], stop)
        outcome = Outcome("interrupted", requests=requests.records, error_code="cancelled")
        outcome.of_sub_agents = requests.of_sub_agents
    except BaseException as problem:  # noqa: BLE001  the session must be released, whatever a model does
        requests.close([], problem)
        code, error = failure(admitted.record.model, problem)
        outcome = Outcome("failed", requests=requests.records, error_code=code, error=error)
        outcome.of_sub_agents = requests.of_sub_agents
    for warning in undelivered(admitted.turn.inbox.close()):
        admitted.log.emit(Warned, text=warning)
    store_error = await _write_end(admitted, outcome, store, unwritten)
    if outcome.status == "completed" and store_error is None and was_filled():
        await add_to_recording(admitted, record)
    _release(admitted, outcome, store_error or outcome.error, ended)


def _emit_start(admitted: Admitted) -> None:
    turn, record = admitted.turn, admitted.record
    admitted.log.emit(
        TurnStarted,
        session=turn.session_name,
        prompt=admitted.request.prompt,
        model=record.model,
        kind=record.kind,
        cell_id=record.cell_id,
        values=tuple(admitted.request.values),
        notes=notes_of(admitted),
    )
    turn.tell_new_title()


def _release(
    admitted: Admitted, outcome: Outcome, error: SessionMagicError | None, ended: Callable[[], object]
) -> None:
    """Release the turn's session, then emit the last event, then set the result.

    The order matters: an observer that has seen the end may start the next turn at once, and must not find the session
    busy.
    """
    turn = admitted.turn
    record = replace(admitted.record, requests=outcome.requests)
    seconds = record.seconds + sum(request.seconds for request in outcome.of_sub_agents)
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
        seconds=seconds,
    )
    result = TurnResult(
        text=turn.transcript.text,
        status=outcome.status,
        usage=total([record.usage, *(request.usage for request in outcome.of_sub_agents)]),
        model=record.answered_by or record.model,
        turn=turn.id,
        session=turn.session_name,
        raw_messages=messages_without_keys(outcome.messages or admitted.record.messages),
        error=error,
        seconds=seconds,
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
        session = with_ended_workers(session, admitted.turn.id, at=now)
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
