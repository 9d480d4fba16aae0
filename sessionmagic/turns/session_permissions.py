"""The user changes what a session permits: in its file, and for the turns that run on it in this process.

A running turn only gets stricter by what its file says, for example when another process sets a deny rule. Otherwise
code that was approved once could edit the file and so approve itself.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.tools.permissions import STRICTER
from sessionmagic.tools.trust import permissions_of, trusted, with_permissions
from sessionmagic.turns.group import open_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Permissions
    from sessionmagic.turns.group import TurnGroup

_changing = threading.Lock()
"""Held during a change, so that files and running turns get all changes in the same order."""


def change_permissions(store: Store, session_id: str, change: Callable[[Permissions], Permissions]) -> Session:
    """Change the permissions of a session, and return the session; raises `StoreError`.

    Permissions in the file that do not count are left out, so that the change confirms none of them.
    """
    secret = store.secret()
    with _changing:
        session = store.update(
            session_id, lambda stored: with_permissions(stored, change(trusted(stored, secret)[0]), secret)
        )
        _change_running(session_id, change)
    return session


def confirm_permissions(store: Store, session_id: str) -> Session:
    """Make all permissions in the session's file the user's own, and return the session; raises `StoreError`."""
    secret = store.secret()
    with _changing:
        session = store.update(session_id, lambda stored: with_permissions(stored, permissions_of(stored), secret))
        _change_running(session_id, lambda _: permissions_of(session))
    return session


def update_and_tighten(
    store: Store, session_id: str, change: Callable[[Session], Session], group: TurnGroup
) -> Session:
    """Update a session as the store does. Let what it denies by now, and a lower budget, hold for its group's turns.

    Nothing is taken over when the permissions of the group are changed meanwhile, as the session may be older.
    """
    count = group.permission_changes
    session = store.update(session_id, change)
    group.account.lower(session.budget)
    group.change_permissions(lambda held: tightened(held, permissions_of(session)), only_at=count)
    return session


def tightened(held: Permissions, stored: Permissions) -> Permissions:
    """Return permissions that permit no call that `held` or `stored` does not permit."""
    known = {verdict: set(held.rules.get(verdict, ())) for verdict in ("deny", "ask")}
    added = {
        verdict: [pattern for pattern in stored.rules.get(verdict, ()) if pattern not in known[verdict]]
        for verdict in known
    }
    still = set(stored.rules.get("allow", ()))
    allowed = [pattern for pattern in held.rules.get("allow", ()) if pattern in still]
    rules = {verdict: [*held.rules.get(verdict, ()), *patterns] for verdict, patterns in added.items()}
    stricter = stored.safety in STRICTER.get(held.safety, ())
    safety = stored.safety if stricter else held.safety
    return replace(held, rules={**held.rules, **rules, "allow": allowed}, safety=safety)


def _change_running(session_id: str, change: Callable[[Permissions], Permissions]) -> None:
    if (group := open_group(session_id)) is not None:
        group.change_permissions(change)
