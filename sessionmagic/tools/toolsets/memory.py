"""The tools of the type ``memory``: what an agent remembers, also in other sessions.

It is an SQLite file with docker-agent's table, so that both can use the same one. The docstrings and the parameters are
what a model is told. The names are docker-agent's.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sessionmagic.exceptions import ToolError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import in_thread
from sessionmagic.tools.toolsets.folder import parts_of
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionmagic.tools.toolsets.surroundings import Surroundings

LONGEST = 10_000
"""Characters of a memory."""
SHOWN = 200
"""Memories that one call returns, the latest ones."""
READ = 20_000
"""Memories that a search looks at."""
SECONDS = 5.0
"""How long a call may take. A file of others may hold a view that never ends."""
STEPS = 10_000
"""Steps of SQLite between two looks at the clock."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS memories (id TEXT PRIMARY KEY, created_at TEXT, memory TEXT, category TEXT DEFAULT '')"
)


class Remembered(NamedTuple):
    """A memory."""

    id: str
    created_at: str
    memory: str
    category: str

    @property
    def line(self) -> str:
        """The memory as the model reads it."""
        category = f" [{self.category}]" if self.category else ""
        return f"{self.id} · {self.created_at[:10]}{category} {self.memory}"


class Memory:
    """The tools.

    Args:
        place: Returns the path of the file, and makes the directory for it if it is called with True.
    """

    def __init__(self, place: Callable[[bool], Path]) -> None:
        self._place = place

    async def add_memory(self, memory: str, category: str = "") -> str:
        """Remember something."""
        new = (str(time.time_ns()), datetime.now().astimezone().isoformat(timespec="seconds"), *_kept(memory, category))
        await in_thread(
            self._change, "INSERT INTO memories (id, created_at, memory, category) VALUES (?, ?, ?, ?)", new
        )
        return f"remembered as {new[0]}"

    async def get_memories(self) -> str:
        """Show all that is remembered."""
        return await self.search_memories()

    async def search_memories(self, query: str = "", category: str = "") -> str:
        """Find what is remembered, by words that it has and by its category."""
        words = query.casefold().split()

        def fits(each: Remembered) -> bool:
            text = each.memory.casefold()
            return all(word in text for word in words) and category.casefold() in {"", each.category.casefold()}

        found = [each.line for each in await in_thread(self._all) if fits(each)]
        left_out = [f"[{len(found) - SHOWN:,} more; search for words]"] if len(found) > SHOWN else []
        return "\n".join([*found[:SHOWN], *left_out]) or "(nothing is remembered)"

    async def update_memory(self, id: str, memory: str, category: str = "") -> str:  # noqa: A002
        """Replace what is remembered."""
        text, kind = _kept(memory, category)
        change = "UPDATE memories SET memory = ?, category = CASE ? WHEN '' THEN category ELSE ? END WHERE id = ?"
        await in_thread(self._change, change, (text, kind, kind, id))
        return f"replaced {shortened(id)}"

    async def delete_memory(self, id: str) -> str:  # noqa: A002
        """Forget something."""
        await in_thread(self._change, "DELETE FROM memories WHERE id = ?", (id,))
        return f"forgot {shortened(id)}"

    def _all(self) -> list[Remembered]:
        path = self._place(False)
        if not path.exists():
            return []
        with _opened(path) as database:
            columns = {row[1] for row in database.execute("PRAGMA table_info(memories)")}
            category = "category" if "category" in columns else "''"
            rows = database.execute(
                f"SELECT id, created_at, substr(memory, 1, {LONGEST}), substr({category}, 1, 100) FROM memories"  # noqa: S608
                f" ORDER BY rowid DESC LIMIT {READ}"
            )
            return [Remembered(*(str(value or "") for value in row)) for row in rows] if columns else []

    def _change(self, statement: str, values: tuple[str, ...]) -> None:
        path = self._place(True)
        with _opened(path) as database:
            database.execute(_TABLE)
            if "category" not in {row[1] for row in database.execute("PRAGMA table_info(memories)")}:
                database.execute("ALTER TABLE memories ADD COLUMN category TEXT DEFAULT ''")
            if database.execute(statement, values).rowcount == 0:
                raise ToolError("nothing is remembered under that id; search_memories shows the ids")


def place_of_memory(path: str, surroundings: Surroundings) -> Callable[[bool], Path]:
    """Return what returns the path of a memory.

    Args:
        path: A path within the working directory; empty for the memory of this agent of this file, in the store.
        surroundings: The agent and its file.

    Raises `ToolError` for a path that leads out of the working directory.
    """
    parts_of(path)
    name = f"{surroundings.file.stem}-{surroundings.agent}" if surroundings.file else surroundings.agent
    whose = f"{os.path.realpath(surroundings.file) if surroundings.file else ''}\n{surroundings.agent}"
    readable = re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:60]
    file = f"{readable}-{hashlib.sha256(whose.encode(errors='replace')).hexdigest()[:8]}.db"

    def place(make: bool) -> Path:  # noqa: FBT001
        if not path:
            directory = surroundings.store / "memory"
            if make:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return directory / file
        folder = surroundings.folder
        if make or folder.exists(path):
            with folder.holder(path, make=make) as (holder, last):
                holder.check_file(last)
        return Path(folder.root, path)

    return place


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for one change or one look. Raises `ToolError` if SQLite cannot."""
    deadline = time.monotonic() + SECONDS
    try:
        database = sqlite3.connect(path, timeout=SECONDS)
        try:
            database.execute("PRAGMA trusted_schema = OFF")
            database.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
            kinds = database.execute("SELECT type FROM sqlite_master WHERE name = 'memories'").fetchall()
            if kinds and kinds != [("table",)]:
                raise ToolError(f"{path.name} is not a memory; name another file")
            with database:
                yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        raise ToolError(f"the memory in {path.name} cannot be used: {error}") from error


def _kept(memory: str, category: str) -> tuple[str, str]:
    if not memory.strip() or len(memory) > LONGEST or len(category) > LONGEST:
        raise ToolError(f"a memory has at least one and at most {LONGEST:,} characters")
    return without_keys(memory), without_keys(category)
