"""The comparisons of the stored sessions: go on with an answer, vote, let a judge vote, and reveal who answered."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.contestants import Contestant
from sessionmagic.comparing.judging import Answer
from sessionmagic.conversation.column import Verdict
from sessionmagic.conversation.comparison import comparison_in, comparisons, revealed, turn_of_column, with_vote
from sessionmagic.conversation.session import with_override
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.tree import with_changed_turn, with_head
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.exceptions import UsageError
from sessionmagic.loop import in_thread
from sessionmagic.turns.account import account_of

if TYPE_CHECKING:
    from sessionmagic.comparing.grid_row import GridRow
    from sessionmagic.comparing.judge import Judge
    from sessionmagic.comparing.preferences import Preferences
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.branches import Branches
    from sessionmagic.sessions.recordings import Recordings
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
        recordings: Get the verdicts that they do not have.
    """

    def __init__(self, store: Store, sessions: Sessions, branches: Branches, recordings: Recordings) -> None:
        self._recordings = recordings
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

    def keep_turn(self, session: str, turn: str, *, comparison: str = "", model: bool = False) -> None:
        """Let the session go on with a turn of a comparison.

        Args:
            session: Name or id.
            turn: The id of the turn, which becomes the head.
            comparison: The id of its comparison, which the session must still have; empty if that is certain.
            model: Whether its model becomes the override of its agent, and the settings that set its column apart
                become the session's. A column of the default removes the override.

        Raises `SessionBusyError` when a turn has claimed the session.
        """

        def change(stored: Session) -> Session:
            if comparison:  # in a session that was emptied, another turn may have the id
                comparison_in(stored, comparison)
            stored = with_head(stored, turn, at=time.time())
            kept = stored.turn(turn)
            if not model or kept.column is None:
                return stored
            stored = replace(stored, settings={**stored.settings, **kept.column.settings})
            was_default = kept.column.label == Contestant("default", kept.column.settings).label
            return with_override(stored, kept.agent, None if was_default else kept.model)

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

    def votes(self, session: str) -> Preferences:
        """Return what the user's votes on the session's comparisons say about the models.

        Comparisons whose names are still hidden are left out. Raises `UsageError` if nobody has voted, and if the
        libraries for statistics are not installed.
        """
        from sessionmagic.comparing.preferences import preferences, votes_among

        stored = self._sessions.load(session)
        found = []
        for turns in comparisons(stored):
            vote, labels = turns[0].vote, {turn.id: turn.column.label for turn in turns if turn.column is not None}
            if vote is None or any(turn.column is not None and turn.column.hidden for turn in turns):
                continue
            winner, among = labels.get(vote.best), list(dict.fromkeys(labels.values()))
            found += votes_among(among, winner, all_bad=vote.best == "bad", prompt=turns[0].id)
        if not found:
            raise UsageError(
                f"session {stored.name!r} has no votes on comparisons whose names show; "
                "%agent vote COLUMN votes, and %agent reveal shows the names"
            )
        return preferences(found)

    def reveal(self, session: str) -> list[TurnRecord]:
        """Name the columns of the latest comparison by their labels from now on, and return its turns."""

        def change(stored: Session) -> Session:
            return revealed(stored, comparison_in(stored))

        return comparison_in(self._store.update(self._sessions.id_of(session), change))

    async def judge(self, session: str, judge: Judge, *, comparison: str = "", **options: Any) -> list[TurnRecord]:
        """Let a model judge each two answers of a comparison in both orders, and return the turns of the comparison.

        The judge is told the prompt and the answers, without the history, the attachments and the names. Its verdicts
        and its requests are stored with the first turn of the comparison.

        Args:
            session: Name or id.
            judge: The judge.
            comparison: The id of the comparison; by default the latest one.
            options: Other fields of `GridRequest`, such as `progress`.

        Raises `UsageError` when fewer than two answers were completed, what a grid raises, and what
        `Recordings.add_verdicts` raises.
        """
        from sessionmagic.comparing.grids import Grids
        from sessionmagic.comparing.judge import judged
        from sessionmagic.comparing.plan import Spender
        from sessionmagic.turns.charged_model import require_price

        stored = await in_thread(self._sessions.load, session)
        account = account_of(stored)
        models = await in_thread(lambda: self._sessions.models_of(self._sessions.agent_of(stored)))
        require_price(await in_thread(models.resolve, judge.model), account)
        turns = comparison_in(stored, comparison)
        answered = {
            (str(turn.column.number), turn.column.repeat): turn  # labels may be equal, as long settings are shortened
            for turn in turns
            if turn.column is not None and turn.status == "completed"
        }
        answers = [
            Answer("", number, repeat, transcript_of(stored.name, turn, stored.turns).text)
            for (number, repeat), turn in answered.items()
        ]
        found = await judged(
            Grids(lambda: models, None).run,
            judge,
            answers,
            {"": turns[0].prompt},
            [Contestant(turn.model, turn.column.settings) for turn in turns if turn.column is not None],
            max_cost=account.left,
            spender=Spender("the judge", "the {} left in the session's budget", account.advice, account.advice),
            **options,
        )
        verdicts = [
            Verdict(
                judge.model,
                answered[pair.first.contestant, pair.first.repeat].id,
                answered[pair.second.contestant, pair.second.repeat].id,
                judgement.straight,
                judgement.swapped,
                judge.criteria,
            )
            for pair, judgement in zip(found.pairs, found.judgements, strict=True)
        ]
        requests = [_request_of(row, turns[0].agent) for row in found.results]

        def change(turn: TurnRecord) -> TurnRecord:
            return replace(turn, verdicts=verdicts, requests=[*turn.requests, *requests])

        changed = await in_thread(
            self._store.update, stored.id, partial(with_changed_turn, turn_id=turns[0].id, change=change)
        )
        if found.is_new:
            await in_thread(self._recordings.add_verdicts, stored.id, turns[0].id)
        return comparison_in(changed, comparison)


def _request_of(row: GridRow, agent: str) -> RequestRecord:
    """Return the record of a judge's request."""
    known = row.input_tokens is not None
    usage = Usage(
        input_tokens=row.input_tokens or 0,
        output_tokens=row.output_tokens or 0,
        cost=row.cost,
        unmeasured_requests=int(not known and row.answer is not None),
        unpriced_requests=int(known and row.cost is None),
    )
    return RequestRecord(
        agent=agent,
        model=row.answered_by or row.model,
        usage=usage,
        seconds=row.seconds or 0.0,
        purpose="judge",
        wrote=row.answer or "",
    )
