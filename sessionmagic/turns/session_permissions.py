"""The user changes what a session permits: in its file, and for the turns that run on it in this process.

A running turn does not read its permissions from the file again. Otherwise code that was approved once could edit the
file and so approve itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sessionmagic.tools.trust import permissions_of, powers_of, with_permissions
from sessionmagic.turns.group import open_group

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Permissions

_changing = threading.Lock()
"""Held during a change, so that files and running turns get all changes in the same order."""


def change_permissions(
    store: Store, session_id: str, change: Callable[[Permissions], Permissions], granted: Collection[str]
) -> Session:
    """Change the permissions of a session, and return the session; raises `StoreError`.

    Args:
        store: The store of the session.
        session_id: The session's id.
        change: The change.
        granted: The powers that it grants, as `tools.trust.powers_of` names them.
    """
    secret = store.secret()
    with _changing:
        session = store.update(
            session_id, lambda stored: with_permissions(stored, change(permissions_of(stored)), secret, granted)
        )
        _change_running(session_id, change)
    return session


def confirm_permissions(store: Store, session_id: str) -> Session:
    """Make all permissions in the session's file the user's own, and return the session; raises `StoreError`."""
    secret = store.secret()

    def confirmed(stored: Session) -> Session:
        permissions = permissions_of(stored)
        return with_permissions(stored, permissions, secret, powers_of(permissions))

    with _changing:
        session = store.update(session_id, confirmed)
        _change_running(session_id, lambda _: permissions_of(session))
    return session


def _change_running(session_id: str, change: Callable[[Permissions], Permissions]) -> None:
    if (group := open_group(session_id)) is not None:
        group.change_permissions(change)
