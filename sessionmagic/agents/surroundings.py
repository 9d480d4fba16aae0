"""Where agents run: the directory in which agents files, and texts for all agents, are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILES = ("agents.yaml", "agents.yml")
"""The names of an agents file that is found beside a notebook."""
AGENTS_MD = "AGENTS.md"
"""The file beside the notebook that says what agents should know of a project."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where agents run."""

    directory: Path | None = None
    """Where files are looked for, such as the directory of the notebook; None for nowhere."""
    agents_md: bool = False
    """Whether `AGENTS_MD` in that directory joins the instructions."""

    @property
    def agents_md_path(self) -> Path:
        """The place of `AGENTS_MD`."""
        return (self.directory or Path()) / AGENTS_MD

    @property
    def has_agents_md(self) -> bool:
        """Whether there is an `AGENTS_MD`, and it is wanted."""
        return self.agents_md and self.directory is not None and self.agents_md_path.exists()
