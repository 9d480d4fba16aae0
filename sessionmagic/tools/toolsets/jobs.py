"""Commands that run in the background, while the agent does something else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from sessionmagic.tools.toolsets.command import Command

MOST = 20
"""Jobs that run at the same time."""
KEPT = 50
"""Jobs that are kept, with their output, when they have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command that runs in the background, or has ended."""

    id: str
    text: str
    """The command as the model wrote it."""
    command: Command
    began: float = field(default_factory=time.monotonic)

    @property
    def status(self) -> str:
        """How it is, in words."""
        if self.command.exit_code is None and not self.command.stopped:
            return f"running for {time.monotonic() - self.began:.0f} s"
        return self.command.ending.strip("[]") or "completed"


class Jobs:
    """The jobs of a session. Whoever makes it closes it when the session's tools are no longer used."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._count = 0

    @property
    def all(self) -> list[Job]:
        """The jobs, the oldest first."""
        return list(self._jobs.values())

    def check_room(self) -> None:
        """Raise `ToolError` if no more jobs may run."""
        running = [each.id for each in self.all if each.command.exit_code is None]
        if len(running) >= MOST:
            raise ToolError(f"{len(running)} jobs are running; stop one of them first")

    def add(self, text: str, command: Command) -> Job:
        """Add a command that has been started."""
        self._count += 1
        job = Job(id=f"job_{self._count}", text=text, command=command)
        self._jobs[job.id] = job
        ended = [each.id for each in self.all if each.command.exit_code is not None]
        for old in ended[:-KEPT]:
            del self._jobs[old]
        return job

    def find(self, job_id: str) -> Job:
        """Return the job with that id. Raises `ToolError`."""
        if job_id not in self._jobs:
            raise ToolError(f"no job has the id {job_id!r}{suggestion(job_id, self._jobs, 'list_background_jobs')}")
        return self._jobs[job_id]

    def close(self) -> None:
        """Stop all jobs."""
        for each in self.all:
            each.command.stop("the session's tools were closed")
