"""Which session names are valid."""

from __future__ import annotations

import re

from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened

NAME_LIMIT = 200
UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, bidirectional controls and surrogates: with them a name can look like another one."""


def check_name(name: str) -> None:
    """Raise `UsageError` if this is not a valid session name."""
    if not name.strip() or UNSEEN.search(name):
        raise UsageError(f"{shortened(name)!r} is not a valid session name; it needs visible characters on one line")
    if len(name) > NAME_LIMIT:
        raise UsageError(f"the session name has {len(name):,} characters; use at most {NAME_LIMIT}")
