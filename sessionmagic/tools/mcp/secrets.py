"""Find secrets in a server's command or address, by the names before them and by their position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "…"

_NAME = r"(?:key|token|secret|pass|auth|credential)"
_OPTION = re.compile(rf"-[\w.-]*{_NAME}[\w.-]*", re.IGNORECASE)
"""An option whose next argument is a secret."""
_NO_SECRET = re.compile("--[a-z][a-z-]*(=.*)?", re.DOTALL)
"""An argument that is another option, and so not a secret."""
_AFTER_NAME = re.compile(rf"(?P<before>{_NAME}[\w-]*[\"']?\s*[=:]\s*)(?P<secret>\S.*)", re.IGNORECASE | re.DOTALL)
"""A secret after its name: ``--token=…``, ``X-Api-Key: …`` or ``{"apiKey": …``. It may extend to the end."""
_ADDRESS = re.compile(r"://\S*")
_IN_ADDRESS = (
    re.compile(r"(?P<before>://)(?P<secret>[^\s/]+|[^\s/]*:\S+)(?=@)"),  # a password may contain a slash
    re.compile(r"(?P<before>[?&#][^=&#]*=|[?&#])(?P<secret>[^&#]+)"),
)


def without_secrets(words: Iterable[str]) -> tuple[str, set[str]]:
    """Return the words of a command, or an address, as one text with each secret replaced by …, and the secrets."""
    secrets: set[str] = set()

    def hide(found: re.Match[str]) -> str:
        secrets.add(found["secret"])
        return found["before"] + HIDDEN

    def hide_in_address(found: re.Match[str]) -> str:
        address = found[0]
        for pattern in _IN_ADDRESS:
            address = pattern.sub(hide, address)
        return address

    shown: list[str] = []
    expects_secret = False
    for word in words:
        if expects_secret and not _NO_SECRET.fullmatch(word):
            secrets.add(word)
            shown.append(HIDDEN)
            expects_secret = False
        else:
            shown.append(_ADDRESS.sub(hide_in_address, _AFTER_NAME.sub(hide, word)))
            expects_secret = _OPTION.fullmatch(word) is not None
    return " ".join(shown), secrets
