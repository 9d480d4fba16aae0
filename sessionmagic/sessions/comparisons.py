"""The comparisons of the stored sessions: go on with an answer, vote, and reveal who answered."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.comparison import comparison_in, revealed, turn_of_column, with_vote
from sessionmagic.conversation.session import with_override
from sessionmagic.conversation.tree import with_head

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.branches import Branches
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store


class Comparisons:
    """The latest comparison of each stored session.

    `SessionNotFoundError` and `StoreError` are raised as by `Sessions`, and `UsageError` when the session has no
    comparison, or the comparison no such column.

    Args:
        store: The store.
        sessions: Its sessions.
        branches: Their trees.
    """

    def __init__(self, store: Store, sessions: Sessions, branches: Branches) -> None:
        self._store = store
        self._sessions = sessions
        self._branches = branches

    def keep(self, session: str, column: str, *, repeat: int = 1, model: bool = False) -> TurnRecord:
        """Let the session go on with the answer of a column, and return its turn.

        Args:
            session: Name or id.
            column: The number of the column, its letter, or its label.
            repeat: Which of the column's runs.
            model: Whether the column's model becomes the session's.

        Raises `SessionBusyError` when a turn has claimed the session.
        """
        stored = self._sessions.load(session)
        turn = turn_of_column(comparison_in(stored), column, repeat)
        self.keep_turn(stored.id, turn.id, model=model)
        return turn

    def keep_turn(self, session: str, turn: str, *, model: bool = False) -> None:
        """Let the session go on with a turn of a comparison.

        Args:
            session: Name or id.
            turn: The id of the turn, which becomes the head.
            model: Whether its model becomes the override of its agent, and the settings that set its column apart
                become the session's.

        Raises `SessionBusyError` when a turn has claimed the session.
        """

        def change(stored: Session) -> Session:
            stored = with_head(stored, turn, at=time.time())
            kept = stored.turn(turn)
            if not model or kept.column is None:
                return stored
            stored = replace(stored, settings={**stored.settings, **kept.column.settings})
            return with_override(stored, kept.agent, kept.model)

        self._branches.change_alone(session, "%agent keep", change)

    def vote(self, session: str, choice: str, *, comparison: str = "") -> list[TurnRecord]:
        """Store the user's vote on a comparison, which replaces an earlier one, and return the turns of the comparison.

        Args:
            session: Name or id.
            choice: The number of the best column, its letter, or its label; ``"tie"``; or ``"bad"`` when all are bad.
            comparison: The id of the comparison; by default the latest one.
        """

        def change(stored: Session) -> Session:
            return with_vote(stored, comparison_in(stored, comparison), choice, at=time.time())

        return comparison_in(self._store.update(self._sessions.id_of(session), change), comparison)

    def reveal(self, session: str) -> list[TurnRecord]:
        """Name the columns of the latest comparison by their labels from now on, and return its turns."""

        def change(stored: Session) -> Session:
            return revealed(stored, comparison_in(stored))

        return comparison_in(self._store.update(self._sessions.id_of(session), change))
