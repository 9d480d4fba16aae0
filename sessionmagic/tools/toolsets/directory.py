"""An open directory, and what is done with the files in it, by names of its own and never through a link.

Where the system can, files are opened within the open directory, so that nobody can exchange a directory on the way
for a link. Elsewhere (on Windows) a name is looked at before and after it is opened, which does not notice a link that
is there at that moment only.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

from sessionmagic.exceptions import ToolError
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHIN = {os.open, os.stat, os.mkdir, os.rmdir, os.rename, os.unlink, os.readlink} <= os.supports_dir_fd
"""Whether the system opens files within an open directory."""
SHOWN = 200
"""Characters of a path that a message names."""
MOST = 10_000
"""Entries of one directory that are read."""
_EXACT = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""A pipe that has taken the place of a file is not waited for."""
_READ = os.O_RDONLY | _EXACT | _AT_ONCE
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _EXACT
_OPEN = os.O_RDONLY | _EXACT | getattr(os, "O_DIRECTORY", 0)
_REPARSED = (getattr(stat, "IO_REPARSE_TAG_SYMLINK", -1), getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1))
"""Links and junctions of Windows."""


class MissingError(ToolError):
    """There is no file or directory with that name."""


def named(path: str) -> str:
    """Return a path as messages name it."""
    return shortened(printable(path), SHOWN) or "."


@contextmanager
def in_words(path: str) -> Iterator[None]:
    """Raise a `ToolError` of one line in place of an error of the system about a path."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link(path) from error
        if isinstance(error, FileNotFoundError):
            raise MissingError(f"{named(path)} does not exist") from error
        raise ToolError(f"{named(path)}: {(error.strerror or str(error)).lower()}") from error


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a directory, a link or something else, such as a pipe, in a directory."""

    name: str
    kind: str
    """``file``, ``directory``, ``link`` or ``other``."""
    size: int
    """Bytes."""


class Directory:
    """An open directory. Close it when it is no longer used.

    Its methods raise `ToolError`, and take the name of an entry, which is not a path.

    Args:
        path: Where it is, as an absolute path without links.
        shown: Its path within the folder, ``""`` for the folder itself.
        closed: The identity of a directory that is not entered.
        within: The descriptor of the directory that it is in; None for the folder itself.
    """

    def __init__(
        self, path: str, shown: str = "", *, closed: tuple[int, int] | None = None, within: int | None = None
    ) -> None:
        self.path = path
        self.shown = shown
        self._closed = closed
        name = path if within is None else path.rpartition(os.sep)[2]
        self._descriptor = os.open(name, _OPEN, dir_fd=within) if WITHIN else None

    def close(self) -> None:
        """Close the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from every other directory, whatever leads to it."""
        status = os.stat(self._itself)  # noqa: PTH116  it may be a descriptor
        return status.st_dev, status.st_ino

    def path_of(self, name: str) -> str:
        """Return the path of an entry within the folder."""
        return f"{self.shown}/{name}" if self.shown else name

    def entries(self) -> list[Entry]:
        """Return what is in it, in the order of the names, at most `MOST` entries."""
        with in_words(self.shown), os.scandir(self._itself) as found:
            names = [each.name for each in islice(found, MOST)]
        return [entry for name in sorted(names) if (entry := self.entry(name)) is not None]

    def entry(self, name: str) -> Entry | None:
        """Return an entry; None if there is none with that name, or it cannot be looked at."""
        try:
            status = self._status(name)
        except OSError:
            return None
        return Entry(name, _kind(status), status.st_size)

    def target(self, name: str) -> str:
        """Return where a link leads, as it says itself."""
        with in_words(self.path_of(name)):
            return os.readlink(self._at(name), dir_fd=self._descriptor)

    def inner(self, name: str, *, make: bool = False) -> Directory:
        """Open a directory in it, which is made first if `make` is set and it does not exist."""
        path = self.path_of(name)
        with in_words(path):
            if make and self.entry(name) is None:
                with suppress(FileExistsError):
                    os.mkdir(self._at(name), dir_fd=self._descriptor)
            status = self._status(name)
            if (kind := _kind(status)) != "directory":
                raise _link(path) if kind == "link" else ToolError(f"{named(path)} is not a directory")
            inner = Directory(self._full(name), path, closed=self._closed, within=self._descriptor)
        try:
            with in_words(path):
                inner._check_place()
        except BaseException:
            inner.close()
            raise
        return inner

    def read(self, name: str, limit: int) -> bytes:
        """Return the content of a file of at most `limit` bytes."""
        path = self.path_of(name)
        with in_words(path):
            _check_file(path, self._status(name), limit)
            descriptor = os.open(self._at(name), _READ, dir_fd=self._descriptor)
            with os.fdopen(descriptor, "rb") as file:
                _check_file(path, os.fstat(descriptor), limit)
                self._check_still(name, descriptor)
                content = file.read(limit + 1)
        if len(content) > limit:
            raise _too_large(path, limit)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole: whoever reads it finds the old or the new content. It keeps its permissions."""
        path, draft = self.path_of(name), f".{secrets.token_hex(8)}.tmp"
        with in_words(path):
            mode = self._writable_mode(name)
            descriptor = os.open(self._at(draft), _MAKE, 0o666 if mode is None else 0o600, dir_fd=self._descriptor)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    self._check_still(draft, descriptor)
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
                    if mode is not None and hasattr(os, "fchmod"):
                        os.fchmod(descriptor, mode)
                os.replace(self._at(draft), self._at(name), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            except BaseException:
                with suppress(OSError):
                    os.unlink(self._at(draft), dir_fd=self._descriptor)
                raise

    def check_file(self, name: str) -> None:
        """Raise `ToolError` if there is something else than a file with that name; nothing is fine."""
        if self.entry(name) is not None:
            with in_words(self.path_of(name)):
                _check_file(self.path_of(name), self._status(name))

    def remove_directory(self, name: str) -> None:
        """Remove a directory that is empty."""
        with in_words(self.path_of(name)):
            os.rmdir(self._at(name), dir_fd=self._descriptor)

    def _writable_mode(self, name: str) -> int | None:
        """Return the permissions of a file that may be written; None if there is none with that name."""
        try:
            status = self._status(name)
        except FileNotFoundError:
            return None
        _check_file(self.path_of(name), status)
        mode = stat.S_IMODE(status.st_mode) & 0o777
        if not mode & 0o222:
            raise ToolError(f"{named(self.path_of(name))} is write-protected")
        return mode

    @property
    def _itself(self) -> int | str:
        return self.path if self._descriptor is None else self._descriptor

    def _full(self, name: str) -> str:
        return f"{self.path.rstrip(os.sep)}{os.sep}{name}"

    def _at(self, name: str) -> str:
        """Return what functions of `os` take for an entry, beside the descriptor of this directory."""
        return self._full(name) if self._descriptor is None else name

    def _status(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)

    def _check_place(self) -> None:
        """Raise `ToolError` if it is closed, or a link has taken the place of a directory on the way to it."""
        if self.identity == self._closed:
            raise ToolError(f"{named(self.shown)} is where sessions are stored, which no tool enters")
        if not WITHIN and os.path.realpath(self.path) != self.path:
            raise _link(self.shown)

    def _check_still(self, name: str, descriptor: int) -> None:
        """Raise `ToolError` if what was opened is not what stands there, where a link can have been followed."""
        if WITHIN:
            return
        self._check_place()
        if not os.path.samestat(os.fstat(descriptor), self._status(name)):
            raise _link(self.path_of(name))


def _kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", None) in _REPARSED:
        return "link"
    return "directory" if stat.S_ISDIR(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "other"


def _check_file(path: str, status: os.stat_result, limit: int | None = None) -> None:
    match _kind(status):
        case "link":
            raise _link(path)
        case "directory":
            raise ToolError(f"{named(path)} is a directory")
        case "other":
            raise ToolError(f"{named(path)} is a device, a pipe or the like, and not a file")
    if limit is not None and status.st_size > limit:
        raise _too_large(path, limit)


def _link(path: str) -> ToolError:
    return ToolError(f"{named(path)} is a link, and links are not followed")


def _too_large(path: str, limit: int) -> ToolError:
    return ToolError(f"{named(path)} has more than {limit:,} bytes; read a part of it in another way")
