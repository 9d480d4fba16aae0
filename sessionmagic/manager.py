"""The way of a turn: claim the session, resolve the model, write once, stream, finish, release.

Knows nothing of IPython. The contract is docker-agent's ``SessionManager.RunSession``: the model override is
validated before anything is stored, and then written together with the prompt.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.agents.definition import BUILT_IN, AgentDefinition, find_agent
from sessionmagic.events import TurnFinished, TurnStarted, Warned
from sessionmagic.exceptions import (
    ModelReferenceError,
    ModelRefusedError,
    PromptError,
    SessionBusyError,
    SessionExistsError,
    SessionMagicError,
    SessionNotFoundError,
    UsageError,
    did_you_mean,
)
from sessionmagic.loop import loop_thread
from sessionmagic.models.catalog import Models, ResolvedModel
from sessionmagic.session import (
    Session,
    SessionSummary,
    TurnRecord,
    with_changed_turn,
    with_dead_turns_interrupted,
    with_finished_turn,
    with_override,
    with_turn,
)
from sessionmagic.storage.claims import Holder
from sessionmagic.storage.store import Claim, Store, TinyStore, new_session_id
from sessionmagic.turn import EventLog, Turn, TurnResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_ai.messages import UserContent

    from sessionmagic.agents.runtime import Messages, Outcome
    from sessionmagic.attachment import Attachment

T = TypeVar("T")

POLL_SECONDS = 0.05
STOP_SECONDS = 5.0
PROMPT_LIMIT = 10_000_000
NAME_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a turn will do, decided before anything is stored."""

    session: Session
    is_new: bool
    agent: AgentDefinition
    model: ResolvedModel
    warnings: list[str]
    override: str | None
    """The agent's override from this turn on."""

    @property
    def stored_override(self) -> str | None:
        return self.session.agent_model_overrides.get(self.agent.name)

    @property
    def changes_override(self) -> bool:
        return self.override != self.stored_override

    def without_override(self, session: Session) -> Session:
        """Take back this turn's override, unless someone has changed it since."""
        if session.agent_model_overrides.get(self.agent.name) != self.override:
            return session
        used = [
            reference
            for reference in session.custom_models_used
            if reference != self.override or reference in self.session.custom_models_used
        ]
        session = with_override(session, self.agent.name, self.stored_override)
        return replace(session, custom_models_used=used)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admitted:
    """A turn that is on disk and about to stream."""

    plan: _Plan
    turn: Turn
    record: TurnRecord
    log: EventLog
    claim: Claim
    content: str | Sequence[UserContent]
    history: Messages
    timeout: float | None


class SessionManager:
    """Runs turns on stored sessions, one at a time per session.

    Args:
        store: where sessions live; the user's own store when left out.
        models: which models references can name.
        agents: which agents answer, the default one first.
    """

    def __init__(
        self,
        store: Store | None = None,
        models: Models | None = None,
        agents: Mapping[str, AgentDefinition] | None = None,
    ) -> None:
        self.store: Store = store if store is not None else TinyStore()
        self.models = models if models is not None else Models(home=getattr(self.store, "home", None))
        self.agents = dict(agents or BUILT_IN)
        self._running: dict[str, Turn] = {}

    # -- running -------------------------------------------------------------------------------------------------

    async def run(
        self,
        prompt: str,
        *,
        session: str,
        new: bool = False,
        model: str = "",
        once: bool = False,
        agent: str = "",
        attachments: Sequence[Attachment] = (),
        wait: float | None = 0,
        timeout: float | None = None,
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
            wait: seconds to wait for a busy session, None without limit.
            timeout: seconds after which the turn fails.
            where: the cell or script, for whoever finds the session busy.
            cell_id: the front end's id of the cell.

        Raises:
            SessionBusyError: another turn holds the session.
            ModelReferenceError: the model cannot be used.
            UnknownAgentError: there is no such agent.
            SessionExistsError: `new` was asked for a name that is taken.
            StoreError: the store cannot be read or written.
            PromptError: the prompt is empty or too long.

        Whatever is raised, nothing was stored.
        """
        _check_prompt(prompt)
        _check_name(session)
        if timeout is not None and timeout <= 0:
            raise UsageError("the timeout must be more than 0 seconds")
        definition = find_agent(self.agents, agent)
        deadline = None if wait is None else time.monotonic() + wait
        while True:
            session_id = await _in_thread(self.store.find, session)
            if session_id is not None and new:
                raise SessionExistsError(f"a session named {session!r} is there already")
            target = session_id or new_session_id()
            claim = await self._claim(target, session, where, deadline)
            fresh = _fresh_session(target, session) if session_id is None else None
            try:
                plan = await self._plan(target, fresh, definition, model, once=once)
                prepared = await self._admit(plan, prompt, attachments, claim=claim, timeout=timeout, cell_id=cell_id)
            except SessionExistsError:
                claim.release()
                if new:
                    raise
                continue  # another process created it meanwhile
            except BaseException:
                claim.release()
                raise
            return self._start(prepared)

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

    async def _claim(self, session_id: str, name: str, where: str, deadline: float | None) -> Claim:
        while True:
            taking = asyncio.ensure_future(asyncio.to_thread(self.store.claim, session_id, name, Holder.here(where)))
            try:
                return await asyncio.shield(taking)
            except asyncio.CancelledError:
                taking.add_done_callback(_give_back)
                raise
            except SessionBusyError:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _plan(
        self, session_id: str, fresh: Session | None, agent: AgentDefinition, reference: str, *, once: bool
    ) -> _Plan:
        """Decide everything about a turn, and change nothing."""
        session = fresh or await _in_thread(self.store.load, session_id)
        stored = session.agent_model_overrides.get(agent.name)
        model, warnings = await _in_thread(self._choose, reference, stored, agent)
        if once or not reference:
            override = stored
        else:
            override = None if reference == "default" else reference
        return _Plan(
            session=session,
            is_new=fresh is not None,
            agent=agent,
            model=model,
            warnings=warnings,
            override=override,
        )

    def _choose(self, reference: str, stored: str | None, agent: AgentDefinition) -> tuple[ResolvedModel, list[str]]:
        import sessionmagic.agents.runtime  # noqa: F401  slow to import, so here, off the loop

        warnings: list[str] = []
        if reference and reference != "default":
            model = self.models.resolve(reference)
        else:
            default = agent.model or self.models.default
            model = None
            if stored and not reference:
                try:
                    model = self.models.resolve(stored)
                except ModelReferenceError as error:
                    warnings.append(f"this session's model cannot be used, {default} answers instead: {error}")
            model = model or self.models.resolve(default)
        return model, [*warnings, *([model.warning] if model.warning else [])]

    async def _admit(
        self,
        plan: _Plan,
        prompt: str,
        attachments: Sequence[Attachment],
        *,
        claim: Claim,
        timeout: float | None,
        cell_id: str | None,
    ) -> _Admitted:
        """Write override, agent, prompt and turn at once; only a write that succeeded changes anything."""
        from sessionmagic.agents.runtime import content_of, prompt_message

        content = content_of(prompt, attachments)
        record = TurnRecord(
            id=str(len(plan.session.turns) + 1),
            parent=plan.session.head,
            agent=plan.agent.name,
            model=plan.model.reference,
            prompt=prompt,
            messages=prompt_message(content),
            started_at=time.time(),
            cell_id=cell_id,
        )

        def change(session: Session) -> Session:
            session = with_dead_turns_interrupted(session)
            if session.agent_model_overrides.get(plan.agent.name) != plan.override:
                session = with_override(session, plan.agent.name, plan.override)
            return with_turn(session, record)

        if plan.is_new:
            session = change(plan.session)
            await _in_thread(self.store.create, session)
        else:
            session = await _in_thread(self.store.update, plan.session.id, change)
        log = EventLog(session.id, record.id, plan.agent.name)
        history = [message for turn in session.path(record.parent) for message in turn.messages]
        return _Admitted(
            plan=plan,
            turn=Turn(log, session.id, session.name, record.id),
            record=record,
            log=log,
            claim=claim,
            content=content,
            history=history if record.parent else [],
            timeout=timeout,
        )

    def _start(self, admitted: _Admitted) -> Turn:
        turn = admitted.turn
        self._running[turn.session_id] = turn
        turn.begin(asyncio.create_task(self._stream(admitted)))
        return turn

    async def _stream(self, admitted: _Admitted) -> TurnResult:
        """Ask the model and follow it to the turn's end, whatever that is."""
        from sessionmagic.agents.runtime import AgentRun

        turn, log, record, plan = admitted.turn, admitted.log, admitted.record, admitted.plan
        log.emit(
            TurnStarted,
            session=turn.session_name,
            prompt=record.prompt,
            model=record.model,
            cell_id=record.cell_id,
        )
        for warning in plan.warnings:
            log.emit(Warned, text=warning)
        run = AgentRun(plan.agent, plan.model, log)
        turn.on_cancel(run.cancel)

        async def persist(messages: Messages) -> None:
            def change(session: Session) -> Session:
                return with_changed_turn(session, turn.id, lambda stored: replace(stored, messages=messages))

            await _in_thread(self.store.update, turn.session_id, change)

        outcome = await run.run(admitted.content, admitted.history, persist, admitted.timeout)
        return await self._finish(admitted, outcome)

    async def _finish(self, admitted: _Admitted, outcome: Outcome) -> TurnResult:
        """Write how the turn ended, release the session, then close the event stream."""
        turn, log, record, plan = admitted.turn, admitted.log, admitted.record, admitted.plan
        error: SessionMagicError | None = outcome.error
        undo = isinstance(error, ModelRefusedError) and plan.changes_override
        if undo:
            now = plan.stored_override or "the default"
            log.emit(Warned, text=f"the model of session {turn.session_name!r} is {now} again")

        def finished(stored: TurnRecord) -> TurnRecord:
            return replace(
                stored,
                messages=outcome.messages,
                status=outcome.status,
                usage=outcome.usage,
                answered_by=outcome.answered_by,
                error_code=outcome.error_code,
                error=str(outcome.error) if outcome.error else None,
            )

        def change(session: Session) -> Session:
            session = with_finished_turn(
                session,
                turn.id,
                finished,
                keep_on_path=outcome.status != "failed" or outcome.said_something,
                at=time.time(),
            )
            return plan.without_override(session) if undo else session

        try:
            await _in_thread(self.store.update, turn.session_id, change)
        except SessionNotFoundError:
            pass  # deleted meanwhile, and nothing may bring it back
        except SessionMagicError as problem:
            log.emit(Warned, text=f"the answer could not be stored: {problem}")
            error = error or problem
        admitted.claim.release()
        self._running.pop(turn.session_id, None)
        log.emit(
            TurnFinished,
            status=outcome.status,
            model=outcome.answered_by or record.model,
            error_code=outcome.error_code,
            error=str(error) if error else None,
        )
        turn.end()
        return TurnResult(
            text=turn.transcript.text,
            status=outcome.status,
            usage=outcome.usage,
            model=outcome.answered_by or record.model,
            turn=turn.id,
            session=turn.session_name,
            raw_messages=outcome.messages,
            error=error,
        )

    # -- everything else that is done to sessions ----------------------------------------------------------------

    def running(self) -> list[Turn]:
        """Return the turns that this manager is running."""
        return list(self._running.values())

    def running_turn(self, session: str) -> Turn | None:
        """Return the turn that this manager runs on the session of that name or id, if any."""
        return next((turn for turn in self.running() if session in (turn.session_id, turn.session_name)), None)

    def shutdown(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every turn and wait, at most that long, until what they said is on disk."""
        turns = self.running()
        for turn in turns:
            turn.cancel()
        deadline = time.monotonic() + seconds
        for turn in turns:
            turn.wait(max(0.0, deadline - time.monotonic()))

    def sessions(self) -> tuple[list[SessionSummary], list[str]]:
        """Return all sessions, the latest first, and a line about each file that could not be read.

        A session whose model override no longer resolves has the model ``unresolved (…)``.
        """
        summaries, problems = self.store.summaries()
        usable: dict[str, bool] = {}
        for summary in summaries:
            if summary.overridden and summary.model not in usable:
                usable[summary.model] = self._usable(summary.model)
        shown = [
            summary if usable.get(summary.model, True) else replace(summary, model=f"unresolved ({summary.model})")
            for summary in summaries
        ]
        return sorted(shown, key=lambda summary: summary.updated_at, reverse=True), problems

    def _usable(self, reference: str) -> bool:
        try:
            self.models.check(reference)
        except ModelReferenceError:
            return False
        return True

    def session(self, name: str) -> Session:
        """Return the session of that name or id; raises `SessionNotFoundError`."""
        return self.store.load(self._require(name))

    def set_model(self, session: str, reference: str, agent: str = "") -> Session:
        """Set the session's model override from the next turn on; ``"default"`` clears it.

        Raises `ModelReferenceError`, `UnknownAgentError`, `SessionNotFoundError`; then nothing was changed.
        """
        definition = find_agent(self.agents, agent)
        if reference != "default":
            self.models.resolve(reference)
        override = None if reference == "default" else reference
        return self.store.update(
            self._require(session), lambda stored: with_override(stored, definition.name, override)
        )

    def rename(self, session: str, name: str) -> None:
        """Give the session another name; raises `SessionExistsError`, `SessionNotFoundError`."""
        _check_name(name)
        self.store.rename(self._require(session), name)

    def star(self, session: str, *, starred: bool = True) -> Session:
        """Mark the session, or take the mark away."""
        return self.store.update(self._require(session), lambda stored: replace(stored, starred=starred))

    def stop(self, session: str) -> bool:
        """Ask the session's running turn to stop; whether this manager was running one."""
        turn = self.running_turn(session)
        if turn is None:
            self._require(session)
            return False
        turn.cancel()
        return True

    async def delete(self, session: str) -> None:
        """Stop the session's turn, wait for its end, and remove the session for good.

        Raises `SessionBusyError` when another process runs a turn on it.
        """
        session_id = await _in_thread(self._require, session)
        turn = self._running.get(session_id)
        if turn is not None:
            turn.cancel()
            await asyncio.to_thread(turn.wait, STOP_SECONDS)
        claim = await self._claim(session_id, session, "deleting it", time.monotonic())
        try:
            await _in_thread(self.store.delete, session_id)
        finally:
            claim.release()

    def _require(self, session: str) -> str:
        session_id = self.store.find(session)
        if session_id is None:
            names = [summary.name for summary in self.store.summaries()[0]]
            raise SessionNotFoundError(f"no session {_cut(session)!r}.{did_you_mean(session, names)}")
        return session_id


def _fresh_session(session_id: str, name: str) -> Session:
    now = time.time()
    return Session(id=session_id, name=name, created_at=now, updated_at=now, working_dir=os.getcwd())


def _check_prompt(prompt: str) -> None:
    if not prompt.strip():
        raise PromptError("the prompt is empty: write it in the cell, below the %%agent line")
    if len(prompt) > PROMPT_LIMIT:
        raise PromptError(f"the prompt has {len(prompt):,} characters; at most {PROMPT_LIMIT:,} are sent")


def _check_name(name: str) -> None:
    if not name.strip() or not name.isprintable():
        raise UsageError(f"{_cut(name)!r} is no session name: it needs visible characters on one line")
    if len(name) > NAME_LIMIT:
        raise UsageError(f"a session name has at most {NAME_LIMIT} characters, this one has {len(name):,}")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _give_back(taking: asyncio.Future[Claim]) -> None:
    if not taking.cancelled() and taking.exception() is None:
        taking.result().release()


async def _in_thread(call: Callable[..., T], *args: Any) -> T:
    """Call in a worker thread, to its end even when the awaiting task is cancelled meanwhile."""
    try:
        work = asyncio.get_running_loop().run_in_executor(None, call, *args)
    except RuntimeError:  # the interpreter is shutting down and starts no more threads
        return call(*args)
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()
        raise cancelled
    return work.result()
