"""Turns that only propose a plan, and turns that carry one out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.tools.functions import YOURS, tool_for
from sessionmagic.words import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.tools.functions import Tool

PROPOSE = "Change nothing in this turn: only propose a plan, step by step."
"""What joins the instructions of a turn that plans."""
CARRY_OUT = "Carry out the plan."
"""How the prompt of a turn that carries out a plan begins."""
_NEW = "%%agent --plan asks for one"


def proposing(agent: AgentDefinition) -> AgentDefinition:
    """Return an agent that may only call tools that change nothing, as it only makes a plan."""
    return replace(agent, readonly="this turn only makes a plan")


def told_by_user(turn: TurnRecord) -> str:
    """Return the instructions of a turn without those that a plan adds."""
    return turn.system.removesuffix(PROPOSE).rstrip("\n") if turn.kind == "plan" else turn.system


def not_offered(functions: Iterable[Callable[..., Any] | Tool]) -> list[str]:
    """Return a warning that names the user's functions that a turn that plans does not offer."""
    tools = [tool_for(each) for each in functions]
    names = [tool.name for tool in tools if tool.source == YOURS and not tool.read_only]
    if not names:
        return []
    what = "functions that may change something" if len(names) > 1 else "a function that may change something"
    return [f"a plan is made without {', '.join(names)}, {what}; @tool(read_only=True) marks those that do not"]


def require_plan(session: Session, parent: str | None) -> None:
    """Raise `UsageError` unless a turn that continues `parent` can carry out a plan.

    A summary may stand between the two.
    """
    path = [turn for turn in session.path(parent) if turn.kind != "compaction"] if parent is not None else []
    plans = [turn for turn in path if turn.kind == "plan"]
    if not plans:
        raise UsageError(f"session {session.name!r} has no plan to carry out; {_NEW}")
    last, plan = path[-1], plans[-1]
    if last is plan and plan.status == "completed":
        return
    if last is plan:
        raise UsageError(f"the plan of turn {plan.id} is not complete; {_NEW}")
    goes_back = f"%agent use {typed(f'{session.name}@{plan.id}')} goes back to it"
    if last.kind == "go":
        raise UsageError(f"the plan of turn {plan.id} was carried out already, in turn {last.id}; {goes_back}")
    raise UsageError(f"turn {last.id} is not a plan, and turn {plan.id} was the latest; {goes_back}, and {_NEW}")
