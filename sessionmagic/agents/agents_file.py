"""Agents files as docker-agent writes them: read, written, and read again when they have changed.

    file = load("agents.yaml")
    file.agent("tutor").instruction

A key or a type that we do not have is a warning. An agent that needs it cannot be used (`use.check_usable`). Keys and
passwords in a file are left out, with a warning.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.beside import content_of, reason
from sessionmagic.agents.checks import check
from sessionmagic.agents.contents import AgentsFile, Origin
from sessionmagic.agents.named_models import LEFT_OUT_TEXT
from sessionmagic.agents.nodes import Node, fail, node_of, without_secrets
from sessionmagic.agents.records import Reading, plain, read_record
from sessionmagic.agents.yaml_text import parsed, written

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FILE_LIMIT = 1_000_000
"""Bytes of an agents file."""


def load(path: str | Path, *, where: str = "", strict: bool = False, known: Collection[str] = ()) -> AgentsFile:
    """Return what a file says.

    Args:
        path: The YAML file.
        where: What messages call it; by default its path.
        strict: Whether a warning is an error.
        known: Models that are registered in this process, and may be named.

    Raises `AgentsFileError` if the file cannot be read, or something in it is not valid.
    """
    home = Path(os.path.expanduser(path))  # noqa: PTH111  `Path.expanduser` raises for an unknown user
    return _loaded(home.absolute(), where or str(path), strict=strict, known=known)


def loads(text: str, *, where: str = "agents", strict: bool = False, known: Collection[str] = ()) -> AgentsFile:
    """Return what a YAML text says. `where` is what messages call it; for the rest, see `load`."""
    if len(text) > FILE_LIMIT:
        fail(where, None, f"the text has {len(text):,} characters; use at most {FILE_LIMIT:,}")
    return _understood(parsed(text, where), Reading(where, strict), known)


def from_dict(
    content: Mapping[str, Any], *, where: str = "agents", strict: bool = False, known: Collection[str] = ()
) -> AgentsFile:
    """Return what a dict says that has the form of an agents file. For the rest, see `loads`."""
    return _understood(node_of(content, where), Reading(where, strict), known)


def dumps(file: AgentsFile) -> str:
    """Return a file as YAML, which `loads` reads as the same value."""
    return written(plain(file))


def reloaded_if_changed(file: AgentsFile, *, strict: bool = False, known: Collection[str] = ()) -> AgentsFile:
    """Return a loaded file as it is now: the same object if it has not changed.

    Raises `AgentsFileError` if it has vanished or is no longer valid; then `file` can still be used.
    """
    if file.origin is None:
        return file
    try:
        unchanged = _stamp(file.origin.path.stat()) == file.origin.stamp
    except OSError:
        unchanged = False  # loading it says why
    if unchanged:
        return file
    return _loaded(file.origin.path, file.where, strict=strict, known=known)


def _loaded(path: Path, where: str, *, strict: bool, known: Collection[str]) -> AgentsFile:
    try:
        content, status = content_of(path, FILE_LIMIT)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail(where, line, "the file is not UTF-8; save it as UTF-8")
    except (OSError, ValueError) as error:
        fail(where, None, f"the file cannot be read ({reason(error)}); name a YAML file with agents")
    file = loads(text, where=where, strict=strict, known=known)
    return replace(file, origin=Origin(path, _stamp(status)))


def _understood(node: Node, reading: Reading, known: Collection[str]) -> AgentsFile:
    if not isinstance(node.value, dict):
        fail(reading.where, node.line, "the file is not a mapping; write agents: and at least one agent")
    if "agents" not in node.value or node.value["agents"].value is None:
        fail(reading.where, None, "there are no agents; write agents: and at least one agent")
    node = without_secrets(node, reading.where, lambda line, path: reading.warn(line, f"{path} {LEFT_OUT_TEXT}"))
    file = read_record(AgentsFile, reading, node, "", where=reading.where)
    check(file, known)
    return replace(file, warnings=tuple(reading.warnings))


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
