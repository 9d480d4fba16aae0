"""The comparisons in a session: turns of several models that continue the same turn, and the user's votes on them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.column import Vote
from sessionmagic.conversation.tree import with_changed_turn
from sessionmagic.exceptions import UsageError
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.transcript import Transcript


HIDDEN = "hidden until %agent reveal, because it may name the model"


def comparisons(session: Session) -> list[list[TurnRecord]]:
    """Return the turns of each comparison, in the order of their columns. The latest comparison comes last."""
    found: dict[str, list[TurnRecord]] = {}
    for turn in session.turns:
        if turn.column is not None:
            found.setdefault(turn.column.comparison, []).append(turn)
    return [sorted(turns, key=_place) for turns in found.values()]


def _place(turn: TurnRecord) -> tuple[int, int]:
    assert turn.column is not None  # noqa: S101  only turns of comparisons are sorted
    return turn.column.number, turn.column.repeat


def comparison_in(session: Session, comparison: str = "") -> list[TurnRecord]:
    """Return the turns of a comparison, by its id, or of the latest one. Raises `UsageError` when there is none."""
    found = [turns for turns in comparisons(session) if not comparison or _is_of(turns[0], comparison)]
    if not found:
        what = "no longer has this comparison" if comparison else "has no comparison"
        raise UsageError(f"session {session.name!r} {what}; %%agent --compare MODEL MODEL makes one")
    return found[-1]


def _is_of(turn: TurnRecord, comparison: str) -> bool:
    return turn.column is not None and turn.column.comparison == comparison


def turn_of_column(turns: Sequence[TurnRecord], column: str, repeat: int = 1) -> TurnRecord:
    """Return a turn of a comparison.

    Args:
        turns: The turns of the comparison.
        column: The number of the column, its letter, or its label.
        repeat: Which of the column's runs.

    Raises `UsageError` when there is no such turn.
    """
    for turn in turns:
        at = turn.column
        if at is not None and column.casefold() in (str(at.number), at.letter.casefold(), at.name.casefold()):
            runs = [each for each in turns if each.column is not None and each.column.number == at.number]
            if not 1 <= repeat <= len(runs):
                raise UsageError(f"column {at.name} has {counted(len(runs), 'run')}; give one of them with --repeat")
            return runs[repeat - 1]
    names = ", ".join(dict.fromkeys(f"{turn.column.number} ({turn.column.name})" for turn in turns if turn.column))
    raise UsageError(f"there is no column {shortened(column)!r}; the columns are {names}")


def shown(transcript: Transcript, column: Column | None) -> Transcript:
    """Return a transcript as it is shown: while its column is hidden, nothing in it names the model."""
    if column is None or not column.hidden:
        return transcript
    warnings = (HIDDEN,) if transcript.warnings else ()
    error = HIDDEN if transcript.error else None
    return replace(transcript, model=column.name, warnings=warnings, error=error)


def shown_turn(turn: TurnRecord) -> TurnRecord:
    """Return a turn with the model and the settings that are shown: those of a hidden column are not."""
    column = turn.column
    if column is None or not column.hidden:
        return turn
    settings = {name: value for name, value in turn.settings.items() if name not in column.settings}
    return replace(turn, model=column.name, settings=settings)


def with_vote(session: Session, turns: Sequence[TurnRecord], choice: str, *, at: float) -> Session:
    """Return the session with the user's vote on a comparison, which replaces an earlier one.

    Args:
        session: The session.
        turns: The turns of the comparison.
        choice: The number of the best column, its letter, or its label; ``"tie"``; or ``"bad"`` when all are bad.
        at: The time of the vote.

    Raises `UsageError` when there is no such column.
    """
    voted = choice if choice in ("tie", "bad") else turn_of_column(turns, choice).id
    blind = any(turn.column is not None and turn.column.hidden for turn in turns)
    vote = Vote(voted, at, blind=blind)
    return with_changed_turn(session, turns[0].id, lambda turn: replace(turn, vote=vote))


def revealed(session: Session, turns: Sequence[TurnRecord]) -> Session:
    """Return the session with the columns of a comparison named by their labels."""
    for turn in turns:
        if turn.column is not None and turn.column.hidden:
            named = partial(replace, column=replace(turn.column, hidden=False))
            session = with_changed_turn(session, turn.id, named)
    return session
