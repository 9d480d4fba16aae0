"""What a session may be called."""

from __future__ import annotations

import re

from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened

NAME_LIMIT = 200
UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control and bidi characters, which could make a name look like another one."""


def check_name(name: str) -> None:
    """Raise `UsageError` for what cannot be a session's name."""
    if not name.strip() or UNSEEN.search(name):
        raise UsageError(f"{shortened(name)!r} is no session name: it needs visible characters on one line")
    if len(name) > NAME_LIMIT:
        raise UsageError(f"a session name has at most {NAME_LIMIT} characters, this one has {len(name):,}")
