"""The tree of a session's turns as rows, for a drawing of its branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sessionmagic.conversation.session import title_of
from sessionmagic.conversation.tree import sub_agent_turns

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session, TurnRecord

Kind = Literal["prompt", "plan", "go", "summary", "sub-agent", "column"]
"""What a turn is: a prompt of the user, one that asks for a plan, one that carries it out, a summary of earlier turns,
the work of a sub-agent, or a column of a comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRow:
    """A turn of a session's tree, in the order in which the tree is drawn: a turn stands below its parent."""

    turn: str
    """The turn's id."""
    parent: str | None
    prompt: str
    """The first line of the prompt."""
    kind: Kind

    model: str
    status: str
    started_at: float
    on_path: bool
    """Whether the turn is in the history of the next one."""
    is_head: bool
    """Whether the next turn continues this one."""
    graph: str
    """The turn's place in the drawing."""


def tree_rows(session: Session) -> list[TreeRow]:
    """Return all turns of a session, with the branches before the path that they leave."""
    path, workers = {turn.id for turn in session.path()}, sub_agent_turns(session)
    children: dict[str | None, list[TurnRecord]] = {}
    for turn in session.turns:
        children.setdefault(turn.parent, []).append(turn)
    rows: list[TreeRow] = []
    drawn: set[str] = set()
    # In a damaged file, parents may form a cycle, which no root leads to.
    waiting = [(turn, 0, False) for turn in (*reversed(session.turns), *reversed(children.get(None, [])))]
    while waiting:
        turn, depth, is_first = waiting.pop()
        if turn.id in drawn:
            continue
        drawn.add(turn.id)
        edge = "│ " * (depth - 1) + "├─" if is_first else "│ " * depth
        rows.append(_row(session, turn, edge, on_path=turn.id in path, by_sub_agent=turn.id in workers))
        following = children.get(turn.id, [])
        # One child stands straight below its parent: the one on the path, else the latest.
        main = next((child for child in following if child.id in path), following[-1] if following else None)
        waiting += [(main, depth, False)] if main else []
        waiting += [(child, depth + 1, True) for child in reversed(following) if child is not main]
    return rows


def _kind(turn: TurnRecord, *, by_sub_agent: bool) -> Kind:
    if turn.column is not None:
        return "column"
    if turn.kind != "ask":
        return "summary" if turn.kind == "compaction" else turn.kind
    return "sub-agent" if by_sub_agent else "prompt"


def _row(session: Session, turn: TurnRecord, edge: str, *, on_path: bool, by_sub_agent: bool) -> TreeRow:
    return TreeRow(
        turn=turn.id,
        parent=turn.parent,
        prompt=title_of(turn.prompt),
        kind=_kind(turn, by_sub_agent=by_sub_agent),
        model=turn.column.name if turn.column and turn.column.hidden else turn.who_answered,
        status=turn.status,
        started_at=turn.started_at,
        on_path=on_path,
        is_head=turn.id == session.head,
        graph=f"{edge}{'●' if on_path else '○'} {turn.id}",
    )
