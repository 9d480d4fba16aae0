"""The keys that this process has seen: in its environment, handed to providers, in settings of MCP servers."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_LENGTH = 8
"""The minimum length of a known key. Shorter values would also match parts of ordinary words."""

_LAST_WORDS = {"KEY", "APIKEY", "TOKEN", "PASS", "PW", "CREDENTIAL", "CREDENTIALS", "AUTH"}
_WORDS = {"SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "PGPASSWORD"}


@cache
def names_a_key(variable: str) -> bool:
    """Return whether an environment variable with that name holds a key."""
    words = variable.upper().split("_")
    return words[-1] in _LAST_WORDS or not _WORDS.isdisjoint(words)


class KnownKeys:
    """Key values, each with the words that name it. A value stays known when it has left the environment. Thread-safe.

    Args:
        environment: Where `look` looks; by default the environment of the process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._lock = threading.Lock()
        self._looked_at: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """What each value is, such as "the value of OPENAI_API_KEY". The longest values come first.

        When a key begins with another one, its rest must not stay readable. Replaced as a whole when it changes.
        """

    def look(self) -> None:
        """Look for new values in the environment."""
        variables = dict(self._environment)
        if variables == self._looked_at:
            return
        self._looked_at = variables
        found: dict[str, str] = {}
        for name, value in variables.items():
            if names_a_key(name):
                found[value] = name
            elif "://" in value and "@" in value and (password := _password_in(value)):
                found[password] = name
        if new := found.keys() - self.names.keys():
            self._add({value: f"the value of {found[value]}" for value in new})

    def add(self, value: object, name: str = "a key of a provider or an MCP server") -> None:
        """Add a value that did not come from the environment. Anything but a text of sufficient length is ignored."""
        if isinstance(value, str) and value not in self.names:
            self._add({value: name})

    def _add(self, new: dict[str, str]) -> None:
        usable = {value: name for value, name in new.items() if len(value.strip()) >= KEY_LENGTH}
        if not usable:
            return
        with self._lock:
            names = {**usable, **self.names}
            self.names = {value: names[value] for value in sorted(names, key=len, reverse=True)}


def _password_in(url: str) -> str | None:
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None


KNOWN = KnownKeys()
"""The values that this process has seen, since this module was imported."""
KNOWN.look()
