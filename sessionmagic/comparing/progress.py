"""How far a grid is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionmagic.comparing.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a grid is.

    Attributes:
        done: The cells that have an answer, those of earlier runs included.
        failed: The cells that got none.
        total: All cells. Equal prompts count once.
        open: The requests that are open.
        cost: What this run has cost so far in US dollars; None if nothing is known.
        estimate: The estimate of this run, which was made before it started.
        waiting: Why the grid waits; empty if it does not.
        ended: Whether nothing more is asked.
    """

    done: int
    failed: int
    total: int
    open: int
    cost: float | None
    estimate: Estimate
    waiting: str = ""
    ended: bool = False
