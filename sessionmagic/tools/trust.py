"""Which permissions of a session its user has set: a file that somebody else has written brings no powers.

Powers are the allow rules, and the safety mode ``autonomous``. The user sets them with a command or a click, and each
then gets a stamp, which depends on the session's id and on a secret of the store. A power without its stamp counts for
nothing until the user confirms it. Other rules and modes only make a session stricter, so that they need no stamp.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.tools.permissions import SAFETIES, Permissions
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sessionmagic.conversation.session import Session

SHOWN = 300
"""Characters of powers that a warning names. Their text may come from somebody else."""


def permissions_of(session: Session) -> Permissions:
    """Return the permissions as they are stored; an unknown safety mode counts as ``balanced``."""
    return Permissions(session.permissions, next((mode for mode in SAFETIES if mode == session.safety), "balanced"))


def powers_of(permissions: Permissions) -> list[str]:
    """Return the powers among some permissions, each in words."""
    mode = [f"safety {permissions.safety}"] if permissions.safety == "autonomous" else []
    return [*mode, *(f"allow {pattern}" for pattern in permissions.rules.get("allow", ()))]


def trusted(session: Session, secret: bytes | None) -> tuple[Permissions, list[str]]:
    """Return the permissions that count, and the powers that do not because their stamps are missing.

    Args:
        session: The session as it is stored.
        secret: The secret of the store; None if the store has none, and so has made no stamps.
    """
    stored = permissions_of(session)
    missing = [power for power in powers_of(stored) if secret is None or not _is_stamped(session, secret, power)]
    allowed = [pattern for pattern in stored.rules.get("allow", ()) if f"allow {pattern}" not in missing]
    rules = {**stored.rules, "allow": allowed} if missing else stored.rules
    return Permissions(rules, "balanced" if f"safety {stored.safety}" in missing else stored.safety), missing


def with_permissions(session: Session, permissions: Permissions, secret: bytes, granted: Collection[str]) -> Session:
    """Return the session with other permissions.

    Args:
        session: The session as it is stored.
        permissions: Its new permissions.
        secret: The secret of the store.
        granted: The powers that the user sets now. Others keep their stamps.
    """
    stamps = [
        _stamp(session.id, secret, power)
        for power in powers_of(permissions)
        if power in granted or _is_stamped(session, secret, power)
    ]
    return replace(session, permissions=permissions.rules, safety=permissions.safety, stamps=stamps)


def doubts(session: str, powers: Sequence[str]) -> list[str]:
    """Return a warning that names the powers of a session that do not count, if there are any."""
    if not powers:
        return []
    named = shortened(printable(", ".join(powers)), SHOWN)
    advice = f"%agent permissions {session!r} --confirm sets them"
    return [f"this session brings permissions that you have not set, so they do not hold: {named}; {advice}"]


def _is_stamped(session: Session, secret: bytes, power: str) -> bool:
    return _stamp(session.id, secret, power) in session.stamps


def _stamp(session_id: str, secret: bytes, power: str) -> str:
    # Characters that no file can hold are replaced, as the store does.
    return hmac.digest(secret, f"{session_id}\0{power}".encode(errors="replace"), "sha256").hex()
