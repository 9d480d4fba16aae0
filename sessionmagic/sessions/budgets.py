"""The budgets of stored sessions."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.budget import checked_budget
from sessionmagic.tools.tool_code import refuse_tools
from sessionmagic.turns.account import account_of
from sessionmagic.turns.group import open_group

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.account import Account


def set_budget(sessions: Sessions, store: Store, session: str, budget: float | None) -> Session:
    """Set what a session's model requests may cost, from the next one on, also in a running turn; return the session.

    Args:
        sessions: The sessions.
        store: Their store.
        session: Name or id.
        budget: The dollars for all requests of the session, including those that were made already; None for no budget.

    Raises:
        UsageError: The budget is not an amount above 0, or it is not known what the session's model costs.
        ToolError: The caller runs for a tool call.
    """
    from sessionmagic.turns.charged_model import require_price

    refuse_tools("set a budget")
    budget = None if budget is None else checked_budget(budget)
    stored = sessions.load(session)
    model = sessions.next_model(stored) if budget is not None else None
    if model is not None:
        require_price(model, account_of(stored), budget)
    group = open_group(stored.id)
    with group.admitting if group is not None else nullcontext():  # a turn that is being admitted reads the budget
        changed = store.update(stored.id, lambda before: replace(before, budget=budget))
        if group is not None:
            group.account.budget = budget
    return changed


def session_account(session: Session) -> Account:
    """Return what a session has spent: as its running turns count it, if it has any, else as it is stored."""
    group = open_group(session.id)
    return group.account if group is not None and group.account.owner else account_of(session)
