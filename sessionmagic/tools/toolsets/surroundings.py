"""What the tools of an agent's toolsets work with."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.tools.toolsets.folder import Folder
from sessionmagic.tools.toolsets.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from pathlib import Path

    from sessionmagic.tools.questions import Reply
    from sessionmagic.tools.toolsets.command import Reporting

    Ask = Callable[[str, dict[str, Any]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the tools work with. One value serves all toolsets of an agent in a session.

    Args:
        directory: The working directory. No tool for files leads out of it.
        store: The directory of the store, which no tool enters.
        agent: The agent's name.
        file: The agents file; None if there is none. Agents of different files do not share a memory.
        own: Returns the directory in which the tools of the running turn's session keep their files; None if they keep
            nothing after the turn. It is called when a tool runs.
        ask: Asks the user of the running turn a question: a message, and the JSON schema of the answer.
        reporting: Returns a context in which what a running command writes is shown, as `turns.prints.reported` does.
        jobs: The commands in the background. Whoever makes it closes it with the session.
        read_only: Whether only tools are offered that change nothing.
        local_addresses: Whether addresses of this machine and its network may be fetched.
        confirmed: The powers of the file that the user has confirmed, in the words of `agents.powers`.
        environment: The variables that the file's references name.
    """

    directory: Path
    store: Path
    agent: str
    file: Path | None = None
    own: Callable[[], Path | None] = lambda: None
    ask: Ask | None = None
    reporting: Reporting = nullcontext
    jobs: Jobs = field(default_factory=Jobs)
    read_only: bool = False
    local_addresses: bool = False
    confirmed: Collection[str] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def folder(self) -> Folder:
        """The working directory as tools for files see it."""
        return Folder(self.directory, self.store)
