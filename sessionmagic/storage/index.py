"""What a listing needs of every session, kept in one file that can be rebuilt from the sessions at any time."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from sessionmagic.exceptions import StoreError
from sessionmagic.session import SessionSummary
from sessionmagic.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Stamp = tuple[int, int, int]
"""Inode, size and modification time of a session's file: a commit changes at least one of them."""


class Index:
    """Summaries of all sessions in a directory. Refreshing reads only what has changed since the last time."""

    def __init__(self, directory: Path, path: Path, read: Callable[[str], SessionSummary]) -> None:
        self._directory = directory
        self._path = path
        self._read = read
        self._entries: dict[str, tuple[Stamp, SessionSummary]] | None = None

    def find(self, name: str) -> str | None:
        """Return the id of the session of that name. A name seen before costs one look at one file."""
        session_id = self._lookup(name)
        if session_id is not None and self._is_current(session_id):
            return session_id
        self.refresh()
        return self._lookup(name)

    def _lookup(self, name: str) -> str | None:
        entries = self._entries or {}
        return next((key for key, (_, summary) in entries.items() if summary.name == name), None)

    def _is_current(self, session_id: str) -> bool:
        try:
            found = _stamp((self._directory / f"{session_id}.json").stat())
        except OSError:
            return False
        return self._entries is not None and self._entries[session_id][0] == found

    def refresh(self) -> tuple[list[SessionSummary], list[str]]:
        """Return every readable session's summary, and a line for each file that could not be read."""
        known = self._entries if self._entries is not None else self._load()
        entries: dict[str, tuple[Stamp, SessionSummary]] = {}
        problems: list[str] = []
        for session_id, stamp in self._files():
            if session_id in known and known[session_id][0] == stamp:
                entries[session_id] = known[session_id]
                continue
            try:
                entries[session_id] = (stamp, self._read(session_id))
            except StoreError as error:
                problems.append(str(error))
        if entries != known:
            self._save(entries)
        self._entries = entries
        return [summary for _, summary in entries.values()], problems

    def _files(self) -> list[tuple[str, Stamp]]:
        try:
            with os.scandir(self._directory) as found:
                return [(file.name[:-5], _stamp(file.stat())) for file in found if file.name.endswith(".json")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"cannot list the sessions in {self._directory}: {error.strerror}") from error

    def _load(self) -> dict[str, tuple[Stamp, SessionSummary]]:
        try:
            stored = orjson.loads(self._path.read_bytes())
            return {key: (tuple(stamp), SessionSummary(**summary)) for key, (stamp, summary) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # the sessions themselves have it all

    def _save(self, entries: dict[str, tuple[Stamp, SessionSummary]]) -> None:
        stored = {key: (stamp, asdict(summary)) for key, (stamp, summary) in entries.items()}
        with suppress(OSError):  # a listing must work on a full or read-only disk
            replace_file(self._path, orjson.dumps(stored))


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
