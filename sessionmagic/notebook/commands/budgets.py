"""The budgets that hold for the requests of a session, as ``%agent set`` and ``show`` list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionMagicError

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.turns.account import Account


def accounts_of_all(context: NotebookContext, session: Session) -> dict[str, Account]:
    """Return the accounts of all budgets that hold for requests of a session, by where they come from.

    Those of the agents with which its agent works are among them.
    """
    from sessionmagic.sessions.budgets import session_account
    from sessionmagic.turns.account import KERNEL
    from sessionmagic.turns.agent_limits import accounts_of

    team = context.manager.agents.team(context.manager.sessions.agent_of(session))
    own = {
        budget.owner: account
        for agent in team.values()
        if not isinstance(agent, SessionMagicError)
        for budget, account in zip(agent.budgets, accounts_of(session, agent), strict=True)
    }
    accounts = {"session": session_account(session), **own, "kernel": KERNEL}
    return {level: account for level, account in accounts.items() if account.limit is not None}


def limit_of(account: Account) -> float | str | None:
    """Return what may be spent: dollars, or words if tokens are limited too."""
    return account.budget if account.tokens is None else in_words(account)


def in_words(account: Account) -> str:
    """Return what may be spent, such as ``90,000 tokens, $2``."""
    tokens = [] if account.tokens is None else [f"{account.tokens:,} tokens"]
    return ", ".join([*tokens, *([] if account.budget is None else [f"${account.budget:g}"])])
