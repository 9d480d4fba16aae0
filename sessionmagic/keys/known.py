"""The keys that this process has seen: in its environment, handed to providers, in settings of MCP servers."""

from __future__ import annotations

import json
import os
import re
import threading
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Replace = Callable[[str, str], str]
    """Takes a secret and what it is, and returns what stands in its place."""

KEY_LENGTH = 8
"""The minimum length of a known key. Shorter values would also match parts of ordinary words."""

_LAST_WORDS = {"KEY", "APIKEY", "TOKEN", "PASS", "PW", "PAT", "CREDENTIAL", "CREDENTIALS", "AUTH"}
_WORDS = {"SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "PGPASSWORD"}
_NO_SECRET = re.compile(
    r"password|postgres|change_?me|development|production|localhost|disabled|placeholder|redacted|lm-studio"
    r"|(?:api-key-)?not[_-](?:needed|required|set)|(?:sk-)?no-key(?:-required)?"
)
"""Values that are public defaults, or none at all. In other texts, they are ordinary words."""
_PATH = re.compile(r"(?:~|\.{0,2}/|[A-Za-z]:[/\\]).*", re.DOTALL)


@cache
def names_a_key(variable: str) -> bool:
    """Return whether an environment variable with that name holds a key."""
    words = [word for part in variable.upper().split("_") if (word := part.strip("0123456789"))]
    if not words:
        return False
    # PWD alone is the working directory.
    return words[-1] in _LAST_WORDS or not _WORDS.isdisjoint(words) or (words[-1] == "PWD" and len(words) > 1)


class KnownKeys:
    """Key values, each with the words that name it. A value stays known when it has left the environment. Thread-safe.

    Args:
        environment: Where `look` looks; by default the environment of the process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._variables: Mapping[Any, Any] = getattr(environment, "_data", environment)
        """What `os.environ` decodes at each access. Comparing it takes a microsecond, and copying it is atomic."""
        self._lock = threading.Lock()
        self._looked_at: dict[Any, Any] = {}
        self.names: dict[str, str] = {}
        """What each value is, such as "the value of OPENAI_API_KEY". The longest values come first.

        When a key begins with another one, its rest must not stay readable. Replaced as a whole when it changes.
        """

    def look(self) -> None:
        """Look for new values in the environment."""
        if self._variables == self._looked_at:
            return
        raw = dict(self._variables)
        variables = {os.fsdecode(name): os.fsdecode(value) for name, value in raw.items()}
        found: dict[str, str] = {}
        for name, value in variables.items():
            if names_a_key(name):
                if not _is_public(value):
                    found[value] = name
            elif "://" in value and "@" in value and (password := _password_in(value)):
                found[password] = name
        # A word that another variable has too, such as the name of a user, is not a secret.
        for value in {value for name, value in variables.items() if value.isalpha() and not names_a_key(name)}:
            found.pop(value, None)
        self._add({value: f"the value of {name}" for value, name in found.items()})
        self._looked_at = raw  # last, so that another thread does not go on before the values are known

    def add(self, value: object, name: str = "a key of a provider or an MCP server") -> None:
        """Add a value that did not come from the environment. Anything but a text of sufficient length is ignored."""
        if isinstance(value, str) and not _is_public(value):
            self._add({value: name})

    def _add(self, found: dict[str, str]) -> None:
        usable = {value: name for value, name in found.items() if len(value.strip()) >= KEY_LENGTH}
        new = {form: name for value, name in usable.items() for form in _written(value) if form not in self.names}
        if not new:
            return
        with self._lock:
            names = {**new, **self.names}
            self.names = {value: names[value] for value in sorted(names, key=len, reverse=True)}


def without_known(text: str, names: Mapping[str, str], replace: Replace) -> str:
    """Return a text without known keys.

    Args:
        text: The text.
        names: The keys, as in `KnownKeys.names`.
        replace: Returns what stands in the place of a key, and is told what each is.
    """
    for value, name in names.items():
        if value not in text:
            continue
        if value.isalpha():  # part of a longer word is not the key
            pattern = rf"(?<![^\W\d_]){re.escape(value)}(?![^\W\d_])"
        elif value.isdigit():
            pattern = rf"(?<!\d)(?<!\d\.){re.escape(value)}(?!\d|\.\d)"
        else:
            pattern = re.escape(value)
        text = re.sub(pattern, partial(_replaced, replace, name), text)
    return text


def _replaced(replace: Replace, name: str, found: re.Match[str]) -> str:
    return replace(found[0], name)


def _written(value: str) -> set[str]:
    """Return a value as it stands in a text, in JSON, in an address and, without its quotes, in Python."""
    value = value.strip()
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, *in_json, repr(value)[1:-1], quote(value, safe=""), quote(value)}


def _is_public(value: str) -> bool:
    """Return whether the value of a variable named like a key is a well-known default, or the path of a file."""
    if _NO_SECRET.fullmatch(value.strip().lower()):
        return True
    if not _PATH.fullmatch(value):
        return False
    try:
        return bool(Path(value).suffix) or Path(value).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _password_in(url: str) -> str | None:
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None


KNOWN = KnownKeys()
"""The values that this process has seen, since this module was imported."""
KNOWN.look()
