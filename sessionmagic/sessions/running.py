"""The turns that run here, by their sessions: what they ask, and what they are told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.tree import with_changed_turn
from sessionmagic.exceptions import ApprovalNotOpenError, PromptError, SessionIdleError, StoreError, UsageError
from sessionmagic.loop import in_thread
from sessionmagic.turns.inbox import UsedKeys

if TYPE_CHECKING:
    from sessionmagic.conversation.events import Decision
    from sessionmagic.conversation.session import Session
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.approvals import Approval
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.inbox import Kind
    from sessionmagic.turns.turn import Turn


class RunningTurns:
    """The turns that one manager runs. Their methods may be called from any thread, coroutines on any loop.

    Wherever a session is taken, that is its name or id, and `SessionNotFoundError` is raised when there is none.
    """

    def __init__(self, sessions: Sessions, store: Store) -> None:
        self._sessions = sessions
        self._store = store
        self._turns: dict[tuple[str, str], Turn] = {}
        self.queue_keys = UsedKeys()
        """The keys under which something was queued, by the session's id."""

    def add(self, turn: Turn) -> None:
        """Begin to know a turn. For the manager."""
        self._turns[turn.session_id, turn.id] = turn

    def remove(self, turn: Turn) -> None:
        """Forget a turn, and the keys of what it has not delivered. For the manager."""
        self._turns.pop((turn.session_id, turn.id), None)
        for key in turn.inbox.waiting_keys:
            self.queue_keys.free(turn.session_id, key)

    def running(self) -> list[Turn]:
        """Return all of them."""
        return list(self._turns.values())

    def of(self, session: str) -> list[Turn]:
        """Return the turns that run on the session."""
        return self.of_id(self._sessions.id_of(session))

    def of_id(self, session_id: str) -> list[Turn]:
        """Return the turns that run on the session with that id, whether there is such a session or not."""
        return [turn for turn in self.running() if turn.session_id == session_id]

    def find(self, session_id: str, turn_id: str) -> Turn | None:
        """Return the turn with that id, if it runs here."""
        return self._turns.get((session_id, turn_id))

    def stop(self, session: str) -> bool:
        """Ask the session's turns to stop. Return whether any ran."""
        turns = self.of(session)
        for turn in turns:
            turn.cancel()
        return bool(turns)

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

    async def steer(self, session: str, *texts: str, turn: str = "") -> Turn:
        """Tell the session's turn something before its next model request; see `say`."""
        return await self.say(session, "steer", *texts, turn=turn)

    async def say(self, session: str, kind: Kind, *texts: str, turn: str = "", key: str = "") -> Turn:
        """Tell the session's turn all of these texts, or none, and return the turn.

        Args:
            session: Name or id.
            kind: ``"steer"`` is delivered before the next model request, ``"queue"`` when the model is done.
            texts: What to say.
            turn: The id of the turn; needed when several run on the session.
            key: One of `queue_keys`. It can be used again when the turn ends before it has delivered the texts.

        Raises `SessionIdleError` when no such turn runs, `InboxFullError`, `PromptError`, and `UsageError` when several
        turns run and none is named.
        """
        running = self.of_id(await in_thread(self._sessions.id_of, session))
        named = [each for each in running if turn in ("", each.id)]
        if not named:
            raise SessionIdleError(f"no turn of this kernel runs on {session!r}; ask with a cell, or with %agent queue")
        if len(named) > 1:
            ids = ", ".join(each.id for each in named)
            raise UsageError(f"turns {ids} run on {session!r}; name one of them")
        await self.tell(named[0], kind, *texts, key=key)
        return named[0]

    async def tell(self, turn: Turn, kind: Kind, *texts: str, key: str = "") -> None:
        """Do what `say` does, for a turn of this manager; raises `SessionIdleError` when that has ended."""
        if not all(text.strip() for text in texts):
            raise PromptError("there is nothing to say: write it after the subcommand")
        turn.inbox.accept(kind, texts, key)

        def change(stored: Session) -> Session:
            return with_changed_turn(stored, turn.id, lambda record: replace(record, waiting=turn.inbox.waiting))

        with suppress(StoreError):  # it is said all the same, and the turn writes it with its next message
            await in_thread(self._store.update, turn.session_id, change)
