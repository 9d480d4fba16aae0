"""The definition of an agent, and the built-in agents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.models.named import NO_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.file_agent import Budget, StructuredOutput
    from sessionmagic.agents.toolsets import Toolset
    from sessionmagic.models.named import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBudget:
    """What may be spent by the requests of an agent, or of all agents of a file, in one session."""

    owner: str
    """Whose budget it is, in words."""
    agents: frozenset[str]
    """The names of the agents whose requests count."""
    limit: Budget


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when an agent's model fails. Raises `ValueError` for a negative number.

    Attributes:
        models: The references of the models that are asked instead, in this order.
        retries: How often a model is asked again before the next one, if its provider failed for the moment.
        cooldown: Seconds for which a model that has failed is left out.
    """

    models: tuple[str, ...]
    retries: int = 2
    cooldown: float = 60.0

    def __post_init__(self) -> None:
        if self.retries < 0 or self.cooldown < 0:
            raise ValueError("retries and cooldown of a fallback cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """An agent: its name, its instructions, its model and its settings."""

    name: str
    description: str = ""
    instructions: str = ""
    additions: Mapping[str, str] = field(default_factory=dict)
    """Texts that join the instructions, also those of a session or a turn, by where they come from."""
    model: str | None = None
    """The model reference for sessions without an override; None for the default model."""
    title_model: str | None = None
    """The reference of the model that makes titles; None for the model of the turn."""
    compaction_model: str | None = None
    """The reference of the model that writes summaries; None for the model of the turn."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of turns that have no others, by the names of `models.settings`."""
    fallback: Fallback | None = None
    """What answers when the model of a turn fails, whether it is the agent's own or an override."""
    kernel_settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of turns for which neither the agent nor the name of its model has others."""
    kernel_system: str = ""
    """The instructions if there are no others."""
    names: Names = NO_NAMES
    """The models and servers that its agents file names."""
    rules: Mapping[str, list[str]] = field(default_factory=dict)
    """The rules of its agents file for tool calls: patterns by verdict."""
    safety: str = ""
    """Its safety mode, where that is stricter than the session's; ``autonomous`` if the user has confirmed it."""
    readonly: str = ""
    """Why it may only call tools that change nothing; empty if it may call others, too."""
    max_requests: int | None = None
    """How many model requests a turn may make, if that is fewer than others may."""
    budgets: tuple[OwnBudget, ...] = ()
    output: StructuredOutput | None = None
    """The form of answers if a turn asks for no other."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Prompts by the names that stand for them after a slash."""
    welcome: str = ""
    """What the user is told when a session begins with this agent."""
    sub_agents: Mapping[str, str] = field(default_factory=dict)
    """What the agents do to which it may give tasks, by their names."""
    handoffs: Mapping[str, str] = field(default_factory=dict)
    """What the agents do to which it may hand the conversation over, by their names."""
    toolsets: tuple[Toolset, ...] = ()
    """Its toolsets, with the definitions of the MCP servers that they name."""
    confirmed: frozenset[str] = frozenset()
    """The powers of its agents file that the user has confirmed, in words."""
    source: str = ""
    """The path of its agents file, or the name of its dict; empty if it is built in."""
    warnings: tuple[str, ...] = ()
    """What to tell with each turn."""
    notes: tuple[str, ...] = ()
    """What to tell once in a session."""

    def instructions_for(self, session: str, turn: str | None) -> str:
        """Return the instructions of a turn: its own, else the session's, else the agent's, else the kernel's.

        What the agent adds joins them, unless the turn is to have none.

        Args:
            session: The instructions of the session; empty for none of its own.
            turn: Those of the turn; None for none of its own.
        """
        if turn == "":
            return ""
        own = turn or session or self.instructions or self.kernel_system
        return "\n\n".join(filter(None, [own, *self.additions.values()]))


ASSISTANT = "assistant"
BUILT_IN = {ASSISTANT: AgentDefinition(name=ASSISTANT)}
