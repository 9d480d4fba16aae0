"""Compact the history of a running turn: let its model write a summary, which is sent in place of older turns."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.compaction import with_compaction, written_in
from sessionmagic.conversation.events import HistoryCompacted, ModelFellBack, Warned
from sessionmagic.conversation.session import TurnRecord
from sessionmagic.exceptions import SessionNotFoundError, TurnFailedError
from sessionmagic.loop import settled_in_thread
from sessionmagic.tools.permissions import Policy
from sessionmagic.turns.compaction_request import FULL_SHARE, ONE_REQUEST, PROMPT, without_limits
from sessionmagic.turns.context_size import size_of, tokens_in, tokens_of, tool_tokens
from sessionmagic.turns.cut import cut_of
from sessionmagic.turns.inbox import Inbox
from sessionmagic.turns.messages import as_history
from sessionmagic.turns.replayed_summaries import kept_before, summarizing
from sessionmagic.turns.summaries import summary_message, task
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from typing import Any

    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.events import Decision
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.agent_run import AgentRun
    from sessionmagic.turns.cut import Cut
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.outcome import Outcome

LEAST_SHARE = 0.1
"""Less than this share of the context is not worth a summary."""


class Compaction:
    """Compacts the history of one turn, at most once.

    Args:
        admitted: The turn.
        store: Where the compaction is stored.
        requests: Records the model requests of the turn.
    """

    def __init__(self, admitted: Admitted, store: Store, requests: ModelRequests) -> None:
        self._admitted = admitted
        self._store = store
        self._requests = requests
        self._tried = False

    async def before_turn(self) -> list[ModelMessage]:
        """Return the history of the turn, compacted if the first request would nearly fill the context.

        Nothing is compacted if the size of the context is unknown, or if the model makes room itself. Where a recording
        answers, it says whether there is a summary.
        """
        plan, history = self._admitted.plan, self._admitted.history
        limit = plan.model.context_limit
        if (recorded := self._recorded_cut()) is not None:
            return await self._compacted(recorded, limit, stops_alone=True) or history.said
        if limit is None or plan.model.makes_room or not history.turns or plan.model.is_replay:
            return history.said
        others = tokens_in(plan.agent.instructions) + tool_tokens(plan.toolset)
        size = size_of(history.messages, others).tokens + tokens_of(self._admitted.record.messages)
        cut = cut_of(history, limit) if size > FULL_SHARE * limit else None
        if cut is None or tokens_of(cut.covered) < LEAST_SHARE * limit:
            return history.said
        return await self._compacted(cut, limit, stops_alone=True) or history.said

    def _recorded_cut(self) -> Cut | None:
        """Return what the summary covers that a recording has before the answer to this turn; None if it has none."""
        plan, history = self._admitted.plan, self._admitted.history
        kept = kept_before(plan.model, history, self._admitted.record.messages) if history.turns else None
        return None if kept is None else cut_of(history, None, kept)

    async def after_refusal(self) -> list[ModelMessage] | None:
        """Return a compacted history after the provider has refused a request as too long; None if there is none."""
        model, history = self._admitted.plan.model, self._admitted.history
        if self._tried or model.makes_room:
            return None
        refused = tokens_of(history.messages) + tokens_of(self._admitted.record.messages)
        limit = min(model.context_limit or refused, refused)  # the known limit may be that of another server
        cut = cut_of(history, limit)
        compacted = await self._compacted(cut, limit) if cut is not None else None
        self._requests.begin_again()
        return compacted

    async def _compacted(self, cut: Cut, limit: int | None, *, stops_alone: bool = False) -> list[ModelMessage] | None:
        """Return the history with a summary, or None if that fails or is stopped.

        Args:
            cut: What is summarized.
            limit: How many tokens the model can read, if that is known.
            stops_alone: Whether the turn has no other run yet, which would be stopped with it.
        """
        from sessionmagic.turns.agent_run import settled

        self._tried = True
        record = self._new_record(cut)
        run = self._run()
        if stops_alone:
            self._admitted.turn.on_cancel(run.cancel)
        readable = min(filter(None, [limit, self._admitted.plan.summarizer.context_limit]), default=None)
        conversation = as_history(cut.conversation(readable, record.started_at))
        with summarizing(record, self._admitted.history):
            outcome, cancelled = await settled(run, run.run(task(""), conversation, _store_nothing, None))
        outcome = checked(outcome, record.model)
        stored = await self._stored(_ended(record, outcome)) if outcome.requests else None
        if cancelled:
            raise asyncio.CancelledError
        if outcome.status == "failed":
            # after a refusal, the turn ends with an error that says the same
            told = not stops_alone and outcome.error_code == "context_exceeded"
            self._warn(f"the history was not compacted: {'its summary was refused too' if told else outcome.error}")
        if stored is None or outcome.status != "completed":
            return None
        return as_history(_announce(self._admitted, cut, stored))

    def _new_record(self, cut: Cut) -> TurnRecord:
        plan = self._admitted.plan
        return TurnRecord(
            id="",  # it gets one when it is stored
            parent=None,
            kind="compaction",
            covers=cut.covers,
            agent=plan.agent.name,
            model=plan.summarizer.reference,
            prompt=PROMPT,
            settings=without_limits(plan.settings),
            started_at=time.time(),
            notebook=self._admitted.record.notebook,
        )

    def _run(self) -> AgentRun:
        """Return a run that makes one request, without tools and without the instructions of the turn."""
        from sessionmagic.turns.agent_run import AgentRun
        from sessionmagic.turns.counts import Counts
        from sessionmagic.turns.decisions import Decisions
        from sessionmagic.turns.fallback import chain_of
        from sessionmagic.turns.guard import Guard
        from sessionmagic.turns.model_requests import ModelRequests
        from sessionmagic.turns.rate_limits import RateLimits
        from sessionmagic.turns.sent_content import SentContent

        admitted, agent = self._admitted, replace(self._admitted.plan.agent, instructions="")
        model = admitted.plan.summarizer
        rate_limits = RateLimits(admitted.seconds, self._emit)
        guard = Guard(
            agent=agent.name,
            model=model,
            emit=self._emit,
            requests=ModelRequests(),
            inbox=Inbox(),
            decisions=Decisions(agent.name, admitted.turn.approvals, _allow_nothing, _grant_nothing),
            counts=Counts(ONE_REQUEST, self._emit),
            keep_sent=lambda _: None,
            content=SentContent(admitted.left_out),
            accounts=admitted.accounts,
            rate_limits=rate_limits,
            chain=chain_of(agent.name, model, admitted.plan.fallback, self._emit, rate_limits),
        )
        return AgentRun(agent, model, guard)

    def _emit(self, kind: type[Any], /, **content: Any) -> None:
        """Emit the warnings of the run. Its text is shown as a whole, and its usage is that of the compaction."""
        if kind in (Warned, ModelFellBack):
            self._admitted.log.emit(kind, **content)

    def _warn(self, text: str) -> None:
        self._admitted.log.emit(Warned, text=text)

    async def _stored(self, record: TurnRecord) -> TurnRecord | None:
        """Store a compaction, and return it as it is stored; None if that fails."""
        turn = self._admitted.turn
        change = partial(with_compaction, compaction=record, turn_id=turn.id)
        try:
            session, _ = await settled_in_thread(self._store.update, turn.session_id, change)
        except SessionNotFoundError:  # it was deleted, which the end of the turn tells
            return None
        except Exception as error:  # noqa: BLE001  the turn goes on, whatever is wrong with the session's file
            self._warn(f"the history was not compacted: {words_of(error)}")
            return None
        return session.turns[-1]


def announced(outcome: Outcome, admitted: Admitted, cut: Cut) -> Outcome:
    """Return the outcome of a turn that is a compaction. If it has a summary, this is reported."""
    outcome = checked(outcome, admitted.record.model)
    if outcome.status == "completed":
        _announce(admitted, cut, replace(admitted.record, messages=outcome.messages))
    return outcome


def _announce(admitted: Admitted, cut: Cut, compaction: TurnRecord) -> Messages:
    """Report a compaction, and return the history with its summary."""
    compacted = cut.compacted(summary_message(compaction))
    is_own = compaction.id == admitted.turn.id
    admitted.log.emit(
        HistoryCompacted,
        compaction=compaction.id,
        summary="" if is_own else written_in(compaction.messages),
        tokens_before=tokens_of(admitted.history.messages),
        tokens_after=tokens_of(compacted),
    )
    return compacted


def checked(outcome: Outcome, reference: str) -> Outcome:
    """Return the outcome of a compaction. One without a whole summary has failed, unless a budget has refused it.

    Args:
        outcome: How its run has ended.
        reference: The reference of its model.
    """
    blank = not written_in(outcome.messages).strip()
    cut_off = bool(outcome.requests) and outcome.requests[-1].finish_reason == "length"
    stopped = outcome.status == "limit" and bool(outcome.requests)  # without a request, a budget has refused it
    if stopped or (outcome.status == "completed" and (blank or cut_off)):
        problem = "the summary was cut off at the model's token limit" if cut_off else "the model wrote no summary"
        outcome.status, outcome.error_code = "failed", "no_summary"
        outcome.error = TurnFailedError(f"{reference}: {problem}; all turns stay in the history")
    return outcome


def _ended(record: TurnRecord, outcome: Outcome) -> TurnRecord:
    return replace(
        record,
        messages=outcome.messages,
        requests=outcome.requests,
        status=outcome.status,
        error_code=outcome.error_code,
        error=str(outcome.error) if outcome.error else None,
        finished_at=max(time.time(), record.started_at),
    )


async def _store_nothing(*_: object) -> None:
    """Store nothing: the summary is stored when it is complete."""


def _allow_nothing() -> Policy:
    return Policy(session={}, file={}, safety="restricted", attended=False, yes=False)


async def _grant_nothing(decision: Decision, tool: str) -> None:
    """Do nothing: there are no tools."""
