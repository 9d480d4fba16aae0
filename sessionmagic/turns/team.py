"""An agent at work in a turn. It may give tasks to sub-agents, which work within the turn, or hand the turn over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import SubAgentFinished, SubAgentStarted, Warned
from sessionmagic.conversation.tree import with_changed_turn
from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_thread
from sessionmagic.models.replay import ASKING
from sessionmagic.tools.questions import asking_for
from sessionmagic.turns.agent_run import AgentRun, settled
from sessionmagic.turns.colleague_plans import begun, next_to_answer
from sessionmagic.turns.colleagues import current_member
from sessionmagic.turns.guarding import guard_of
from sessionmagic.turns.model_requests import ModelRequests
from sessionmagic.turns.replaying import asking_of
from sessionmagic.turns.run_history import RunHistory
from sessionmagic.turns.session_permissions import update_and_tighten
from sessionmagic.turns.sub_agent_ends import answer_in, ended, with_advice
from sessionmagic.turns.time_limit import time_limit
from sessionmagic.turns.toolset import toolset_for
from sessionmagic.turns.turn import current_call, current_work
from sessionmagic.turns.unasked import tell_notes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextvars import Context

    from pydantic_ai.messages import ModelMessage, UserContent

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.counts import Counts
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.outcome import Outcome

DEPTH = 5
"""How many levels of sub-agents may work for each other."""
HANDOVERS = 8
"""How often a turn may be handed over."""


@dataclass(slots=True)
class Shared:
    """What the agents of a turn share.

    Attributes:
        store: Where their messages are stored.
        agent_tools: Starts the MCP servers whose tools they are offered.
        counts: What all of them have done.
        context: The context of the turn, in which no tool call runs.
        handed_over: The names of the agents to which the turn was handed over.
    """

    store: Store
    agent_tools: AgentTools
    counts: Counts
    context: Context
    handed_over: list[str] = field(default_factory=list)


class WorkingAgent:
    """An agent at work: that of the turn, or a sub-agent.

    Args:
        admitted: The turn, or the work of the sub-agent.
        shared: What it shares with the other agents of the turn.
        requests: Records its model requests.
        history: The messages before those of its run.
        said: The messages of the turn before it was handed over to this agent.

    Attributes:
        next: What the agent does that answers from the next model request on, if the turn is handed over.
    """

    def __init__(
        self,
        admitted: Admitted,
        shared: Shared,
        requests: ModelRequests,
        history: RunHistory,
        said: Messages | None = None,
    ) -> None:
        self.admitted = admitted
        self.next: Admitted | None = None
        self._shared = shared
        self._requests = requests
        self._said = said or []
        self.guard = guard_of(admitted, shared.store, requests, history, shared.counts)
        self.run = AgentRun(admitted.plan.agent, admitted.plan.model, self.guard, self.guard.output_type)

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.admitted.plan.agent.name

    async def answer(
        self, content: str | Sequence[UserContent] | None, history: Callable[[], Awaitable[list[ModelMessage]]]
    ) -> Outcome:
        """Let the agent answer.

        Args:
            content: What it is asked; None to go on after the history.
            history: Returns the messages before that.
        """
        admitted = self.admitted
        current_member.set(self)
        for warning in admitted.plan.warnings:
            admitted.log.emit(Warned, text=warning)

        def stop_late(seconds: float) -> None:
            self.run.time_out(seconds, "its agents file sets that budget")
            self.run.cancel()

        async with time_limit(admitted.plan.seconds_left, lambda: self.waits_for_user, stop_late):
            toolset = await toolset_for(admitted, self._shared.agent_tools) if admitted.cut is None else None
            before = await history()
            if not admitted.for_calls:
                admitted.turn.on_cancel(self.run.cancel)
            persist = partial(_persist, admitted, self._shared.store, self._said)
            return await self.run.run(content, before, persist, toolset)

    @property
    def waits_for_user(self) -> bool:
        """Whether the agent does nothing but wait for the user.

        A call that waits for its approval is not running yet, but a call whose MCP server asks a question is. So the
        agent does nothing but wait if no more calls are busy than questions are open.
        """
        turn = self.admitted.turn
        questions = len(turn.questions.open)
        return bool(questions or turn.approvals.open) and self.guard.busy <= questions

    async def transfer(self, agent: str, task: str) -> str:
        """Let a sub-agent do a task, and return its answer. Raises `ToolError` if it fails, or cannot be asked."""
        self._check(agent)
        shared = self._shared
        admitted = await in_thread(begun, self.admitted, agent, task, current_call.get(), shared.store)
        requests = ModelRequests()
        worker = WorkingAgent(admitted, shared, requests, RunHistory())
        self._requests.sub_agents.append(requests)
        self.guard.sub_agents.append(worker.guard)
        admitted.log.emit(SubAgentStarted, turn=admitted.record.id, task=task, model=admitted.record.model)
        context = shared.context.copy()
        context.run(current_work.set, admitted.for_calls)
        context.run(ASKING.set, asking_of(admitted))  # sub-agents may work at the same time
        context.run(asking_for.set, agent)
        try:
            outcome, cancelled = await settled(worker.run, worker.answer(task, _nothing), context)
        finally:
            self.guard.sub_agents.remove(worker.guard)
            worker.guard.inbox.close()  # it holds all that the run has made
        outcome = with_advice(outcome, admitted)
        record = await ended(admitted, outcome, shared.store)
        seconds = record.seconds + sum(request.seconds for request in outcome.of_sub_agents)
        admitted.log.emit(
            SubAgentFinished,
            status=outcome.status,
            model=record.who_answered,
            error=record.error,
            seconds=seconds,
        )
        if cancelled:
            raise asyncio.CancelledError
        return answer_in(agent, outcome)

    def _check(self, agent: str) -> None:
        """Raise `ToolError` if a sub-agent may not be asked, because it would wait for itself or work too deep."""
        waiting = (*self.admitted.chain, self.name)
        if agent in waiting:
            chain = " → ".join((*waiting, agent))
            raise ToolError(f"{agent} waits for this task itself ({chain}); do it yourself, or ask another agent")
        if len(waiting) > DEPTH:
            raise ToolError(f"{DEPTH} agents already wait for each other; do the task yourself")

    async def hand_over(self, agent: str) -> str:
        """Let another agent answer from the next model request on. Raises `ToolError` if it cannot."""
        if self.next is not None:
            raise ToolError(f"{self.next.plan.agent.name} already takes over")
        if len(self._shared.handed_over) >= HANDOVERS:
            raise ToolError(f"this turn was handed over {HANDOVERS} times; answer the user yourself")
        self.next = await in_thread(next_to_answer, self.admitted, agent, self._shared.store)
        self._shared.handed_over.append(agent)
        self.guard.handed_over = True
        return f"{agent} takes over, and answers from here on."


async def _persist(
    admitted: Admitted, store: Store, said: Messages, messages: Messages, requests: list[RequestRecord]
) -> None:
    """Store what an agent has said so far, after what was said before the turn was handed over to it."""

    def changed(stored: TurnRecord) -> TurnRecord:
        waiting = [] if admitted.for_calls else admitted.turn.inbox.waiting  # now, as a message may just have come
        written = replace(stored, messages=[*said, *messages], requests=requests, waiting=waiting)
        return written if stored.status == "running" else stored  # a late write must not undo the turn's end

    # The write is shielded: if this task is cancelled, `in_thread` finishes the write before it raises.
    change = partial(with_changed_turn, turn_id=admitted.record.id, change=changed)
    await in_thread(update_and_tighten, store, admitted.turn.session_id, change, admitted.hold.group)
    if not admitted.for_calls:
        tell_notes(admitted)


async def _nothing() -> list[ModelMessage]:
    return []
