"""What is stored when a turn begins: its record, and its session if that is new."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.tree import next_turn_id
from sessionmagic.tools.permissions import Permissions
from sessionmagic.tools.trust import with_permissions
from sessionmagic.turns.place import parent_for

if TYPE_CHECKING:
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Safety
    from sessionmagic.turns.cut import Cut
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.planning import Plan
    from sessionmagic.turns.request import Request


def new_record(request: Request, plan: Plan, session: Session, messages: Messages, cut: Cut | None) -> TurnRecord:
    """Return the record of the turn. Its id and parent depend on `session` as it is on disk when it is written."""
    return TurnRecord(
        id=next_turn_id(session),
        parent=parent_for(request, session),
        kind=request.kind,
        covers=cut.covers if cut is not None else None,
        agent=plan.agent.name,
        model=plan.model.reference,
        prompt=request.prompt,
        values=list(request.values),
        settings=plan.settings,
        system=plan.agent.instructions,
        messages=messages,
        started_at=time.time(),
        cell_id=request.cell.id if request.cell else None,
        notebook=request.notebook,
        column=request.column,
    )


def fresh_session(session_id: str, name: str, safety: Safety, store: Store, *, notebook: str = "") -> Session:
    """Return a new session without turns. It is not stored yet."""
    now = time.time()
    fresh = Session(
        id=session_id, name=name, created_at=now, updated_at=now, working_dir=str(Path.cwd()), notebook=notebook
    )
    return fresh if safety == fresh.safety else with_permissions(fresh, Permissions({}, safety), store.secret())
