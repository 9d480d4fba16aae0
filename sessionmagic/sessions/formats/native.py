"""Our own format: a session with all its turns, messages, attachments and figures as one JSON document.

Only its stamp is left out, so that allow rules and the mode ``autonomous`` do not hold where it is imported until the
user there has confirmed them; see `tools.trust`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import SCHEMA, Session
from sessionmagic.sessions.formats.contents import EVERYTHING
from sessionmagic.storage.atomic import dumps
from sessionmagic.storage.migrations import migrated

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = "sessionmagic"
HOLDS = EVERYTHING


def to_native(session: Session) -> bytes:
    """Return a session as our JSON."""
    own = {item.name: getattr(session, item.name) for item in fields(session) if item.name not in {"turns", "stamp"}}
    return dumps({"format": FORMAT, "session": own, "turns": [asdict(turn) for turn in session.turns]})


def is_native(document: Any) -> bool:
    """Return whether a JSON document is one of our own."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def schema_of(document: dict[str, Any]) -> int:
    """Return the schema of a document of ours; raises `ValueError` if it does not say which."""
    match document:
        case {"session": {"schema": int(schema)}, "turns": [*_]}:
            return schema
        case _:
            raise ValueError("it lacks its session, its turns or its schema")


def from_native(document: dict[str, Any]) -> Session:
    """Return the session of a document of ours, of today's schema or an older one.

    Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` when the document does not hold a session.
    """
    turns = {str(number): turn for number, turn in enumerate(document["turns"], start=1)}
    database = migrated({"session": {"1": document["session"]}, "turns": turns})
    own = {**database["session"]["1"], "schema": SCHEMA, "stamp": ""}
    session: Session = _adapter().validate_python({**own, "turns": list(database["turns"].values())})
    return session


@cache
def _adapter() -> TypeAdapter[Session]:
    from pydantic import TypeAdapter

    return TypeAdapter(Session)
