"""What a listing needs of every session, kept in one file that can be rebuilt from the sessions at any time."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.session import SessionSummary
from sessionmagic.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Stamp = tuple[int, int, int]
"""Inode, size and modification time of a session's file: a commit changes at least one of them."""


class Index:
    """Summaries of all sessions in a directory. Refreshing reads only what has changed since the last time.

    Threads may use it at once.

    Args:
        directory: where the sessions' files are.
        path: where the index is kept between processes.
        read: returns the summary of the session of an id, or raises a `StoreError`.
    """

    def __init__(self, directory: Path, path: Path, read: Callable[[str], SessionSummary]) -> None:
        self._directory = directory
        self._path = path
        self._read = read
        self._lock = threading.RLock()
        self._entries: dict[str, tuple[Stamp, SessionSummary]] = {}
        self._ids: dict[str, str] = {}
        self._saved: dict[str, tuple[Stamp, SessionSummary]] | None = None

    def note(self, summary: SessionSummary) -> None:
        """Take in a session that was just written: a look-up need not read it again."""
        with suppress(OSError), self._lock:
            stamp = _stamp((self._directory / f"{summary.id}.json").stat())
            self._entries[summary.id] = (stamp, summary)
            self._ids[summary.name] = summary.id

    def find(self, name: str) -> str | None:
        """Return the id of the session of that name. A name seen before costs one look at one file.

        Raises the `StoreError` of a file that cannot be read and may be that session.
        """
        with self._lock:
            session_id = self._ids.get(name)
            if session_id is not None and self._is_current(session_id, name):
                return session_id
            problems = self._refresh(save=False)
            if name not in self._ids:
                for problem, whose in problems:
                    if whose in {None, name}:
                        raise problem
            return self._ids.get(name)

    def _is_current(self, session_id: str, name: str) -> bool:
        try:
            found = _stamp((self._directory / f"{session_id}.json").stat())
        except OSError:
            return False
        stamp, summary = self._entries[session_id]
        return stamp == found and summary.name == name

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return every session's summary, and a line about each file that cannot be read."""
        with self._lock:
            problems = self._refresh(save=True)
            return [summary for _, summary in self._entries.values()], [str(problem) for problem, _ in problems]

    def _refresh(self, *, save: bool) -> list[tuple[StoreError, str | None]]:
        """Look at every file. Return what kept a file from being read, and whose it is as far as that is known."""
        if self._saved is None:
            self._saved = self._load()
        known = self._saved | self._entries
        entries: dict[str, tuple[Stamp, SessionSummary]] = {}
        problems: list[tuple[StoreError, str | None]] = []
        for session_id, stamp in self._files():
            before = known.get(session_id)
            if before is not None and before[0] == stamp:
                entries[session_id] = before
                continue
            try:
                entries[session_id] = (stamp, self._read(session_id))
            except SessionNotFoundError:
                continue  # deleted since
            except StoreError as problem:
                problems.append((problem, before[1].name if before else problem.session))
        if save and entries != self._saved:
            self._save(entries)
        self._entries = entries
        self._ids = {summary.name: session_id for session_id, (_, summary) in entries.items()}
        return problems

    def _files(self) -> list[tuple[str, Stamp]]:
        files = []
        try:
            with os.scandir(self._directory) as entries:  # at 10,000 files three times as fast as pathlib
                for entry in entries:
                    if entry.name.endswith(".json"):
                        with suppress(FileNotFoundError):  # deleted since
                            files.append((entry.name.removesuffix(".json"), _stamp(entry.stat())))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"cannot list the sessions in {self._directory}: {error.strerror}") from error
        return files

    def _load(self) -> dict[str, tuple[Stamp, SessionSummary]]:
        try:
            stored = orjson.loads(self._path.read_bytes())
            return {key: (tuple(stamp), SessionSummary(**summary)) for key, (stamp, summary) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # the sessions themselves have it all

    def _save(self, entries: dict[str, tuple[Stamp, SessionSummary]]) -> None:
        self._saved = entries
        with suppress(OSError):  # a listing must work on a full or read-only disk
            replace_file(self._path, orjson.dumps(entries))


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
