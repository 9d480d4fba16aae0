"""Why a file in the store is not read as a session, for the user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic_core import ValidationError

from sessionmagic.conversation.session import SCHEMA
from sessionmagic.exceptions import SessionSchemaError, StoreError
from sessionmagic.storage.migrations import MIGRATIONS
from sessionmagic.storage.store import is_session_id

if TYPE_CHECKING:
    from pathlib import Path


class JournalError(ValueError):
    """A journal is damaged, or does not continue its snapshot."""


def copy_of(path: Path, session_id: str) -> StoreError:
    """Return the error for a file whose content has another id than its name."""
    if not is_session_id(session_id):
        return no_session(path)
    original = path.with_name(f"{session_id}.json")
    advice = "delete it if you do not need it" if original.exists() else f"rename it to {original.name} to use it"
    return StoreError(f"{path} is a copy of the session {session_id} and is not used; {advice}")


def no_session(path: Path) -> StoreError:
    """Return the error for a file that has neither the name nor the content of a session."""
    return StoreError(f"{path} is not the file of a session and is not used; delete it if you do not need it")


def in_the_way(path: Path | str) -> StoreError:
    """Return the error for a directory in the place of a file."""
    return StoreError(
        f"{path} is a directory where a file belongs; move it elsewhere, or delete it if you do not need it"
    )


def no_locks(path: Path | str, error: OSError) -> StoreError:
    """Return the error for a file system that gives no locks."""
    return StoreError(
        f"{path} cannot be locked: {error.strerror or error}; set SESSIONMAGIC_HOME to a directory of another file "
        "system, such as a local disk, before the kernel starts"
    )


def another_schema(path: Path, schema: int) -> SessionSchemaError:
    """Return the error for a session of a schema that cannot be read."""
    if schema > SCHEMA:
        version, advice = "a newer version", "run pip install --upgrade sessionmagic"
    else:
        version, advice = "a version before the first release", "use another session name or delete the file"
    return SessionSchemaError(
        f"{path} was written by {version} of sessionmagic and was left unchanged "
        f"(its schema is {schema}, this version reads {min(MIGRATIONS)} to {SCHEMA}); {advice}"
    )


def reason_of(error: Exception) -> str:
    """Return why the content of a file is not that of a session."""
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"not a session: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    if isinstance(error, JournalError):
        return str(error)
    kind = "not JSON" if isinstance(error, json.JSONDecodeError) else "not a session"
    return f"{kind}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
