"""The end of a sub-agent's work: it is stored, and its answer is the result of the call that it worked for."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import Warned
from sessionmagic.conversation.tree import with_finished_turn
from sessionmagic.exceptions import ToolError, TurnFailedError
from sessionmagic.loop import settled_in_thread
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from typing import Any

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.outcome import Outcome


def with_advice(outcome: Outcome, admitted: Admitted) -> Outcome:
    """Return the outcome of a sub-agent's work, with an error that says what helps there if its context was full.

    There is nothing before its task that could be summarized.
    """
    if outcome.error_code == "context_exceeded":
        model, name = admitted.plan.model.reference, admitted.plan.agent.name
        outcome.error = TurnFailedError(
            f"{model}: the task, and what {name} has said and read for it, are longer than the model can read; "
            f"give {name} smaller tasks, or a model that reads more"
        )
    return outcome


async def ended(admitted: Admitted, outcome: Outcome, store: Store) -> TurnRecord:
    """Store the end of a sub-agent's work, and return its turn. If that fails, the user is warned."""
    work = admitted.turn.transcript.work_for(admitted.for_calls)

    def finished(stored: TurnRecord) -> TurnRecord:
        if stored.status != "running":  # the turn for which it works has ended before
            return stored
        return replace(
            stored,
            messages=outcome.messages or stored.messages,
            status=outcome.status,
            warnings=list(work.warnings),
            requests=outcome.requests,
            value=None if outcome.fitting is None else outcome.fitting.stored,
            error_code=outcome.error_code,
            error=str(outcome.error) if outcome.error else None,
        )

    change = partial(with_finished_turn, turn_id=admitted.record.id, change=finished, at=time.time())
    try:
        # A cancellation of this task is ignored here, as it ends anyway.
        await settled_in_thread(store.update, admitted.turn.session_id, change)
    except Exception as error:  # noqa: BLE001  the turn goes on, whatever is wrong with the session's file
        name = admitted.plan.agent.name
        admitted.log.emit(Warned, text=f"the work of {name} could not be stored: {words_of(error)}")
    return finished(admitted.record)


def answer_in(agent: str, outcome: Outcome) -> str:
    """Return the answer of a sub-agent; raise `ToolError` if it has given none."""
    match outcome.status:
        case "completed":
            responses = (message for message in reversed(outcome.messages) if message["kind"] == "response")
            parts: list[dict[str, Any]] = next(responses, {"parts": []})["parts"]
            said = "\n\n".join(part["content"] for part in parts if part["part_kind"] == "text")
            return said or f"{agent} has done the task, and says nothing."
        case "limit":
            raise ToolError(f"{agent} has reached a limit: {outcome.error}")
        case _:
            raise ToolError(f"{agent} has failed: {outcome.error or 'it was stopped'}")
