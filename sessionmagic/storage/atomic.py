"""A TinyDB storage whose every write replaces the file at once, so that a killed process leaves it whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import orjson
from tinydb.storages import Storage

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


class AtomicStorage(Storage):
    """Keeps a TinyDB database in one JSON file, mode 0600.

    A write goes to a temporary file, is synced and takes the old file's place. TinyDB's own `JSONStorage`
    rewrites in place, and a kill in that moment loses the database.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return the database, or None when there is no file; raises `orjson.JSONDecodeError`, `OSError`."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        database: dict[str, dict[str, Any]] = orjson.loads(content)
        return database

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Replace the file; raises `OSError`, and then the old file is as it was."""
        replace_file(self.path, _dumps(data))


def _dumps(data: Any) -> bytes:
    try:
        return orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # half of a surrogate pair, as models that are cut off say; no file can hold it
        return orjson.dumps(_encodable(data), option=orjson.OPT_NON_STR_KEYS)


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [_encodable(item) for item in value]
        case _:
            return value


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the file's place, synced to disk, or raise `OSError` and leave the old file alone."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":
        return  # Windows has no handle on a directory to sync
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_directory(path: Path) -> None:
    """Create the directory and its parents; what is created is for the user alone."""
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
