"""The summaries of all sessions in one file, for listings. It can be rebuilt from the sessions at any time."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from sessionmagic.conversation.session import SessionSummary
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Stamp = tuple[int, int, int]
"""The inode, size and modification time of a session's file. Every write changes at least one of them."""


class Index:
    """The summaries of all sessions in a directory. A listing reads only the files that changed since the last one.

    Args:
        directory: The directory of the session files.
        path: The file of the index.
        read: A function that returns the summary of the session in a file, or raises a `StoreError`. It gets the
            name of the file without its suffix, which need not be the id of a session.
    """

    def __init__(self, directory: Path, path: Path, read: Callable[[str], SessionSummary]) -> None:
        self._directory = directory
        self._path = path
        self._read = read

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return the summaries of all sessions, and a line about each file that cannot be read."""
        known = self._load()
        entries: dict[str, tuple[Stamp, SessionSummary]] = {}
        problems: list[str] = []
        for session_id, stamp in self._files():
            entry = known.get(session_id)
            if entry is not None and entry[0] == stamp:
                entries[session_id] = entry
                continue
            try:
                entries[session_id] = (stamp, self._read(session_id))
            except SessionNotFoundError:
                continue  # deleted meanwhile
            except StoreError as error:
                problems.append(str(error))
        if entries != known:
            self._save(entries)
        return [summary for _, summary in entries.values()], problems

    def _files(self) -> list[tuple[str, Stamp]]:
        files = []
        try:
            with os.scandir(self._directory) as entries:  # three times as fast as pathlib with 10,000 files
                for entry in entries:
                    if entry.name.endswith(".json"):
                        with suppress(FileNotFoundError):  # deleted meanwhile
                            files.append((entry.name.removesuffix(".json"), _stamp(entry.stat())))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"cannot list the sessions in {self._directory}: {error.strerror}") from error
        return files

    def _load(self) -> dict[str, tuple[Stamp, SessionSummary]]:
        try:
            stored = orjson.loads(self._path.read_bytes())
            known = {key: (tuple(stamp), SessionSummary(**summary)) for key, (stamp, summary) in stored.items()}
            return {key: entry for key, entry in known.items() if entry[1].id == key}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # all of it can be read from the sessions again

    def _save(self, entries: dict[str, tuple[Stamp, SessionSummary]]) -> None:
        with suppress(OSError):  # a listing must work on a full or read-only disk
            replace_file(self._path, orjson.dumps(entries))


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
