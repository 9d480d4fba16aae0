"""The tools of the type ``shell``: commands of the model, in the foreground and in the background.

Each one asks, as code does. The docstrings and the parameters are what a model is told. The names are docker-agent's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.command import OUTPUT_LIMIT, Command, shell_command
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic.tools.toolsets.jobs import Job
    from sessionmagic.tools.toolsets.surroundings import Surroundings
    from sessionmagic.tools.toolsets.variables import Variables

SECONDS = 30
LONGEST_SECONDS = 3_600


class Shell:
    """The tools.

    Args:
        surroundings: Where commands run.
        variables: What the agents file sets for each command.
    """

    def __init__(self, surroundings: Surroundings, variables: Variables) -> None:
        self._surroundings = surroundings
        self._variables = variables

    async def shell(self, cmd: str, cwd: str = ".", timeout: int = SECONDS) -> str:
        """Run a shell command in the working directory."""
        check_seconds(timeout)
        command = await self._started(cmd, cwd, "shell", OUTPUT_LIMIT)
        return await command.finished(timeout, self._surroundings.reporting)

    async def run_background_job(self, cmd: str, cwd: str = ".") -> str:
        """Start a shell command that goes on in the background, such as a server."""
        self._surroundings.jobs.check_room()
        command = await self._started(cmd, cwd, "run_background_job", None)
        return f"started {self._surroundings.jobs.add(cmd, command).id}"

    async def list_background_jobs(self) -> str:
        """List the commands in the background."""
        return "\n".join(map(_line, self._surroundings.jobs.all)) or "(no jobs)"

    async def view_background_job(self, job_id: str) -> str:
        """Show the output of a command in the background."""
        job = self._surroundings.jobs.find(job_id)
        return f"{_line(job)}\n{job.command.output or '(no output yet)'}"

    async def stop_background_job(self, job_id: str) -> str:
        """Stop a command in the background."""
        job = self._surroundings.jobs.find(job_id)
        job.command.stop("it was told to")
        return _line(job)

    async def preview(self, cmd: str, cwd: str = ".", timeout: int = SECONDS) -> str:
        """Return where a command would run, and with which variables of the agents file."""
        check_seconds(timeout)
        check_command(cmd)
        where = [] if cwd == "." else [f"runs in {place_of(self._surroundings, cwd)}"]
        return "\n".join([*where, *self._variables.lines])

    async def _started(self, cmd: str, cwd: str, tool: str, limit: int | None) -> Command:
        check_command(cmd)
        environment = self._variables.environment(self._surroundings.store, tool)
        return await Command.started(shell_command(cmd), place_of(self._surroundings, cwd), environment, limit)


def place_of(surroundings: Surroundings, cwd: str) -> Path:
    """Return the directory in which a command runs. Raises `ToolError` if it is none."""
    try:
        directory = surroundings.directory / cwd
        exists = directory.is_dir()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise ToolError(f"{shortened(cwd)!r} is not a directory, so the command was not run")
    return directory


def check_command(cmd: str) -> None:
    """Raise `ToolError` for a command that is empty."""
    if not cmd.strip():
        raise ToolError("the command is empty")


def check_seconds(seconds: float) -> None:
    """Raise `ToolError` for a timeout that is not allowed."""
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ToolError(f"the timeout must be more than 0 and at most {LONGEST_SECONDS:,} seconds")


def _line(job: Job) -> str:
    return f"{job.id}: {job.status} · {shortened(' '.join(job.text.split()))}"
