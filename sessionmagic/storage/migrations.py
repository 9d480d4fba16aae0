"""The changes of the stored form: a session's file of an older schema is read as one of today's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    Database = dict[str, dict[str, Any]]
    """The content of a session's file: for each TinyDB table, its documents by their ids."""


def migrated(database: Database) -> Database:
    """Return a session's file in today's schema. A file whose schema has no migration is returned as it is.

    Raises `KeyError`, `TypeError` or `AttributeError` if the file does not hold a session.
    """
    while (migrate := MIGRATIONS.get(_schema(database))) is not None:
        database = migrate(database)
    return database


def _schema(database: Database) -> int:
    schema = database["session"]["1"]["schema"]
    return schema if isinstance(schema, int) else SCHEMA  # the check of the session reports the wrong type


def _with_settings(database: Database) -> Database:
    """Add the settings and the system text, of which a session and its turns had none."""
    new = {"settings": {}, "system": ""}
    turns = database.get("turns", {})
    return {
        **database,
        "session": {"1": {**database["session"]["1"], **new, "schema": 3}},
        **({"turns": {key: {**turn, **new} for key, turn in turns.items()}} if turns else {}),
    }


MIGRATIONS: dict[int, Callable[[Database], Database]] = {2: _with_settings}
"""For each older schema, a function from a file of that schema to one of the next. It changes nothing in place."""
