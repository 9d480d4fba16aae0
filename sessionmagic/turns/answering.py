"""Let the agents of a turn answer: the one that was asked, and those to which it hands the conversation over."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import AgentSwitched
from sessionmagic.conversation.sub_agents import with_hand_over
from sessionmagic.loop import in_thread
from sessionmagic.tools.permissions import Limits
from sessionmagic.turns.compaction import Compaction, announced
from sessionmagic.turns.counts import Counts
from sessionmagic.turns.messages import as_history
from sessionmagic.turns.outcome import advised
from sessionmagic.turns.run_history import RunHistory
from sessionmagic.turns.team import Shared, WorkingAgent
from sessionmagic.turns.time_limit import time_limit
from sessionmagic.turns.turn import current_turn
from sessionmagic.turns.unasked import tell_notes

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.outcome import Outcome
    from sessionmagic.turns.planning import Plan


async def answered(admitted: Admitted, store: Store, agent_tools: AgentTools, requests: ModelRequests) -> Outcome:
    """Let the model answer, and return how that has ended.

    Args:
        admitted: The turn.
        store: Where its messages are stored.
        agent_tools: Starts the MCP servers whose tools it offers.
        requests: Records the model requests.
    """
    turn = admitted.turn
    turn.within = current_turn.get(None)
    current_turn.set(turn)
    counts = Counts(admitted.request.limits or Limits(), admitted.log.emit)
    shared = Shared(store, agent_tools, counts, copy_context())
    compaction = Compaction(admitted, store, requests)
    history = RunHistory(compaction.after_refusal if admitted.cut is None else None)
    agent = WorkingAgent(admitted, shared, requests, history)

    def recheck() -> None:
        agent.guard.approve_allowed_calls()  # of the agent that answers now

    admitted.hold.recheck = recheck
    admitted.hold.tell_permissions = partial(tell_notes, admitted)

    def stop_late(seconds: float) -> None:
        agent.run.time_out(seconds, "allow more time with --timeout")
        turn.cancel()

    async with time_limit(admitted.request.timeout, lambda: agent.waits_for_user, stop_late):
        if (cut := admitted.cut) is not None:
            conversation = as_history(cut.conversation(admitted.plan.model.context_limit, admitted.record.started_at))
            return announced(await agent.answer(admitted.content, partial(_known, conversation)), admitted, cut)
        outcome = await agent.answer(admitted.content, compaction.before_turn)
        while outcome.handed_over and agent.next is not None:
            said, plan = outcome.messages, agent.next.plan
            to, model = plan.agent.name, plan.model.reference
            await in_thread(store.update, turn.session_id, partial(_with_hand_over, admitted=admitted, plan=plan))
            admitted.log.emit(AgentSwitched, agent=agent.name, to=to, model=model)
            requests.begin_run()
            compaction = Compaction(agent.next, store, requests)
            agent = WorkingAgent(agent.next, shared, requests, RunHistory(), said)
            outcome = await agent.answer(None, partial(_before, compaction, said))
            outcome.messages = [*said, *outcome.messages]
    return advised(outcome, admitted.plan.previous)


def _with_hand_over(session: Session, admitted: Admitted, plan: Plan) -> Session:
    """Return the session with a turn that another agent has taken over, and with the overrides that its plan sets."""
    moves_head = admitted.request.moves_head
    taken_over = with_hand_over(
        session, admitted.turn.id, agent=plan.agent.name, model=plan.model.reference, moves_head=moves_head
    )
    return plan.with_override(taken_over) if moves_head else taken_over


async def _known(history: list[ModelMessage]) -> list[ModelMessage]:
    return history


async def _before(compaction: Compaction, said: Messages) -> list[ModelMessage]:
    """Return the history of an agent that takes over: that of the turn, and what was said in the turn so far."""
    return [*await compaction.before_turn(), *as_history(said)]
