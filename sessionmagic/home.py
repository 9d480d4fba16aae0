"""The directory in which sessionmagic keeps its data, and the names of this machine."""

from __future__ import annotations

import getpass
import os
import platform
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

from sessionmagic.exceptions import StoreError

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


def without_machine(text: str) -> str:
    """Return a text with ``~`` in place of home directories, and without the names of this user and this machine."""
    for pattern, name in _names_here():
        text = pattern.sub(name, text)
    return text


@cache
def _names_here() -> list[tuple[re.Pattern[str], str]]:
    own = {str(Path.home()), os.path.realpath(Path.home())} - {"/", "/root"}
    homes = [re.escape(home) for home in sorted(own, key=len, reverse=True)]
    general = [r"/(?:home|Users)/[\w.-]+", r"/root(?=/)", r"\b[A-Za-z]:\\+Users\\+[\w.-]+"]
    found = [(re.compile("|".join([*(rf"{home}(?![\w.-])" for home in homes), *general])), "~")]
    names = {"host": platform.node(), "user": ""}
    with suppress(OSError, KeyError, ImportError):  # a container may have a user without a name
        names["user"] = getpass.getuser()
    for kind, name in names.items():
        if len(name) >= SHORTEST_NAME and name.lower() not in COMMON_NAMES:
            found.append((re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), kind))
    return found
