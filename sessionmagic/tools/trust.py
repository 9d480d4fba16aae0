"""Which permissions of a session its user has set: a file that somebody else has written brings no powers.

The user sets permissions with a command or a click. They then get a stamp, which depends on all of them, on the
session's id and on a secret of the store. So nothing can be added or taken away without it, neither an allow rule nor
a deny rule. Permissions whose stamp is wrong ask about every call until the user confirms them. Without any stamp,
which is how new sessions begin, powers do not count: allow rules, the safety mode ``autonomous``, and that the tools of
the kernel are offered. The rest only makes a session stricter than a new one.

This is no protection against who can write the user's files: an older copy of the file brings back what the user had
set then, with its stamp, and a file without rules and stamp is that of a new session.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.tools.permissions import OFFERS, SAFETIES, Permissions
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import Session

EDITED = "changed rules or safety"
"""Stands first among what does not count when the permissions have a stamp which is not theirs."""
SHOWN = 300
"""Characters of powers that a warning names. Their text may come from somebody else."""


def permissions_of(session: Session) -> Permissions:
    """Return the permissions as stored. An unknown safety mode counts as ``balanced``, unknown tools as usual."""
    return Permissions(
        session.permissions,
        next((mode for mode in SAFETIES if mode == session.safety), "balanced"),
        next((offers for offers in OFFERS if offers == session.tools), ""),
    )


def powers_of(permissions: Permissions) -> list[str]:
    """Return the powers among some permissions, each in words."""
    mode = [f"safety {permissions.safety}"] if permissions.safety == "autonomous" else []
    offers = ["kernel tools"] if permissions.tools == "kernel" else []
    return [*mode, *offers, *(f"allow {pattern}" for pattern in permissions.rules.get("allow", ()))]


def trusted(session: Session, secret: bytes | None) -> tuple[Permissions, list[str]]:
    """Return the permissions that count, and in words those that do not because the user has not set them.

    Args:
        session: The session as it is stored.
        secret: The secret of the store; None if the store has none, and so has made no stamps.
    """
    stored = permissions_of(session)
    powers = powers_of(stored)
    if not session.stamp and not powers:
        return stored, []
    if secret is not None and session.stamp == _stamp(session.id, stored, secret):
        return stored, []
    rules, tools = {**stored.rules, "allow": []}, "" if stored.tools == "kernel" else stored.tools
    if session.stamp:
        return Permissions(rules, "strict", tools), [EDITED, *powers]
    return Permissions(rules, "balanced" if stored.safety == "autonomous" else stored.safety, tools), powers


def with_permissions(session: Session, permissions: Permissions, secret: bytes) -> Session:
    """Return the session with permissions that the user has set, and their stamp."""
    stamp = _stamp(session.id, permissions, secret)
    return replace(
        session, permissions=permissions.rules, safety=permissions.safety, tools=permissions.tools, stamp=stamp
    )


def doubts(session: str, untrusted: Sequence[str]) -> list[str]:
    """Return a warning that names the permissions of a session that do not count, if there are any."""
    if not untrusted:
        return []
    named = shortened(printable(", ".join(name for name in untrusted if name != EDITED)), SHOWN)
    if EDITED in untrusted:
        fault = "the rules or the safety mode of this session were changed outside of your commands, so every call asks"
        fault += f", and these do not hold: {named}" if named else ""
    else:
        fault = f"this session brings permissions that you have not set, so they do not hold: {named}"
    return [f"{fault}; %agent permissions {session!r} --confirm sets them"]


def _stamp(session_id: str, permissions: Permissions, secret: bytes) -> str:
    rules = {verdict: sorted(patterns) for verdict, patterns in permissions.rules.items() if patterns}
    offers = ["kernel"] if permissions.tools == "kernel" else []  # the others are no powers
    text = json.dumps([session_id, permissions.safety, rules, *offers], sort_keys=True, ensure_ascii=False)
    # Characters that no file can hold are replaced, as the store does.
    return hmac.digest(secret, text.encode(errors="replace"), "sha256").hex()
