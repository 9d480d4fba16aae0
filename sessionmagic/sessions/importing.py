"""Import a session from a file that somebody else may have written."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sessionmagic.conversation.names import NAME_LIMIT, UNSEEN, check_name
from sessionmagic.conversation.session import SCHEMA, Session
from sessionmagic.exceptions import SessionExistsError, UsageError
from sessionmagic.json_bytes import loads
from sessionmagic.sessions.formats.atif_reading import from_atif, is_atif
from sessionmagic.sessions.formats.checks import checked_session
from sessionmagic.sessions.formats.docker_agent import from_docker_agent, is_docker_agent
from sessionmagic.sessions.formats.native import from_native, is_native, schema_of
from sessionmagic.storage.migrations import MIGRATIONS
from sessionmagic.storage.refusals import another_schema, reason_of
from sessionmagic.storage.store import is_session_id, new_session_id
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from sessionmagic.storage.store import Store

SIZE_LIMIT = 200_000_000
"""Bytes of the largest file that is imported."""
REASON_LENGTH = 300


def import_session(store: Store, file: Path | str, name: str = "") -> Session:
    """Store the session of a file, and return it. The format is known by the content of the file.

    Sessions of sessionmagic, ATIF trajectories and sessions of docker-agent can be imported. The session gets another
    id if its own is taken. Its rules and its safety mode come with it; allow rules and the mode ``autonomous`` hold
    once the user has confirmed them. Its turns are marked as imported.

    Args:
        store: The store, such as `SessionManager.store`.
        file: The file.
        name: Name of the new session; by default that in the file, with a number if it is taken.

    Raises:
        UsageError: The file cannot be read, or does not hold such a session; nothing was stored.
        SessionSchemaError: The file was written by another version of sessionmagic.
        SessionExistsError: The name is taken.
        StoreError: The store cannot be written.
    """
    if name:
        check_name(name)
    path = Path(file)
    try:
        session = checked_session(_session_in(path))
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        raise _refused(path, _reason(error)) from error
    return _stored(store, session, name, path)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError | KeyError | AttributeError | TypeError):
        return reason_of(error)
    return str(error)


def _refused(path: Path, reason: str) -> UsageError:
    line = shortened(printable(" ".join(reason.split())), REASON_LENGTH)
    return UsageError(f"cannot import {path}: {line}; nothing was stored")


def _session_in(path: Path) -> Session:
    document = _document(path)
    if is_native(document):
        schema = schema_of(document)
        if schema != SCHEMA and schema not in MIGRATIONS:
            raise another_schema(path, schema)
        return from_native(document)
    if is_atif(document):
        return from_atif(document)
    if is_docker_agent(document):
        return from_docker_agent(document)
    raise ValueError(
        "it is not in a format that can be imported, which are sessionmagic's JSON, ATIF and docker-agent's sessions"
    )


def _document(path: Path) -> Any:
    """Return the JSON in a file; raises `ValueError` with the reason when there is none."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a device or a pipe may never end
            raise ValueError("it is not a regular file")
        if about.st_size > SIZE_LIMIT:
            raise ValueError(f"it has {about.st_size:,} bytes; at most {SIZE_LIMIT:,} can be imported")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    try:
        return loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def _stored(store: Store, session: Session, name: str, path: Path) -> Session:
    """Store a session under a free id and name."""
    wanted = name or _name(session, path)
    is_free = is_session_id(session.id) and store.find(session.id) is None
    session_id, number = session.id if is_free else new_session_id(), 1
    while True:
        free = replace(
            session,
            id=session_id,
            name=wanted if number == 1 else f"{wanted[: NAME_LIMIT - 10]}-{number}",
            agents_source="",  # a path on another machine, or one that its author wants to be read here
        )
        try:
            store.create(free)
        except SessionExistsError:
            if name and store.find(name) is not None:
                raise
            session_id, number = new_session_id(), number + 1
        else:
            return store.load(free.id)


def _name(session: Session, path: Path) -> str:
    """Return the name that a session has in its file, or else that of the file."""
    for text in (session.name, path.stem):
        words = UNSEEN.sub(" ", text)[:NAME_LIMIT].strip()
        if words:
            return words
    return "imported"
