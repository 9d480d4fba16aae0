"""How a run of an agent has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionMagicError, TurnFailedError
from sessionmagic.turns.history import REFUSALS

if TYPE_CHECKING:
    from sessionmagic.conversation.events import TurnStatus
    from sessionmagic.conversation.session import Session
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.output_type import Fitting


@dataclass(slots=True)
class Outcome:
    """How a run has ended."""

    status: TurnStatus
    messages: Messages = field(default_factory=list)
    requests: list[RequestRecord] = field(default_factory=list)
    error_code: str | None = None
    error: SessionMagicError | None = None
    fitting: Fitting | None = None
    """The structured answer, if one was asked for and given."""
    of_sub_agents: list[RequestRecord] = field(default_factory=list)
    """The model requests of the sub-agents that have worked for it."""
    handed_over: bool = False
    """Whether another agent goes on."""


def advised(outcome: Outcome, previous: Session) -> Outcome:
    """Return the outcome of a turn, with further advice if the turn before it failed in the same way.

    What is refused again and again may be in the history.

    Args:
        outcome: How the turn has ended.
        previous: The session before the turn.
    """
    asked = (turn for turn in reversed(previous.turns) if turn.kind != "compaction" and turn.caller is None)
    before = next(asked, None)
    if outcome.error_code in REFUSALS and before and before.error_code == outcome.error_code and previous.head:
        advice = "%agent drop takes the latest turn out of what is sent"
        outcome.error = TurnFailedError(f"{outcome.error}; if this comes back on every turn, {advice}")
    return outcome
