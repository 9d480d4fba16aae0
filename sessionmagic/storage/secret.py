"""The secret of a store, with which it knows the permissions that were set here."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sessionmagic.storage.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 32
"""Bytes."""


def read_secret(path: Path) -> bytes | None:
    """Return the secret in a file, or None if the file does not hold one; raises `OSError`."""
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return None
    return secret if len(secret) == LENGTH else None


def write_secret(path: Path) -> bytes:
    """Write a new secret to a file that only the user can read, and return it; raises `OSError`."""
    secret = new_secret()
    replace_file(path, secret)
    return secret


def new_secret() -> bytes:
    """Return a new secret."""
    return secrets.token_bytes(LENGTH)
