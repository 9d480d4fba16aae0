"""Find sessions by their facts, and turns by what was said in them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sessionmagic.conversation.said import folded, said_in, sentence_with
from sessionmagic.exceptions import SessionMagicError, UsageError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sessionmagic.conversation.session import Session, SessionSummary
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store

DAY = 86_400.0
MOST_TURNS = 1_000_000
"""How many turns a search finds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which sessions are wanted. What is left out excludes none."""

    words: Sequence[str] = ()
    """What the name or the title has, each word."""
    model: str = ""
    """A part of the name of a model that the session asks, or that has answered in it."""
    since: float | None = None
    """When the session was changed last, at the earliest, in seconds since the epoch."""
    starred: bool = False

    def takes(self, summary: SessionSummary) -> bool:
        """Return whether a session is wanted."""
        title = folded(f"{summary.name}\n{summary.title}")
        models = folded("\n".join([summary.model or "", *summary.models]))
        return (
            all(folded(word) in title for word in self.words)
            and folded(self.model) in models
            and (self.since is None or summary.updated_at >= self.since)
            and (summary.starred or not self.starred)
        )


def since(date: str, days: float | None) -> float | None:
    """Return the earliest time that a date, such as ``2026-11-01``, and a number of days allow; None without both.

    Raises `UsageError` for what is not a date, or not a number of days.
    """
    times: list[float] = []
    if days is not None:
        if not 0 < days <= DAY:
            raise UsageError(f"--days {days:g} is not a number of days; give one such as 7")
        times.append(time.time() - days * DAY)
    if date:
        try:
            times.append(datetime.fromisoformat(date).timestamp())
        except (ValueError, OverflowError, OSError):
            raise UsageError(f"--since {shortened(date)!r} is not a date; write it as 2026-11-01") from None
    return max(times, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A turn in which all words of a search were said."""

    session: str
    """The name of the session."""
    turn: str
    """The id of the turn."""
    started_at: float
    text: str
    """The sentence that has the most of the words."""


def search(
    sessions: Sessions, store: Store, words: Sequence[str], limit: int, among: Collection[str] | None = None
) -> list[Hit]:
    """Return the newest turns in whose prompt or answer all the words were said.

    The words are compared as they are written, without regard to upper and lower case; none is a pattern. They may be
    parts of longer words.

    Args:
        sessions: The sessions.
        store: Their store.
        words: The words.
        limit: How many turns at most.
        among: The ids of the sessions to search; None for all.

    Raises `UsageError` when there is no word.
    """
    wanted = [folded(word) for word in words if word.strip()]
    if not wanted:
        raise UsageError("there is nothing to search for; give one or more words")
    loaded: dict[str, Session] = {}
    hits = []
    for key in store.turns_with(wanted, min(limit, MOST_TURNS), among):
        try:
            session = loaded.get(key.session) or sessions.load(key.session)
            loaded[key.session] = session
            turn = session.turn(key.turn)
        except (SessionMagicError, KeyError):  # deleted or damaged meanwhile
            continue
        text = sentence_with(without_keys(said_in(turn)), wanted)
        hits.append(Hit(session=session.name, turn=turn.id, started_at=turn.started_at, text=text))
    return sorted(hits, key=lambda hit: hit.started_at, reverse=True)
