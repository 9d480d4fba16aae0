"""The directory in which sessionmagic keeps its data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from sessionmagic.exceptions import StoreError


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
