"""What a turn is planned with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Mapping

    from sessionmagic.models.catalog import Models
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.agent_tools import AgentTools


@dataclass(frozen=True, slots=True)
class Means:
    """What a turn is planned with.

    Attributes:
        models: The models that references can name.
        agent_tools: Makes the tools of an agent's toolsets.
        known: Models that are resolved already, by reference.
        loop: The event loop on which they are asked; None for models that are used once.
    """

    models: Models
    agent_tools: AgentTools
    known: Mapping[str, ResolvedModel] = field(default_factory=dict)
    loop: AbstractEventLoop | None = None

    def resolve(self, reference: str) -> ResolvedModel:
        """Return the model that the reference names; raises `ModelReferenceError`."""
        return self.known[reference] if reference in self.known else self.models.resolve(reference, self.loop)
