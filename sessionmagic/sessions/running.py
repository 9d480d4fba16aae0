"""The turns that run here, by their sessions: what they ask, and what they are told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import Session, with_changed_turn
from sessionmagic.exceptions import ApprovalNotOpenError, PromptError, SessionIdleError, StoreError
from sessionmagic.loop import in_thread
from sessionmagic.turns.inbox import UsedKeys

if TYPE_CHECKING:
    from sessionmagic.conversation.events import Decision
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.approvals import Approval
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.inbox import Kind
    from sessionmagic.turns.turn import Turn


class RunningTurns:
    """The turns that one manager runs, at most one a session. From any thread; coroutines on any loop.

    What takes a session takes its name or id, and raises `SessionNotFoundError` when there is none.
    """

    def __init__(self, sessions: Sessions, store: Store) -> None:
        self._sessions = sessions
        self._store = store
        self._by_session: dict[str, Turn] = {}
        self.queue_keys = UsedKeys()
        """The keys under which something was queued, by the session's id."""

    def add(self, turn: Turn) -> None:
        """Begin to know a turn. For the manager."""
        self._by_session[turn.session_id] = turn

    def remove(self, turn: Turn) -> None:
        """Forget a turn, and the keys of what it has not delivered. For the manager."""
        self._by_session.pop(turn.session_id, None)
        for key in turn.inbox.waiting_keys:
            self.queue_keys.free(turn.session_id, key)

    def running(self) -> list[Turn]:
        """Return all of them."""
        return list(self._by_session.values())

    def of(self, session: str) -> Turn | None:
        """Return the turn that runs on the session, if one does."""
        return self.of_id(self._sessions.id_of(session))

    def of_id(self, session_id: str) -> Turn | None:
        """Return the turn that runs on the session of that id, whether there is such a session or not."""
        return self._by_session.get(session_id)

    def stop(self, session: str) -> bool:
        """Ask the session's turn to stop; whether one ran."""
        turn = self.of(session)
        if turn is not None:
            turn.cancel()
        return turn is not None

    def approvals(self) -> list[tuple[Turn, Approval]]:
        """Return the tool calls that wait for a yes."""
        return [(turn, approval) for turn in self.running() for approval in turn.approvals.open]

    def questions(self) -> list[tuple[Turn, Question]]:
        """Return what MCP servers ask; `Turn.questions` takes the answer."""
        return [(turn, question) for turn in self.running() for question in turn.questions.open]

    def approve(self, approval_id: str, decision: Decision, reason: str = "") -> Approval:
        """Answer an open approval; raises `ApprovalNotOpenError` when it is not, or is another process's."""
        for turn, approval in self.approvals():
            if approval.id == approval_id:
                return turn.approvals.resolve(approval_id, decision, reason)
        raise ApprovalNotOpenError(f"no approval {approval_id!r} is open here; %agent approve lists those that are")

    async def steer(self, session: str, *texts: str) -> Turn:
        """Tell the session's turn something before its next model request; see `say`."""
        return await self.say(session, "steer", *texts)

    async def say(self, session: str, kind: Kind, *texts: str, key: str = "") -> Turn:
        """Tell the session's turn something, and return it: all of the texts, or none.

        Args:
            session: name or id.
            kind: ``"steer"`` is delivered before the next model request, ``"queue"`` when the model is done.
            texts: what to say.
            key: of `queue_keys`, which is new again when the turn ends before it has delivered them.

        Raises `SessionIdleError` when no turn runs there, `InboxFullError`, `PromptError`.
        """
        turn = self.of_id(await in_thread(self._sessions.id_of, session))
        if turn is None:
            raise SessionIdleError(f"no turn of this kernel runs on {session!r}; ask with a cell, or with %agent queue")
        await self.tell(turn, kind, *texts, key=key)
        return turn

    async def tell(self, turn: Turn, kind: Kind, *texts: str, key: str = "") -> None:
        """Do what `say` does, for a turn of this manager; raises `SessionIdleError` when that has ended."""
        if not all(text.strip() for text in texts):
            raise PromptError("there is nothing to say: write it after the subcommand")
        turn.inbox.accept(kind, texts, key)

        def change(stored: Session) -> Session:
            return with_changed_turn(stored, turn.id, lambda record: replace(record, waiting=turn.inbox.waiting))

        with suppress(StoreError):  # it is said all the same, and the turn writes it with its next message
            await in_thread(self._store.update, turn.session_id, change)
