"""Where messages are sent, as far as it decides what they may contain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.messages import ModelResponse, ThinkingPart


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages are sent, as far as it decides what they may contain."""

    made: Callable[[ModelResponse], bool]
    """Returns whether a response came from there."""
    takes_back: Callable[[ThinkingPart], bool] = lambda _: True
    """Returns whether a piece of reasoning that came from there can be sent back."""
    takes_ids: Callable[[ModelResponse], bool] = lambda _: True
    """Returns whether the ids of the calls in a response that came from there can be sent back."""
