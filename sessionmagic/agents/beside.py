"""Files that an agents file names: instructions, and texts that are added to them. They stand in its directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.agents.nodes import fail
from sessionmagic.agents.readers import TEXT_LIMIT
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.file_agent import FileAgent

BYTES = 4
"""Bytes of the longest character in UTF-8."""
_HOW = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe is not waited for."""


def content_of(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """Return the content of a file, and its status before it was read. Raises `OSError` and `ValueError`.

    Args:
        path: The file. Anything else, such as a pipe, is refused.
        limit: How many bytes it may have.
    """
    descriptor = os.open(path, _HOW)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return content, status


def reason(error: OSError | ValueError) -> str:
    """Return why a file could not be read."""
    return str((isinstance(error, OSError) and error.strerror) or error)


def instruction_of(file: AgentsFile, agent: FileAgent) -> str:
    """Return an agent's instruction, which may stand in files. Raises `AgentsFileError`."""
    if not agent.instruction_file:
        return agent.instruction
    return "\n\n".join(_texts(file, agent, "instruction_file").values())


def prompt_files_of(file: AgentsFile, agent: FileAgent) -> dict[str, str]:
    """Return the texts of the files that are added to an agent's instruction, by name. Raises `AgentsFileError`."""
    return _texts(file, agent, "add_prompt_files")


def _texts(file: AgentsFile, agent: FileAgent, key: str) -> dict[str, str]:
    line, place = agent.lines.get(key), f"agents.{agent.name}.{key}"
    found: dict[str, str] = {}
    for name in getattr(agent, key):
        found[name] = _text(file, line, place, name)
        if (length := sum(map(len, found.values()))) > TEXT_LIMIT:
            fail(file.where, line, f"the files of {place} have {length:,} characters; use at most {TEXT_LIMIT:,}")
    return found


def _text(file: AgentsFile, line: int | None, place: str, name: str) -> str:
    """Return the text of a file below the directory of the agents file, where links lead nowhere else."""
    problem = f"{place} names {shortened(repr(name))}"
    try:
        directory = Path(os.path.realpath(file.directory or Path.cwd()))
        path = Path(os.path.realpath(directory / name))
        if Path(name).is_absolute() or not path.is_relative_to(directory):
            fail(file.where, line, f"{problem}, which is not below the directory of the agents file; move it there")
        content, _ = content_of(path, BYTES * TEXT_LIMIT)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        fail(file.where, line, f"{problem}, which is not UTF-8; save it as UTF-8")
    except (OSError, ValueError) as error:
        fail(file.where, line, f"{problem}, which cannot be read ({reason(error)}); correct the name or the file")
