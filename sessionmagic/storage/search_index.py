"""An index of what was said in all turns, for the search. It can be rebuilt from the sessions at any time.

It is an SQLite database of the folded text of each turn, and of the groups of three characters (trigrams) in these
texts. A search looks up the turns that have all trigrams of its words, newest first, and then looks for the words in
their texts. No turn writes the index: a search brings it up to date with the files that have changed.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from sessionmagic.conversation.said import TurnKey, folded, said_in
from sessionmagic.conversation.session import SCHEMA
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.storage.atomic import PRIVATE_FILE
from sessionmagic.storage.locks import Timeout, lock_of
from sessionmagic.storage.progress import told
from sessionmagic.storage.scan import scanned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.locks import Lock
    from sessionmagic.storage.stamps import Stamp

VERSION = 100 + SCHEMA
"""The form of the database. One of another form is made anew, as an older version may have passed over sessions."""
LOCK_SECONDS = 5.0
"""How long a search waits for another process that brings the index up to date."""
BATCH = 400
"""How many sessions are written in one transaction, so that an interrupted update keeps most of its work."""
GRAM = 3
"""Characters of a trigram. A word of two is looked up with each character before it, and one of one in all texts."""
BEFORE = "\n"
"""Put before each text, so that a character stands before each word."""
LATEST = 2**40
"""The largest number of a turn by its time: tenths of a second."""
SEPARATOR = "\n\x1e\n"
TABLES = """
    CREATE TABLE sessions (id TEXT PRIMARY KEY, stamp TEXT NOT NULL);
    CREATE TABLE turns (id INTEGER PRIMARY KEY, session TEXT NOT NULL, turn TEXT NOT NULL, text TEXT NOT NULL);
    CREATE INDEX turns_of_session ON turns (session);
    CREATE TABLE characters (character TEXT PRIMARY KEY);
"""
TRIGRAMS = """
    CREATE VIRTUAL TABLE grams
    USING fts5(text, content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1');
"""


class SearchIndex:
    """The index of what was said in all sessions of a directory.

    Args:
        path: The file of the index.
        files: Returns the stem and the stamp of each session's file.
        load: Returns the session with an id, or raises a `StoreError`.
    """

    def __init__(
        self, path: Path, files: Callable[[], list[tuple[str, Stamp]]], load: Callable[[str], Session]
    ) -> None:
        self._path = path
        self._files = files
        self._load = load

    def turns_with(self, words: Sequence[str], limit: int, among: Collection[str] | None) -> list[TurnKey]:
        """Return the newest turns that have all these folded words; raises `StoreError`.

        The sessions themselves are read if the index can neither be used nor made anew: on a full or read-only disk,
        or while another process makes it.

        Args:
            words: The words.
            limit: How many turns at most.
            among: The ids of the sessions to search; None for all.
        """
        if not self._path.parent.exists():
            return []
        try:
            return self._using_index(words, limit, among)
        except (sqlite3.Error, OSError, Timeout):
            ids = [session_id for session_id, _ in self._files() if among is None or session_id in among]
            return scanned(told(ids, "searching", len(ids)), self._load, words, limit)

    def forget(self, session_id: str) -> None:
        """Take a deleted session out of the index. If that fails, the next search does it."""
        if self._path.exists():
            with suppress(sqlite3.Error, OSError, Timeout), self._locked(), self._opened() as database, database:
                _forget(database, session_id, with_grams=_has_grams(database))

    def _locked(self) -> Lock:
        return lock_of(self._path.with_suffix(".lock"), LOCK_SECONDS)

    def _using_index(self, words: Sequence[str], limit: int, among: Collection[str] | None) -> list[TurnKey]:
        with self._locked():
            try:
                return self._find(words, limit, among)
            except sqlite3.Error:  # damaged, or of another version of SQLite
                for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    path.unlink(missing_ok=True)
                return self._find(words, limit, among)

    def _find(self, words: Sequence[str], limit: int, among: Collection[str] | None) -> list[TurnKey]:
        with self._opened() as database:
            self._update(database)
            return _found(database, words, limit, among)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))  # SQLite would let others read it
        with closing(sqlite3.connect(self._path, timeout=LOCK_SECONDS)) as database:
            database.execute("PRAGMA secure_delete = ON")  # what was deleted must not stay in the file
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                database.executescript(TABLES)
                with suppress(sqlite3.OperationalError):  # without FTS5, or with one that knows no trigrams
                    database.executescript(TRIGRAMS)
                database.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"version {version}")
            yield database

    def _update(self, database: sqlite3.Connection) -> None:
        known = dict(database.execute("SELECT id, stamp FROM sessions"))
        files = {stem: json.dumps(stamp) for stem, stamp in self._files()}
        gone = [session_id for session_id in known if session_id not in files]
        changed = sorted(session_id for session_id, stamp in files.items() if known.get(session_id) != stamp)
        if not gone and not changed:
            return
        with_grams = _has_grams(database)
        with database:
            for session_id in gone:
                _forget(database, session_id, with_grams=with_grams)
        for start in told(range(0, len(changed), BATCH), "reading sessions for the search", len(changed), BATCH):
            with database:
                self._write(
                    database, {key: files[key] for key in changed[start : start + BATCH]}, with_grams=with_grams
                )

    def _write(self, database: sqlite3.Connection, stamps: dict[str, str], *, with_grams: bool) -> None:
        """Write what has changed in some sessions."""
        added: list[tuple[float, str, str, str]] = []
        for session_id, stamp in stamps.items():
            said = self._said(session_id)
            rows = _rows(database, session_id)
            kept = {turn for turn, (_, text) in rows.items() if said.get(turn, (0.0, None))[1] == text}
            _delete(database, [row for turn, row in rows.items() if turn not in kept], with_grams=with_grams)
            added += [(at, session_id, turn, text) for turn, (at, text) in said.items() if turn not in kept]
            database.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, stamp))
        characters = set(BEFORE).union(*(text for *_, text in added))
        database.executemany("INSERT OR IGNORE INTO characters VALUES (?)", zip(characters))
        taken: set[int] = set()
        numbered = [(_free_number(database, at, taken), *row) for at, *row in added]
        numbered.sort()  # FTS5 writes a batch at once only in this order
        database.executemany("INSERT INTO turns VALUES (?, ?, ?, ?)", numbered)
        if with_grams:
            database.executemany(
                "INSERT INTO grams (rowid, text) VALUES (?, ?)", [(number, text) for number, _, _, text in numbered]
            )

    def _said(self, session_id: str) -> dict[str, tuple[float, str]]:
        """Return the time and the folded text of each turn of a session; none if it cannot be read."""
        try:
            turns = self._load(session_id).turns
            texts = [said_in(turn) for turn in turns]
        except (SessionNotFoundError, StoreError):  # the listing, or whoever uses it, tells it
            return {}
        together = SEPARATOR.join(texts)
        if without_keys(together) != together:  # a file of somebody else, or a key that was not known before
            texts = [without_keys(text) for text in texts]
        return {turn.id: (turn.started_at, BEFORE + folded(text)) for turn, text in zip(turns, texts, strict=True)}


def _found(
    database: sqlite3.Connection, words: Sequence[str], limit: int, among: Collection[str] | None
) -> list[TurnKey]:
    conditions, values = ["instr(turns.text, ?) > 0" for _ in words], list(words)
    if among is not None:
        conditions.append("turns.session IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(among)))
    if _has_grams(database) and (match := _match(database, words)):
        # CROSS JOIN makes SQLite begin with the trigrams.
        source, order = "grams CROSS JOIN turns ON turns.id = grams.rowid", "grams.rowid"
        conditions.insert(0, "grams MATCH ?")
        values.insert(0, match)
    else:
        source, order = "turns", "turns.id"
    query = (
        f"SELECT turns.session, turns.turn FROM {source} WHERE {' AND '.join(conditions)} "  # noqa: S608  our own words
        f"ORDER BY {order} DESC LIMIT ?"
    )
    return [TurnKey(*row) for row in database.execute(query, (*values, limit))]


def _match(database: sqlite3.Connection, words: Sequence[str]) -> str:
    """Return the query for the turns that have the trigrams of these words; empty if they have none."""
    grams = dict.fromkeys(word[at : at + GRAM] for word in words for at in range(len(word) - GRAM + 1))
    conditions = [_quoted(gram) for gram in grams]
    if pairs := [word for word in words if len(word) == GRAM - 1]:
        characters = [character for (character,) in database.execute("SELECT character FROM characters")]
        conditions += [f"({' OR '.join(_quoted(each + pair) for each in characters)})" for pair in pairs]
    return " AND ".join(conditions)


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'


def _has_grams(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'grams'").fetchone() is not None


def _rows(database: sqlite3.Connection, session_id: str) -> dict[str, tuple[int, str]]:
    """Return the number and the text of each turn of a session in the index."""
    rows = database.execute("SELECT turn, id, text FROM turns WHERE session = ?", (session_id,))
    return {turn: (number, text) for turn, number, text in rows}


def _forget(database: sqlite3.Connection, session_id: str, *, with_grams: bool) -> None:
    _delete(database, _rows(database, session_id).values(), with_grams=with_grams)
    database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def _delete(database: sqlite3.Connection, rows: Collection[tuple[int, str]], *, with_grams: bool) -> None:
    if with_grams:  # a table without content is told what it had
        database.executemany("INSERT INTO grams (grams, rowid, text) VALUES ('delete', ?, ?)", rows)
    database.executemany("DELETE FROM turns WHERE id = ?", [(number,) for number, _ in rows])


def _free_number(database: sqlite3.Connection, at: float, taken: set[int]) -> int:
    """Return a number for a turn, by which later turns come after earlier ones."""
    wanted = int(min(max(0.0, at * 10), LATEST)) if at == at else 0  # noqa: PLR0124  not a number, in a hostile file
    number, room = wanted, 1
    while number in taken or database.execute("SELECT 1 FROM turns WHERE id = ?", (number,)).fetchone():
        room *= 2
        number = wanted + random.randrange(room)  # noqa: S311  nothing is secret here
    taken.add(number)
    return number
