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


def _from_2(database: Database) -> Database:
    """Add settings and system texts, of which there were none, and count the requests without usage or price."""
    new = {"settings": {}, "system": ""}
    turns = database.get("turns", {})
    return {
        **database,
        "session": {"1": {**database["session"]["1"], **new, "schema": 3}},
        **({"turns": {key: {**_counted(turn), **new} for key, turn in turns.items()}} if turns else {}),
    }


def _counted(turn: dict[str, Any]) -> dict[str, Any]:
    return {**turn, "requests": [{**each, "usage": _counted_usage(each)} for each in turn["requests"]]}


def _counted_usage(request: dict[str, Any]) -> dict[str, Any]:
    usage: dict[str, Any] = request["usage"]
    if request["model"] and request["finish_reason"] is None:  # it was interrupted
        return {**usage, "cost": None, "unmeasured_requests": 1}
    unpriced = usage["cost"] is None and usage["input_tokens"] + usage["output_tokens"] > 0
    return {**usage, "unpriced_requests": int(unpriced)}


def _from_3(database: Database) -> Database:
    """Add stamps, of which there are none, as a migration cannot know who has set the permissions."""
    return {**database, "session": {"1": {**database["session"]["1"], "stamps": [], "schema": 4}}}


def _from_4(database: Database) -> Database:
    """Replace the stamps of single rules by one for all permissions, which only the user can give."""
    session = {name: value for name, value in database["session"]["1"].items() if name != "stamps"}
    return {**database, "session": {"1": {**session, "stamp": "", "schema": 5}}}


def _from_5(database: Database) -> Database:
    """Add what was not stored, such as notebooks and budgets. All turns were prompts of the session's own user."""
    new: dict[str, Any] = {
        "notebook": "",
        "notes": [],
        "fingerprint": "",
        "origin": "",
        "kind": "ask",
        "covers": None,
        "caller": None,
    }
    turns = {
        key: {**turn, **new, "requests": [{**each, "purpose": "answer"} for each in turn["requests"]]}
        for key, turn in database.get("turns", {}).items()
    }
    session = {**database["session"]["1"], "notebook": "", "budget": None, "removed_usage": {}, "schema": 6}
    return {**database, "session": {"1": session}, **({"turns": turns} if turns else {})}


def _from_6(database: Database) -> Database:
    """Add comparisons, of which there were none."""
    new: dict[str, Any] = {"column": None, "vote": None, "verdicts": []}
    turns = {key: {**turn, **new} for key, turn in database.get("turns", {}).items()}
    session = {**database["session"]["1"], "schema": 7}
    return {**database, "session": {"1": session}, **({"turns": turns} if turns else {})}


def _from_7(database: Database) -> Database:
    """Add structured answers, of which there were none, and count the commits from now on."""
    turns = {key: {**turn, "value": None} for key, turn in database.get("turns", {}).items()}
    session = {**database["session"]["1"], "schema": 8}
    counted = {**database, "session": {"1": session}, "journal": {"1": {"commit": 0, "checksum": 0}}}
    return {**counted, **({"turns": turns} if turns else {})}


def _from_8(database: Database) -> Database:
    """Add which tools a session offers, which none has said."""
    return {**database, "session": {"1": {**database["session"]["1"], "tools": "", "schema": 9}}}


def _from_9(database: Database) -> Database:
    """Add plans, of which there were none, as a kind of turn."""
    return {**database, "session": {"1": {**database["session"]["1"], "schema": 10}}}


def _from_10(database: Database) -> Database:
    """Add when responses came in and what was offered with requests, which is not known."""
    return {**database, "session": {"1": {**database["session"]["1"], "schema": 11}}}


def _from_11(database: Database) -> Database:
    """Add what models wrote as titles and judges, and the criteria of judges, which are not known."""
    return {**database, "session": {"1": {**database["session"]["1"], "schema": 12}}}


MIGRATIONS: dict[int, Callable[[Database], Database]] = {
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
    6: _from_6,
    7: _from_7,
    8: _from_8,
    9: _from_9,
    10: _from_10,
    11: _from_11,
}
"""For each older schema, a function from a file of that schema to one of the next. It changes nothing in place."""
