"""What an agents file says, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionmagic.agents.file_agent import Budget, FileAgent, read_agents, read_budget
from sessionmagic.agents.named_models import NamedModel, NamedProvider, read_model, read_provider
from sessionmagic.agents.readers import named, text, texts
from sessionmagic.agents.records import FileWarning, Record, key, record
from sessionmagic.agents.toolsets import Toolset, read_server
from sessionmagic.exceptions import UnknownAgentError
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "root"
"""The agent that answers if none is named. Without it, the first one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata(Record):
    """What a file says about itself."""

    author: str = key(text)
    license: str = key(text)
    description: str = key(text)
    readme: str = key(text)
    version: str = key(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules(Record):
    """The rules for tool calls: patterns as `tools.permissions` has them."""

    deny: tuple[str, ...] = key(texts, ())
    allow: tuple[str, ...] = key(texts, ())
    ask: tuple[str, ...] = key(texts, ())


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that was read."""

    path: Path
    stamp: tuple[int, ...]
    """Its inode, size and time of change, when it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsFile(Record):
    """The agents of a file, with the models, servers and rules that they use. Nothing of it is resolved yet."""

    version: str = key(text)
    metadata: Metadata | None = key(record(Metadata), None)
    providers: dict[str, NamedProvider] = key(named(read_provider, "a provider"), dict)
    models: dict[str, NamedModel] = key(named(read_model, "a model"), dict)
    mcps: dict[str, Toolset] = key(named(read_server, "an MCP server"), dict)
    permissions: FileRules | None = key(record(FileRules), None)
    budget: Budget | None = key(read_budget, None)
    """What all agents together may spend in a session."""
    budgets: dict[str, Budget] = key(named(read_budget, "a budget"), dict)
    agents: dict[str, FileAgent] = key(read_agents, dict)
    """The agents by name, in the order of the file."""
    warnings: tuple[FileWarning, ...] = field(default=(), compare=False)
    where: str = field(default="agents", compare=False)
    """What messages call the file."""
    origin: Origin | None = field(default=None, compare=False)

    @property
    def directory(self) -> Path | None:
        """The directory with the files that it names; None for what was not read from a file."""
        return self.origin.path.parent if self.origin else None

    @property
    def default_agent(self) -> FileAgent:
        """The agent that answers if none is named."""
        return self.agents.get(ROOT) or next(iter(self.agents.values()))

    @property
    def names(self) -> str:
        """The names of the agents, for messages."""
        return shortened(", ".join(self.agents), 200)

    def agent(self, name: str) -> FileAgent:
        """Return the agent with that name, or the default agent for ``""``. Raises `UnknownAgentError`."""
        if not name:
            return self.default_agent
        if name not in self.agents:
            advice = suggestion(name, self.agents, f"the agents of {self.where} are {self.names}")
            raise UnknownAgentError(f"no agent named {name!r}{advice}")
        return self.agents[name]
