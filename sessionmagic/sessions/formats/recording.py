"""A recording of a session: JSON lines that a human can read, a header first, then one turn a line.

Keys are left out, and so is what tells about the machine: home directories, names of the user and the computer, paths
of notebooks, ids of cells. Only names that were typed in a prompt are kept, as the notebook has them, too, and other
machines could not tell that they are names. Figures are inside.
"""

from __future__ import annotations

import json
import stat
from codecs import BOM_UTF8
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.names import NAME_LIMIT, UNSEEN
from sessionmagic.conversation.session import SCHEMA, Session, TurnRecord
from sessionmagic.exceptions import SessionMagicError, UsageError
from sessionmagic.home import names_of_machine_in, without_machine
from sessionmagic.json_bytes import loads
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.sessions.formats.checks import checked_session
from sessionmagic.sessions.formats.contents import EVERYTHING
from sessionmagic.storage.refusals import reason_of
from sessionmagic.turns.recorded import recorded_turns
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable
    from pathlib import Path

    from pydantic import TypeAdapter

    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = EVERYTHING - {"sub-agents", "own settings", "permissions"}
KIND = "sessionmagic recording"
VERSION = 1
SIZE_LIMIT = 100_000_000
"""Bytes of the largest file that is read."""
PUBLIC_FILE = 0o666
"""The mode of the file, from which the user's mask is subtracted."""
MOST_TURNS = 10_000
MOST_PARTS = 200_000
"""The parts of messages in all."""
REASON_LENGTH = 300
AGAIN = "copy it whole, or record it again"
"""What helps where a part of the file is missing."""
IDS = {"run_id", "conversation_id", "provider_response_id", "provider_url"}
KEPT = (
    *("id", "parent", "prompt", "model", "agent", "status", "started_at", "finished_at", "settings", "system"),
    *("kind", "covers", "values", "warnings", "error", "error_code", "column", "verdicts", "value"),
    *("requests", "messages"),
)
"""What a line has of a turn. A human reads the first ones."""


def to_recording(session: Session) -> str:
    """Return a session as the text of a recording, with the turns that are replayed."""
    turns = recorded_turns(session)
    known = {turn.id for turn in turns}
    models = list(dict.fromkeys(turn.model for turn in turns))
    header = {"kind": KIND, "version": VERSION, "name": session.name, "models": models, "head": session.head}
    typed = names_of_machine_in(turn.prompt for turn in turns if not turn.values)
    lines = [_line(header), *(_line(_entry(turn, known, typed)) for turn in turns)]
    return "\n".join(lines) + "\n"


def _entry(turn: TurnRecord, known: set[str], typed: set[str]) -> dict[str, Any]:
    verdicts = turn.verdicts if all({each.first, each.second} <= known for each in turn.verdicts) else []
    turn = replace(turn, covers=turn.covers if turn.covers in known else None, verdicts=verdicts)
    every = {**asdict(turn), "messages": [_message(each) for each in turn.messages]}
    entry: dict[str, Any] = _without_machine(
        {name: every[name] for name in KEPT if every[name] not in (None, [], {}, "")}, typed
    )
    return entry


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what it does not say, and without ids of runs."""
    parts = [{name: value for name, value in part.items() if value is not None} for part in message["parts"]]
    said = {name: value for name, value in message.items() if value is not None and name not in IDS}
    return {"kind": said.pop("kind"), **said, "parts": parts}


def _line(value: dict[str, Any]) -> str:
    return json.dumps(without_keys_in(value), ensure_ascii=False, separators=(", ", ": "))


def _without_machine(value: Any, kept: set[str]) -> Any:
    match value:
        case str():
            return without_machine(value, kept)
        case dict():
            return {key: each if _is_figure(key, each) else _without_machine(each, kept) for key, each in value.items()}
        case list() | tuple():
            return [_without_machine(each, kept) for each in value]
        case _:
            return value


def _is_figure(key: str, value: Any) -> bool:
    """Return whether a value is data in base64, which may have any letters in it."""
    return isinstance(value, str) and (key == "data" or key.startswith("image/"))


def read_recording(path: Path) -> tuple[Session, Hashable]:
    """Return the session that was recorded in a file, and what changes when the file does.

    Raises `UsageError` in one line, with the number of the line that is wrong.
    """
    try:
        about = path.stat()
        _check_size(about)
        session = _session_in(path.read_bytes(), path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, SessionMagicError) as error:
        raise UsageError(f"cannot replay {path}: {_reason(error)}") from error
    return session, _version(about)


def version_of(path: Path) -> Hashable:
    """Return what changes when a file does. Raises `OSError`."""
    return _version(path.stat())


def _version(about: os.stat_result) -> Hashable:
    return about.st_mtime_ns, about.st_size, about.st_ino


def _check_size(about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):  # a device or a pipe may never end
        raise ValueError("it is not a regular file")
    if about.st_size > SIZE_LIMIT:
        raise ValueError(f"it has {about.st_size:,} bytes; at most {SIZE_LIMIT:,} can be read")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
    elif isinstance(error, RecursionError):
        reason = "it has values nested too deep"
    elif isinstance(error, SessionMagicError) or type(error) is ValueError:
        reason = str(error)
    else:
        reason = reason_of(error)
    advice = "" if "; " in reason or isinstance(error, OSError) else f"; {AGAIN}"
    return shortened(printable(" ".join(reason.split())), REASON_LENGTH) + advice


def _session_in(content: bytes, path: Path) -> Session:
    header, *lines = content.removeprefix(BOM_UTF8).splitlines() or [b""]
    head = _header(header)
    if len(lines) > MOST_TURNS:
        raise ValueError(f"it has {len(lines):,} turns; at most {MOST_TURNS:,} can be read")
    entries = [_entry_in(line, number) for number, line in enumerate(lines, start=2)]
    if sum(_parts_in(entry) for entry in entries) > MOST_PARTS:
        raise ValueError(f"its messages have more than {MOST_PARTS:,} parts")
    turns = tuple(_turn(entry, number) for number, entry in enumerate(entries, start=2))
    started = [turn.started_at for turn in turns]
    name = UNSEEN.sub(" ", str(head.get("name") or path.stem))[:NAME_LIMIT].strip()
    session = Session(
        id="0" * 32,
        name=name or "recording",
        created_at=min(started, default=0.0),
        updated_at=max(started, default=0.0),
        head=head.get("head"),
        schema=SCHEMA,
        turns=turns,
    )
    _check_whole(session)
    return checked_session(session)


def _check_whole(session: Session) -> None:
    """Raise `ValueError` if a turn is missing, as in a file that was cut at the end of a line."""
    try:
        session.require_whole()
    except ValueError as error:
        raise ValueError(f"{error}, so the file was cut or edited; {AGAIN}") from None


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise ValueError("it is not a recording; %agent record FILE writes one")
    version, head = header.get("version"), header.get("head")
    if not isinstance(version, int):
        raise ValueError(f"its version is {shortened(repr(version))}, which is not a number")  # noqa: TRY004
    if version > VERSION:
        raise ValueError(f"it is a recording of version {version}, and this sessionmagic reads {VERSION}; update it")
    if not isinstance(head, str | None):
        raise ValueError("its head is not the id of a turn")  # noqa: TRY004  the reader's one kind of error
    return header


def _entry_in(line: bytes, number: int) -> dict[str, Any]:
    try:
        entry = loads(line)
    except ValueError as error:
        cut = (
            f"is cut off or not JSON; {AGAIN}"
            if not line.rstrip().endswith(b"}")
            else f"is not JSON ({_problem(error)})"
        )
        raise ValueError(f"line {number} {cut}") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("messages"), list):
        raise ValueError(f"line {number} is not a turn")  # noqa: TRY004
    return entry


def _problem(error: ValueError) -> str:
    """Return what is wrong with JSON, without its place, which counts within the line."""
    return str(error).partition(": line ")[0]


def _parts_in(entry: dict[str, Any]) -> int:
    lists = (message.get("parts") for message in entry["messages"] if isinstance(message, dict))
    return sum(len(parts) for parts in lists if isinstance(parts, list))


def _turn(entry: dict[str, Any], number: int) -> TurnRecord:
    known = {name: value for name, value in entry.items() if name in KEPT}
    try:
        return _adapter().validate_python({"parent": None, **known})
    except ValueError as error:
        raise ValueError(f"line {number} is not a turn ({reason_of(error).removeprefix('not a session: ')})") from None


@cache
def _adapter() -> TypeAdapter[TurnRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(TurnRecord)
