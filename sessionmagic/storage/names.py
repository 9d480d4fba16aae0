"""The names of sessions, with one small file per name, so that a lookup costs the same however many there are."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionExistsError
from sessionmagic.storage.atomic import make_private_directory, replace_file

if TYPE_CHECKING:
    from pathlib import Path


class Names:
    """A map from names to session ids. A name whose session no longer exists is free."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, name: str) -> str | None:
        """Return the id of the session with the name, or None; raises `OSError`."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def put(self, name: str, session_id: str) -> None:
        """Give the name to a session; raises `OSError`."""
        make_private_directory(self._directory)
        replace_file(self._path(name), session_id.encode())

    def drop(self, name: str, session_id: str) -> None:
        """Remove the name if it belongs to the session; raises `OSError`."""
        if self.find(name) == session_id:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._directory / sha256(name.encode(errors="surrogatepass")).hexdigest()


def name_taken(name: str) -> SessionExistsError:
    """Return the error for a name that another session has."""
    return SessionExistsError(f"a session named {name!r} already exists; choose another name")
