"""The texts that join an agent's instructions: the date, where it runs, and files."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.agents.beside import BYTES, content_of, prompt_files_of, reason
from sessionmagic.agents.readers import TEXT_LIMIT
from sessionmagic.agents.surroundings import AGENTS_MD

if TYPE_CHECKING:
    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.file_agent import FileAgent
    from sessionmagic.agents.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Joined:
    """Texts by where they come from, and what to tell of those that are missing."""

    texts: dict[str, str]
    notes: tuple[str, ...] = ()


def of_agent(file: AgentsFile, agent: FileAgent) -> Joined:
    """Return the texts that an agent of a file wants. Raises `AgentsFileError` if a file cannot be read."""
    found: dict[str, str] = {}
    if agent.add_date:
        found["the date"] = f"Today's date is {datetime.now().astimezone():%Y-%m-%d (%A)}."
    if agent.add_environment_info:
        found["the environment"] = _environment()
    directory = file.directory or Path.cwd()
    missing = [name for name in agent.add_prompt_files if not os.path.exists(directory / name)]  # noqa: PTH110  a name may be too long for `Path.exists`
    there = tuple(name for name in agent.add_prompt_files if name not in missing)
    texts = prompt_files_of(file, replace(agent, add_prompt_files=there))
    found |= {name: _headed(name, text) for name, text in texts.items()}
    return Joined(
        found, tuple(f"{name}, which {agent.name} adds to its instructions, does not exist" for name in missing)
    )


def of_directory(surroundings: Surroundings) -> Joined:
    """Return the text of `AGENTS_MD`, if there is such a file and it is wanted."""
    if not surroundings.has_agents_md:
        return Joined({})
    path = surroundings.agents_md_path
    try:
        if Path(os.path.realpath(path)).parent != Path(os.path.realpath(path.parent)):
            raise ValueError("it is a link to another directory; copy the file")  # noqa: TRY301  as below
        text = content_of(path, BYTES * TEXT_LIMIT)[0].decode("utf-8-sig")
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"it has more than {TEXT_LIMIT:,} characters")  # noqa: TRY301  one place says what follows
    except FileNotFoundError:
        return Joined({})
    except UnicodeDecodeError:
        return Joined({}, (f"{AGENTS_MD} is not sent: it is not UTF-8; save it as UTF-8",))
    except (OSError, ValueError) as error:
        return Joined({}, (f"{AGENTS_MD} is not sent: {reason(error)}",))
    return Joined({AGENTS_MD: _headed(AGENTS_MD, text)}) if text.strip() else Joined({})


def _headed(name: str, text: str) -> str:
    return f"From the file {name}:\n\n{text.strip()}"


def _environment() -> str:
    here = Path.cwd()
    in_git = any((each / ".git").exists() for each in (here, *here.parents))
    return "\n".join(
        [
            f"Working directory: {here}",
            f"In a git repository: {'yes' if in_git else 'no'}",
            f"Operating system: {platform.system() or 'unknown'}",
            f"Processor: {platform.machine() or 'unknown'}",
        ]
    )
