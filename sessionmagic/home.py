"""The directory in which sessionmagic keeps its data, and the names of this machine."""

from __future__ import annotations

import getpass
import os
import platform
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from sessionmagic.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SHORTEST_NAME = 4
"""A shorter name of a user or machine is too likely to be part of a text."""
COMMON_NAMES = frozenset({"root", "user", "admin", "guest", "student", "teacher", "runner", "jovyan", "localhost"})
"""Names of users and machines that say nothing about them, and are words of texts."""


def default_home() -> Path:
    """Return the directory in ``SESSIONMAGIC_HOME``, or the platform's directory for user data.

    Raises `StoreError` if it is the home directory of a user who does not exist.
    """
    home = os.environ.get("SESSIONMAGIC_HOME")
    if not home:
        return Path(platformdirs.user_data_dir("sessionmagic", appauthor=False))
    try:
        return Path(home).expanduser()
    except RuntimeError:
        raise StoreError(f"there is no home directory for SESSIONMAGIC_HOME={home}; set it to a full path") from None


def without_machine(text: str, kept: Collection[str] = ()) -> str:
    """Return a text with ``~`` in place of home directories, and without the names of this user and this machine.

    Args:
        text: The text.
        kept: Names that are not left out.
    """
    text = _homes().sub("~", text)
    for name, (pattern, word) in _names_here().items():
        if name not in kept:
            text = pattern.sub(word, text)
    return text


def names_of_machine_in(texts: Iterable[str]) -> set[str]:
    """Return those names of this user and this machine that texts have, but not in home directories."""
    without = [_homes().sub("~", text) for text in texts]
    return {name for name, (pattern, _) in _names_here().items() if any(map(pattern.search, without))}


@cache
def _homes() -> re.Pattern[str]:
    own = {str(Path.home()), os.path.realpath(Path.home())} - {"/", "/root"}
    homes = [re.escape(home) for home in sorted(own, key=len, reverse=True)]
    general = [r"/(?:home|Users)/[\w.-]+", r"/root(?=/)", r"\b[A-Za-z]:\\+Users\\+[\w.-]+"]
    return re.compile("|".join([*(rf"{home}(?![\w.-])" for home in homes), *general]))


@cache
def _names_here() -> dict[str, tuple[re.Pattern[str], str]]:
    """Return the names of this machine and its user, with what finds each, and the word that takes its place."""
    names = {"host": platform.node(), "user": ""}
    with suppress(OSError, KeyError, ImportError):  # a container may have a user without a name
        names["user"] = getpass.getuser()
    return {
        name: (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), word)
        for word, name in names.items()
        if len(name) >= SHORTEST_NAME and name.lower() not in COMMON_NAMES
    }
