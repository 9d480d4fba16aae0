"""How much a turn has done, and its limits: those of the turn with all its agents, and those of each agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import LimitReached
from sessionmagic.exceptions import TurnLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.tools.permissions import Limits


class Counts:
    """Counts model requests and tool calls, and raises `TurnLimitError` at a limit.

    Args:
        limits: The limits.
        emit: Emits an event, as `EventLog.emit` does.
        turn: The counts of the turn in which an agent works; None if these are the turn's.
    """

    def __init__(self, limits: Limits, emit: Callable[..., None], turn: Counts | None = None) -> None:
        self._limits = limits
        self._emit = emit
        self._turn = turn
        self._requests = 0
        self._calls = 0
        self._latest_call: tuple[str, str] = ("", "")
        self._repeats = 0
        """How many times in a row the latest call was made."""
        self._stopped = False

    def count_request(self) -> None:
        """Count a model request."""
        self._requests += 1
        if self._requests > self._limits.requests:
            limit = self._limits.requests
            self._stop("requests", limit, f"stopped after {limit} model requests")
        if self._turn is not None:
            self._turn.count_request()

    def count_call(self, tool: str, args: dict[str, Any]) -> None:
        """Count a tool call with the arguments that the model wrote."""
        self.count_any_call()
        this_call = (tool, json.dumps(args, sort_keys=True, default=str))
        self._repeats = self._repeats + 1 if this_call == self._latest_call else 1
        self._latest_call = this_call
        if self._repeats >= self._limits.repeats:
            limit = self._limits.repeats
            self._stop(
                "repeated_call", limit, f"stopped: {tool} was called {limit} times in a row with the same arguments"
            )

    def count_any_call(self) -> None:
        """Count a tool call, whatever it is."""
        self._calls += 1
        if self._calls > self._limits.tool_calls:
            limit = self._limits.tool_calls
            self._stop("tool_calls", limit, f"stopped after {limit} tool calls")
        if self._turn is not None:
            self._turn.count_any_call()

    def forget_repeats(self) -> None:
        """Let the next call be the first of its kind, as there may be a new reason to make it."""
        self._repeats = 0

    def _stop(self, which: str, value: int, cause: str) -> None:
        if not self._stopped:  # several calls of one response may reach the limit
            self._emit(LimitReached, which=which, value=value)
        self._stopped = True
        raise TurnLimitError(f"{cause}; send another prompt to continue")
