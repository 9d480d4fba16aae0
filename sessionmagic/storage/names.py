"""From a session's name to its id: one small file a name, so that a look-up costs the same in any store."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sessionmagic.storage.atomic import make_private_directory, replace_file

if TYPE_CHECKING:
    from pathlib import Path


class Names:
    """The names in use. One that leads to a session that is no more is free."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, name: str) -> str | None:
        """Return the id that has the name, if any; raises `OSError`."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def put(self, name: str, session_id: str) -> None:
        """Give the name to a session; raises `OSError`."""
        make_private_directory(self._directory)
        replace_file(self._path(name), session_id.encode())

    def drop(self, name: str, session_id: str) -> None:
        """Take the name from the session, if it has it; raises `OSError`."""
        if self.find(name) == session_id:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._directory / sha256(name.encode(errors="surrogatepass")).hexdigest()
