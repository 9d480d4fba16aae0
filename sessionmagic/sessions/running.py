"""The running turns of a manager: how to find and stop them, send them messages and answer their approvals."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.agents.commands import expanded
from sessionmagic.conversation.tree import with_changed_turn
from sessionmagic.exceptions import (
    ApprovalNotOpenError,
    PromptError,
    SessionIdleError,
    SessionNotFoundError,
    StoreError,
    UsageError,
)
from sessionmagic.loop import in_thread
from sessionmagic.tools.tool_code import refuse_tools
from sessionmagic.turns.group import open_group
from sessionmagic.turns.inbox import UsedKeys
from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.words import shortened

ENDING_SECONDS = 5.0
"""How long a queued prompt waits for a turn that is just ending to release its session."""
SENT_REQUESTS = 20
"""Of how many sessions the last model request is kept."""

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sessionmagic.conversation.events import Decision
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.approvals import Approval
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.inbox import Kind
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.sent_request import SentRequest
    from sessionmagic.turns.turn import Turn


class RunningTurns:
    """The turns that one manager runs. Methods can be called on any thread, and coroutines awaited on any loop.

    A session is given by its name or id. `SessionNotFoundError` is raised when there is no such session.
    """

    def __init__(self, sessions: Sessions, store: Store) -> None:
        self._sessions = sessions
        self._store = store
        self._turns: dict[tuple[str, str], Turn] = {}
        self._sent: dict[str, SentRequest] = {}
        """The last model request of each session by its id, in the order in which their turns have ended."""
        self._replayed: dict[str, Turn] = {}
        """The latest turn of each session, if it got messages from a recording, by the session's id."""
        self.queue_keys = UsedKeys()
        """The keys under which messages were queued, by session id."""

    def add(self, turn: Turn) -> None:
        """Add a turn that starts. For the manager."""
        self._turns[turn.session_id, turn.id] = turn

    def remove(self, turn: Turn) -> None:
        """Remove a turn that has ended, and free the keys of its undelivered messages. For the manager."""
        self._turns.pop((turn.session_id, turn.id), None)
        self._replayed.pop(turn.session_id, None)
        if turn.inbox.has_said_again:
            self._replayed[turn.session_id] = turn
        if turn.sent is not None:
            self._sent.pop(turn.session_id, None)
            self._sent[turn.session_id] = turn.sent
        while len(self._sent) > SENT_REQUESTS:
            del self._sent[next(iter(self._sent))]
        for key in turn.inbox.waiting_keys:
            self.queue_keys.free(turn.session_id, key)

    def running(self) -> list[Turn]:
        """Return all running turns."""
        return list(self._turns.values())

    def of(self, session: str) -> list[Turn]:
        """Return the running turns of the session."""
        return self.of_id(self._sessions.id_of(session))

    def of_id(self, session_id: str) -> list[Turn]:
        """Return the running turns of the session with that id, without looking it up in the store."""
        return [turn for turn in self.running() if turn.session_id == session_id]

    def find(self, session_id: str, turn_id: str) -> Turn | None:
        """Return the turn with that id if this manager runs it, or None."""
        return self._turns.get((session_id, turn_id))

    def sent(self, session: str) -> SentRequest | None:
        """Return the session's last model request as it went out; None if this manager has made none.

        It is kept in memory and not stored. Only the latest sessions have theirs.
        """
        session_id = self._sessions.id_of(session)
        latest = [turn.sent for turn in self.of_id(session_id) if turn.sent is not None]
        return latest[-1] if latest else self._sent.get(session_id)

    def stop(self, session: str) -> bool:
        """Ask the session's turns, and the comparison that they belong to, to stop. Return whether any were running."""
        return self.stop_id(self._sessions.id_of(session))

    def stop_id(self, session_id: str) -> bool:
        """Do the same for the session with that id, without looking it up in the store."""
        turns, group = self.of_id(session_id), open_group(session_id)
        stop_group = group.on_stop if group is not None else None
        if stop_group is not None:  # first, so that no further turn starts
            stop_group()
        for turn in turns:
            turn.cancel()
        return bool(turns) or stop_group is not None

    def approvals(self) -> list[tuple[Turn, Approval]]:
        """Return the open approvals, each with its turn."""
        return [(turn, approval) for turn in self.running() for approval in turn.approvals.open]

    def questions(self) -> list[tuple[Turn, Question]]:
        """Return the open questions, each with its turn. `Turn.questions` takes the answer."""
        return [(turn, question) for turn in self.running() for question in turn.questions.open]

    def approve(self, approval_id: str, decision: Decision, reason: str = "") -> Approval:
        """Decide on an open approval, and return it.

        Raises `ApprovalNotOpenError` when no turn of this manager has an open approval with that id, and `ToolError`
        when the caller runs for a tool call.
        """
        refuse_tools("decide on a tool call")
        for turn, approval in self.approvals():
            if approval.id == approval_id:
                return turn.approvals.resolve(approval_id, decision, reason)
        raise ApprovalNotOpenError(f"no open approval has the id {approval_id!r}; %agent approve lists the open ones")

    async def steer(self, session: str, *texts: str, turn: str = "", values: Sequence[str] = ()) -> Turn:
        """Send messages to the session's turn, for its next model request; see `say`."""
        return await self.say(session, "steer", *texts, turn=turn, values=values)

    async def queue(
        self, request: Request, start: Callable[[Request], Awaitable[Turn]], *, turn: str = "", key: str = ""
    ) -> Turn | None:
        """Do what `SessionManager.queue` does. `start` starts the turn on an idle session."""
        known = await in_thread(self._store.find, request.session)
        with self.queue_keys.once(known or request.session, key) as new:
            if not new:
                return None
            with suppress(SessionIdleError, SessionNotFoundError):
                return await self.say(
                    request.session, "queue", request.prompt, turn=turn, key=key, values=request.values
                )
            for running in self.of_id(known) if known else ():
                if running.inbox.refuses:
                    await running.result()
            started = await start(replace(request, wait=request.wait or ENDING_SECONDS))
            self.queue_keys.use(started.session_id, key)
            if known is None:
                self.queue_keys.free(request.session, key)  # another session may have this name later
            return started

    async def say(
        self, session: str, kind: Kind, *texts: str, turn: str = "", key: str = "", values: Sequence[str] = ()
    ) -> Turn:
        """Send messages to the session's turn, and return the turn. It accepts all of the messages or none.

        Args:
            session: Name or id.
            kind: ``"steer"`` delivers the messages before the next model request, ``"queue"`` when the model is done.
            texts: The messages.
            turn: The id of the turn; required when the session has several running turns. A turn that got the messages
                from its recording does not get them twice, and may have ended.
            key: The key that the messages were queued under. It is freed if the turn ends before it delivers them.
            values: The expressions whose values the messages hold; stored and shown with the turn.

        Raises:
            SessionIdleError: This manager runs no such turn, or it writes a summary.
            InboxFullError: Too many messages are waiting.
            PromptError: A message is empty.
            UsageError: The named turn is not running, or several turns are and none was named.
        """
        session_id = await in_thread(self._sessions.id_of, session)
        running = self.of_id(session_id)
        for candidate in (*running, *filter(None, [self._replayed.get(session_id)])):
            if turn in ("", candidate.id) and candidate.inbox.was_said_again(_as_said(candidate, kind, texts)):
                return candidate
        if not running:
            raise SessionIdleError(
                f"session {session!r} has no running turn in this kernel; start one with a cell or %agent queue"
            )
        ids = ", ".join(candidate.id for candidate in running)
        matching = [candidate for candidate in running if turn in ("", candidate.id)]
        if not matching:
            raise UsageError(
                f"turn {shortened(turn)} of session {running[0].session_name!r} is not running; running turns: {ids}"
            )
        if len(matching) > 1:
            raise UsageError(f"session {running[0].session_name!r} has several running turns; name one of {ids}")
        await self.tell(matching[0], kind, *texts, key=key, values=values)
        return matching[0]

    async def tell(self, turn: Turn, kind: Kind, *texts: str, key: str = "", values: Sequence[str] = ()) -> None:
        """Send messages to a turn of this manager, as `say` does; raises `SessionIdleError` when it has ended."""
        if not all(text.strip() for text in texts):
            raise PromptError("the message is empty; write it after the subcommand")
        texts = _as_said(turn, kind, texts)
        await ready_for(*texts)
        turn.inbox.accept(kind, texts, key, values)

        def changed(record: TurnRecord) -> TurnRecord:
            return replace(record, waiting=turn.inbox.waiting, values=list(dict.fromkeys((*record.values, *values))))

        def change(stored: Session) -> Session:
            return with_changed_turn(stored, turn.id, changed)

        with suppress(StoreError):  # the messages are accepted anyway, and stored with the turn's next write
            await in_thread(self._store.update, turn.session_id, change)


def _as_said(turn: Turn, kind: Kind, texts: Sequence[str]) -> tuple[str, ...]:
    """Return messages as the model reads them: a queued one may be a command of the agent."""
    return tuple(expanded(text, turn.commands)[0] if kind == "queue" else text for text in texts)
