"""Compactions: turns whose summary is sent in place of the turns that it covers. The covered turns stay stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.tree import next_turn_id, with_changed_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import Session, TurnRecord


def written_in(messages: list[dict[str, Any]]) -> str:
    """Return the text that the model has written in stored messages."""
    responses = (message for message in messages if message["kind"] == "response")
    parts = (part for response in responses for part in response["parts"])
    return "".join(part["content"] for part in parts if part["part_kind"] == "text")


def sent_turns(path: Sequence[TurnRecord]) -> tuple[TurnRecord | None, list[TurnRecord]]:
    """Return the compaction whose summary is sent, and the turns that are sent word by word after it.

    The latest compaction counts. Without one, all turns are sent word by word. The turns that it does not cover may
    stand before it on the path.

    Args:
        path: The turns from the first one of the session to the one that is continued.
    """
    for place in range(len(path) - 1, -1, -1):
        turn = path[place]
        if turn.kind == "compaction" and turn.status == "completed":
            covered = next((at for at, each in enumerate(path[:place]) if each.id == turn.covers), None)
            if covered is not None:
                return turn, _asked(path[covered + 1 :])
    return None, _asked(path)


def _asked(turns: Sequence[TurnRecord]) -> list[TurnRecord]:
    return [turn for turn in turns if turn.kind != "compaction"]


def with_compaction(session: Session, compaction: TurnRecord, turn_id: str) -> Session:
    """Return the session with a compaction that was made for a running turn.

    A completed one becomes the parent of that turn. Any other keeps its record, but no path goes through it.

    Args:
        session: The session.
        compaction: The compaction. It gets its id and its parent here.
        turn_id: The id of the running turn.
    """
    parent = session.turn(turn_id).parent
    compaction = replace(compaction, id=next_turn_id(session), parent=parent, previous_head=parent)
    session = replace(session, turns=(*session.turns, compaction), turns_started=int(compaction.id))
    if compaction.status != "completed":
        return session

    def continuing(turn: TurnRecord) -> TurnRecord:
        # If the turn fails, the next one continues the compaction, so that no second one is needed.
        before = compaction.id if turn.previous_head == parent else turn.previous_head
        return replace(turn, parent=compaction.id, previous_head=before)

    return with_changed_turn(session, turn_id, continuing)
