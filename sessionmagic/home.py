"""The directory in which sessionmagic keeps its data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_home() -> Path:
    """Return the directory in ``SESSIONMAGIC_HOME``, or the platform's directory for user data."""
    home = os.environ.get("SESSIONMAGIC_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_data_dir("sessionmagic", appauthor=False))
