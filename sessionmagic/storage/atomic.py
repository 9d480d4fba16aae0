"""Files that are replaced atomically: a process that is killed never leaves a half-written one."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic import json_bytes
from sessionmagic.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


def dumps(data: Any) -> bytes:
    """Return the data as JSON, with a question mark in place of each lone surrogate.

    Raises `StoreError` for values that are nested too deep, and integers of more than 64 bits.
    """
    try:
        return json_bytes.dumps(data)
    except TypeError:  # lone surrogates, from models that stop in the middle of a character, cannot be encoded
        return _dumps_encodable(data)


def _dumps_encodable(data: Any) -> bytes:
    try:
        return json_bytes.dumps(_encodable(data))
    except (TypeError, RecursionError) as error:
        raise StoreError(
            "the session has values that are nested too deep, or numbers too large, to be written; use another session"
        ) from error


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [_encodable(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: _encodable(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def replace_file(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace the file with one that has `content`, synced to disk.

    Raises `OSError` and leaves the old file unchanged when that fails.
    """
    replace_in_parts(path, (content,), mode)


def replace_in_parts(path: Path, parts: Iterable[bytes], mode: int = PRIVATE_FILE) -> None:
    """Replace the file with one that has these parts. Otherwise as `replace_file`, but no two parts are in memory."""
    with _temporary(path, parts, mode) as temporary:
        temporary.replace(path)
    sync_directory(path.parent)


def create_file(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Create the file with `content`, synced to disk.

    Raises `FileExistsError` if there is one, even if another process has just made it, and `OSError`.
    """
    with _temporary(path, (content,), mode) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError(path) from None
            temporary.replace(path)
        else:
            temporary.unlink()
    sync_directory(path.parent)


@contextmanager
def _temporary(path: Path, parts: Iterable[bytes], mode: int) -> Iterator[Path]:
    """Write the parts to a file beside `path` that exists within the block, unless the block moves it away."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def sync_directory(directory: Path) -> None:
    """Sync a directory to disk. Errors are ignored, as the file has been written, and some systems cannot do it."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_private_directory(path: Path) -> None:
    """Create the directory and its missing parents; only the user has access to the new ones."""
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
