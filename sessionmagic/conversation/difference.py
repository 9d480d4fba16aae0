"""How two turns or two branches differ: the first tool call that is not the same, and the texts word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Literal

from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.exceptions import UsageError
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.transcript import Transcript

Kind = Literal["same", "removed", "added"]
WORDS = 1_000
"""The words of a passage that are compared one by one, not counting equal ones at its ends."""
LINES = 1_500
"""The lines of a text that are compared; the rest is left out, with a note."""
LONGEST = 200_000
"""The characters of a text that are compared."""


@dataclass(frozen=True, slots=True)
class Change:
    """A passage of two texts: in both, only in the first, or only in the second."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class TextDifference:
    """The difference between two prompts or two answers."""

    what: str
    """Which texts they are, such as ``"answer of churn@3 and of churn@7"``."""
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether the texts are equal."""
        return all(change.kind == "same" for change in self.changes)


@dataclass(frozen=True, slots=True)
class CallDifference:
    """The first tool call that is not the same on both sides; None on a side that makes no further call."""

    number: int
    """The place of the call, from 1."""
    first: ToolBlock | None
    second: ToolBlock | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference between two sides, each a turn or several turns of a branch."""

    first: str
    """The first side as it is typed, such as ``churn@3``."""
    second: str
    calls: tuple[int, int]
    """How many tool calls each side makes."""
    call: CallDifference | None
    """None if both sides make the same calls, with the same results."""
    texts: tuple[TextDifference, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a session, and the turn that is named in it, if one is."""

    session: Session
    turn_id: str | None = None

    def tip(self) -> TurnRecord:
        """Return the named turn, or the session's head. Raises `UsageError` if there is none."""
        named = self.turn_id or self.session.head
        turn = next((turn for turn in self.session.turns if turn.id == named), None)
        if turn is not None:
            return turn
        if self.turn_id is None:
            raise UsageError(f"session {self.session.name!r} has no turns yet; run a cell on it first")
        known = f"its last turn is {self.session.turns[-1].id}" if self.session.turns else "it has no turns yet"
        raise UsageError(f"session {self.session.name!r} has no turn {shortened(self.turn_id)!r}; {known}")


def difference(one: Side, other: Side) -> Difference:
    """Return how two sides differ.

    Two branches of one session are compared from where they part, without summaries. A turn and one that continues it,
    and turns of two sessions, are compared alone. Two sessions without a turn are compared from their beginnings.

    Raises `UsageError` when a turn does not exist, or both sides are the same one.
    """
    turns, others = _compared(one, other)
    transcripts = [transcript_of(one.session.name, turn, one.session.turns) for turn in turns]
    other_transcripts = [transcript_of(other.session.name, turn, other.session.turns) for turn in others]
    calls = [block for each in transcripts for block in each.blocks if isinstance(block, ToolBlock)]
    other_calls = [block for each in other_transcripts for block in each.blocks if isinstance(block, ToolBlock)]
    texts: list[TextDifference] = []
    for first, second in zip_longest(transcripts, other_transcripts):
        names = " and ".join(f"of {_named(each)}" for each in (first, second) if each is not None)
        for what in ("prompt", "text"):
            pair = [getattr(each, what) if each is not None else "" for each in (first, second)]
            heading = f"{'answer' if what == 'text' else what} {names}"
            texts.append(TextDifference(heading, changes_between(*pair)))
    return Difference(
        first=f"{one.session.name}@{one.tip().id}",
        second=f"{other.session.name}@{other.tip().id}",
        calls=(len(calls), len(other_calls)),
        call=first_call_that_differs(calls, other_calls),
        texts=tuple(texts),
    )


def _named(turn: Transcript) -> str:
    """Return how a turn is typed, and how it ended unless it completed: its answer may be only a part."""
    name = f"{turn.session}@{turn.turn_id}"
    return name if turn.status == "completed" else f"{name} ({turn.status})"


def _compared(one: Side, other: Side) -> tuple[list[TurnRecord], list[TurnRecord]]:
    """Return the turns of each side that are compared."""
    tip, other_tip = one.tip(), other.tip()
    if one.session.id != other.session.id:
        if one.turn_id is None and other.turn_id is None:
            return _asked(one.session.path()), _asked(other.session.path())
        return [tip], [other_tip]
    if tip.id == other_tip.id:
        raise UsageError(f"both are turn {tip.id} of session {one.session.name!r}; name two turns")
    path, other_path = one.session.path(tip.id), one.session.path(other_tip.id)
    shared = sum(1 for a, b in zip(path, other_path, strict=False) if a.id == b.id)
    if shared in {len(path), len(other_path)}:  # one continues the other
        return [tip], [other_tip]
    return _asked(path[shared:]), _asked(other_path[shared:])


def _asked(turns: list[TurnRecord]) -> list[TurnRecord]:
    """Return the turns without summaries, so that prompts are compared with prompts, unless these are all."""
    return [turn for turn in turns if turn.kind != "compaction"] or turns


def first_call_that_differs(calls: Sequence[ToolBlock], others: Sequence[ToolBlock]) -> CallDifference | None:
    """Return the first call whose tool, arguments, outcome or result is not the same, or None."""
    for number, (one, other) in enumerate(zip_longest(calls, others), 1):
        if one is None or other is None or _facts(one) != _facts(other):
            return CallDifference(number, one, other)
    return None


def _facts(call: ToolBlock) -> tuple[object, ...]:
    return call.tool, call.args, call.outcome, call.content


def changes_between(text: str, other: str) -> tuple[Change, ...]:
    """Return the passages of two texts, word by word; line by line where a passage is very long.

    The time is bounded: of very long texts, the ends are not compared, and a note says so.
    """
    lines, cut = _lines(text)
    other_lines, other_cut = _lines(other)
    changes: list[Change] = []
    for before, after in _matched(lines, other_lines):
        if before == after:
            changes.append(Change("same", "".join(before)))
        else:
            words, other_words = (re.findall(r"\s+|\S+\s*", "".join(part)) for part in (before, after))
            for removed, added in _matched(words, other_words, WORDS):
                if removed == added:
                    changes.append(Change("same", "".join(removed)))
                else:
                    changes += [Change("removed", "".join(removed)), Change("added", "".join(added))]
    if cut or other_cut:
        changes.append(Change("same", f"\n[{cut:,} and {counted(other_cut, 'more character')} were not compared]"))
    return _joined(changes)


def _lines(text: str) -> tuple[list[str], int]:
    """Return the first lines of a text, and how many characters are left out."""
    lines = text[:LONGEST].splitlines(keepends=True)[:LINES]
    return lines, len(text) - sum(map(len, lines))


def _matched(parts: list[str], others: list[str], limit: int = LINES) -> list[tuple[list[str], list[str]]]:
    """Return the parts of two sequences in pairs: equal ones, and what stands between them.

    If more than `limit` parts are left between equal ends, these are one pair.
    """
    start = _equal(parts, others)
    end = _equal(parts[start:][::-1], others[start:][::-1])
    left, other_left = parts[start : len(parts) - end], others[start : len(others) - end]
    pairs = [(left, other_left)]
    if max(len(left), len(other_left)) <= limit:
        codes = SequenceMatcher(None, left, other_left).get_opcodes()
        pairs = [(left[low:high], other_left[from_:to]) for _, low, high, from_, to in codes]
    return [(parts[:start], others[:start]), *pairs, (parts[len(parts) - end :], others[len(others) - end :])]


def _equal(parts: list[str], others: list[str]) -> int:
    """Return how many parts two sequences have in common at their beginning."""
    pairs = zip(parts, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(parts), len(others)))


def _joined(changes: list[Change]) -> tuple[Change, ...]:
    """Join adjacent passages, with what was removed before what was added."""
    joined: list[Change] = []
    for same, group in groupby(changes, lambda change: change.kind == "same"):
        run = list(group)
        kinds: tuple[Kind, ...] = ("same",) if same else ("removed", "added")
        texts = {kind: "".join(change.text for change in run if change.kind == kind) for kind in kinds}
        joined += [Change(kind, text) for kind, text in texts.items() if text]
    return tuple(joined)
