"""The answers of a grid on disk: a file to which a line is appended for each answer, as soon as it has come in.

The first line names the form of the file. Each other line is an answer with a checksum. A line is written with one call
before the next request of its worker begins, so that a killed process loses nothing but the requests that were open.
What only a power failure can lose is synced to disk a few times a second.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from sessionmagic.comparing.cells import CellAnswer
from sessionmagic.conversation.usage import Usage
from sessionmagic.exceptions import SessionBusyError, SessionSchemaError, StoreError, UsageError
from sessionmagic.json_bytes import loads
from sessionmagic.storage.atomic import PRIVATE_FILE, dumps, make_private_directory, replace_file
from sessionmagic.storage.claims import HeldError, Holder, take_claim
from sessionmagic.storage.locks import REFUSED
from sessionmagic.storage.refusals import no_locks
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sessionmagic.storage.claims import FileClaim

FORM = 1
NAME = re.compile(r"\w[\w.-]{0,99}")
NAME_BYTES = 200
"""The most bytes of a name, as a file system limits the names of files, which have more behind it."""
SPARE_BYTES = 4 * 1024 * 1024
"""Bytes that are set aside on the disk while a grid runs, so that answers still open have room when it is full."""
CLOSED = -1
_HEAD = re.compile(rb'\{"sessionmagic":"grid","form":(\d+)\}\r?\n')
_LINE = re.compile(rb'\{"sum":"([0-9a-f]{8})","cell":(.*)\}', re.DOTALL)
_NO_USAGE = Usage()


class GridStore(Protocol):
    """Where the answers of one grid are kept. `answers` and `warnings` are those found when it was opened."""

    answers: dict[bytes, CellAnswer]
    warnings: list[str]

    def add(self, key: bytes, answer: CellAnswer) -> None:
        """Store an answer at once; raises `StoreError`."""

    def sync(self) -> None:
        """Make what was added last through a power failure; raises `StoreError`."""

    def close(self) -> None:
        """Release the grid for other processes."""


class MemoryGrids:
    """The grids of a manager whose sessions are in memory."""

    def __init__(self) -> None:
        self._grids: dict[str, dict[bytes, CellAnswer]] = {}
        self._open: dict[str, Holder] = {}

    def open(self, name: str, where: str = "a script") -> MemoryGrid:
        """Open a grid. Raises `SessionBusyError` if it is running, and `UsageError` if the name is not valid."""
        check_grid_name(name)
        if name in self._open:
            raise _busy(name, self._open[name])
        self._open[name] = Holder.here(where)
        return MemoryGrid(self._grids.setdefault(name, {}), lambda: self._open.pop(name))


class MemoryGrid:
    """The answers of a grid in memory."""

    def __init__(self, answers: dict[bytes, CellAnswer], release: Callable[[], object]) -> None:
        self.answers = answers
        self.warnings: list[str] = []
        self._release = release

    def add(self, key: bytes, answer: CellAnswer) -> None:
        """Keep an answer."""
        self.answers[key] = answer

    def sync(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let others run the grid."""
        self._release()


class FileGrids:
    """The grids in a store's home, each in a private file ``grids/NAME.jsonl``."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "grids"

    def open(self, name: str, where: str = "a script") -> FileGrid:
        """Open a grid for this process alone, and read what it has.

        Args:
            name: The name of the grid.
            where: The cell or script that runs it, for the errors that others get.

        Raises `SessionBusyError` if the grid is running, `UsageError` if the name is not valid, and `StoreError`.
        """
        check_grid_name(name)
        path = self._directory / f"{name}.jsonl"
        try:
            make_private_directory(self._directory)
            claim = take_claim(path.with_suffix(".claim"), Holder.here(where), data=path)
        except HeldError as error:
            raise _busy(name, error.holder) from None
        except OSError as error:
            raise _cannot("claim", path, error) from error
        try:
            return FileGrid(path, claim)
        except BaseException:
            claim.release()
            raise


class FileGrid:
    """The answers of a grid in a file. See `FileGrids.open`."""

    def __init__(self, path: Path, claim: FileClaim) -> None:
        self._path = path
        self._claim = claim
        self._lock = threading.Lock()
        self._unsynced = False
        self._spare = path.with_suffix(".spare")
        self.warnings: list[str] = []
        try:
            self.answers = self._read()
            _fill(self._spare, SPARE_BYTES)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            with suppress(OSError):
                self._spare.unlink(missing_ok=True)
            raise _cannot("write to", path, error) from error

    def add(self, key: bytes, answer: CellAnswer) -> None:
        """Append an answer."""
        line = _line(key, answer)
        with self._lock:
            if self._file == CLOSED:  # its number may be that of another file now
                raise StoreError(f"cannot write to {self._path}: the grid has ended; run it again")
            self.answers[key] = answer
            self._unsynced = True
            size = os.fstat(self._file).st_size
            try:
                _write(self._file, line)
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(self._file, size)
                    self._spare.unlink(missing_ok=True)  # makes room for the answers to the requests that are open
                    _write(self._file, line)
                raise _cannot("write to", self._path, error) from error

    def sync(self) -> None:
        """Sync the file to disk if something was added."""
        with self._lock:
            unsynced, self._unsynced = self._unsynced, False
        try:
            if unsynced:
                os.fsync(self._file)  # without the lock, as it is slow
        except OSError as error:
            raise _cannot("write to", self._path, error) from error

    def close(self) -> None:
        """Sync and close the file, and release the claim."""
        try:
            with suppress(StoreError):
                self.sync()
            with self._lock:
                file, self._file = self._file, CLOSED
            os.close(file)
            self._spare.unlink(missing_ok=True)
        finally:
            self._claim.release()

    def _read(self) -> dict[bytes, CellAnswer]:
        """Return the answers in the file, and make sure that the next line can be appended to it."""
        if not self._path.exists() or not self._path.stat().st_size:
            replace_file(self._path, _head())
            return {}
        answers: dict[bytes, CellAnswer] = {}
        damaged, whole, tail = 0, True, b""
        with self._path.open("rb") as file:
            found = _HEAD.fullmatch(file.readline(100))
            if found and int(found[1]) != FORM:
                raise SessionSchemaError(
                    f"{self._path} was written by a newer version of sessionmagic and was left unchanged (its form is "
                    f"{int(found[1])}, this version reads {FORM}); run pip install --upgrade sessionmagic"
                )
            for line in file:
                if line in {b"\n", b"\r\n"}:  # an editor may end the file so, and write other ends of lines
                    continue
                whole = _add(answers, line.rstrip(b"\r\n"))
                tail = b"" if line.endswith(b"\n") else line
                damaged += not whole and not tail
            size = file.tell()
        if damaged or not found:
            self._set_aside(answers, damaged if found else None)
        elif tail:  # a process was killed while it wrote the last line
            with self._path.open("r+b") as file:
                file.truncate(size if whole else size - len(tail))
                file.seek(0, os.SEEK_END)
                file.write(b"\n" if whole else b"")
        return answers

    def _set_aside(self, answers: Mapping[bytes, CellAnswer], damaged: int | None) -> None:
        """Keep the damaged file under another name, and go on with a file of the answers that can be read."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{secrets.token_hex(2)}")
        self._path.rename(aside)
        replace_file(self._path, _head() + b"".join(_line(key, answer) for key, answer in answers.items()))
        what = "is not a grid" if damaged is None else f"has {counted(damaged, 'damaged line')}"
        self.warnings.append(
            f"{self._path.name} {what}; it was set aside unchanged as {aside}, and {counted(len(answers), 'answer')} "
            "could be read"
        )


def check_grid_name(name: str) -> None:
    """Raise `UsageError` if this is not a valid name of a grid, which is the name of a file."""
    if not NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"{shortened(name)!r} is not a valid name of a grid; use at most 100 letters, digits, dots, hyphens and "
            "underscores"
        )
    if (size := len(name.encode())) > NAME_BYTES:
        raise UsageError(
            f"{shortened(name)!r} is too long for the name of a file, with {size} bytes; shorten it to {NAME_BYTES}"
        )


def _busy(name: str, holder: Holder | None) -> SessionBusyError:
    who = holder.describe() if holder else "another process holds it"
    return SessionBusyError(f"grid {name!r} is running: {who}; interrupt it there, or choose another name")


def _cannot(action: str, path: Path, error: OSError) -> StoreError:
    if error.errno in REFUSED:
        return no_locks(path, error)
    reason = error.strerror or str(error)
    return StoreError(f"cannot {action} {path}: {reason}; the answers that it has are kept, and nothing more was asked")


def _head() -> bytes:
    return b'{"sessionmagic":"grid","form":%d}\n' % FORM


def _line(key: bytes, answer: CellAnswer) -> bytes:
    usage = {name: value for name, value in asdict(answer.usage).items() if value != getattr(_NO_USAGE, name)}
    cell = {
        "key": key.hex(),
        "text": answer.text,
        "model": answer.model,
        "usage": usage,
        "seconds": round(answer.seconds, 6),
        "finish_reason": answer.finish_reason,
    }
    content = dumps(cell)
    return b'{"sum":"%08x","cell":%b}\n' % (zlib.crc32(content), content)


def _add(answers: dict[bytes, CellAnswer], line: bytes) -> bool:
    """Add the answer of a line; return False if the line is damaged."""
    found = _LINE.fullmatch(line)
    if not found or int(found[1], 16) != zlib.crc32(found[2]):
        return False
    try:
        cell = loads(found[2])
        key, usage = bytes.fromhex(cell.pop("key")), Usage(**cell.pop("usage"))
        answers[key] = CellAnswer(usage=usage, **cell)
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _write(file: int, line: bytes) -> None:
    written = 0
    while written < len(line):
        written += os.write(file, line[written:])


def _fill(path: Path, size: int) -> None:
    """Create a file of that size, with blocks on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:
            _write(file, b"\0" * size)
    finally:
        os.close(file)
