"""The search without an index: each session is read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.conversation.said import TurnKey, folded, has_words, said_in
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.keys.cleaning import without_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sessionmagic.conversation.session import Session


def scanned(
    ids: Iterable[str],
    load: Callable[[str], Session],
    words: Sequence[str],
    limit: int,
) -> list[TurnKey]:
    """Return the newest turns of these sessions that have all the folded words.

    Args:
        ids: The ids of the sessions.
        load: Returns the session with an id, or raises a `StoreError`.
        words: The words.
        limit: How many turns at most.
    """
    found: list[tuple[float, TurnKey]] = []
    for session_id in ids:
        with suppress(SessionNotFoundError, StoreError):  # deleted meanwhile, or damaged, which the listing tells
            for turn in load(session_id).turns:
                text = said_in(turn)
                if has_words(folded(text), words) and has_words(folded(without_keys(text)), words):
                    found.append((turn.started_at, TurnKey(session_id, turn.id)))
    found.sort(key=lambda entry: entry[0], reverse=True)
    return [key for _, key in found[:limit]]
