"""The models that have failed an agent lately, and are left out for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a model is left out, and for how many more seconds."""

    reason: str
    seconds: float


class Cooldowns:
    """Which models are left out for which agents. Thread-safe.

    Args:
        now: Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[tuple[str, str], tuple[float, str]] = {}

    def leave_out(self, agent: str, model: str, seconds: float, reason: str) -> None:
        """Leave a model out for an agent from now on.

        Args:
            agent: The agent's name.
            model: The identity of the model.
            seconds: For how long.
            reason: Why, in a few words.
        """
        self._until[agent, model] = self._now() + seconds, reason

    def rest_of(self, agent: str, model: str) -> Rest | None:
        """Return why and how long a model is still left out for an agent; None if it may be asked."""
        until, reason = self._until.get((agent, model), (0.0, ""))
        left = until - self._now()
        return Rest(reason, left) if left > 0 else None

    def clear(self, agent: str) -> None:
        """Let an agent ask all models again, as the user has just chosen one."""
        for key in [key for key in list(self._until) if key[0] == agent]:
            self._until.pop(key, None)
