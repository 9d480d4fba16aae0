"""A turn that is on disk and about to run, with all that it was decided to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.turns.account import KERNEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.messages import UserContent

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.turns.account import Account
    from sessionmagic.turns.colleagues import Team
    from sessionmagic.turns.cut import Cut
    from sessionmagic.turns.event_log import EventLog, WorkLog
    from sessionmagic.turns.group import Hold
    from sessionmagic.turns.history import History
    from sessionmagic.turns.left_out import LeftOut
    from sessionmagic.turns.means import Means
    from sessionmagic.turns.planning import Plan
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A turn that is on disk and about to run."""

    plan: Plan
    turn: Turn
    record: TurnRecord
    log: EventLog | WorkLog
    left_out: LeftOut
    hold: Hold
    content: str | Sequence[UserContent]
    history: History
    cut: Cut | None
    """For a compaction, what it covers."""
    request: Request
    title: str
    """The title that the session has when the turn starts."""
    team: Team
    """The agents that may work in it, as they are when it starts."""
    means: Means
    """What the turn was planned with."""
    chain: tuple[str, ...] = ()
    """For the work of a sub-agent, the names of the agents that wait for it, the outermost first."""

    @property
    def seconds(self) -> float | None:
        """How long the turn may take: its timeout, or what the agent's budgets leave; None if neither says."""
        return min(filter(None, [self.request.timeout, self.plan.seconds_left]), default=None)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """What is charged with its model requests: the accounts of the session, of the agent and of the kernel."""
        group = self.hold.group
        own = (group.agent_accounts[budget.owner] for budget in self.plan.agent.budgets)
        return group.account, *own, KERNEL

    @property
    def for_calls(self) -> tuple[str, ...]:
        """For the work of a sub-agent, the ids of the tool calls that it works for, the outermost first."""
        return self.log.for_calls
