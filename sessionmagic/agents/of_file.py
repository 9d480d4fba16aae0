"""An agent of an agents file as a definition, with which turns can be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessionmagic.agents.beside import instruction_of
from sessionmagic.agents.definition import AgentDefinition, Fallback, OwnBudget
from sessionmagic.agents.joined import of_agent
from sessionmagic.agents.naming import names_of
from sessionmagic.agents.powers import autonomous, doubt, not_confirmed
from sessionmagic.agents.use import check_usable, notes, toolsets_of
from sessionmagic.agents.variables import agent_filled_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.file_agent import FileAgent


def definition_of(file: AgentsFile, name: str, confirmed: Collection[str], source: str) -> AgentDefinition:
    """Return an agent of a file as it is now: with the date, the variables and the files that it names.

    Args:
        file: The file.
        name: The name of the agent.
        confirmed: The powers of the file that the user has confirmed, in words.
        source: Where the file is from.

    Raises `AgentsFileError` if the agent needs something that we do not have, or a file cannot be read.
    """
    check_usable(file, name)
    agent = agent_filled_in(file.agent(name), os.environ)
    joined = of_agent(file, agent)
    model = next((file.models[each] for each in agent.references if each in file.models), None)
    return AgentDefinition(
        name=agent.name,
        description=agent.description,
        instructions=instruction_of(file, agent),
        additions=joined.texts,
        model=agent.model or None,
        title_model=model.title_model or None if model else None,
        compaction_model=model.compaction_model or None if model else None,
        fallback=_fallback(agent),
        names=names_of(file, confirmed),
        rules=_rules(file, confirmed),
        safety="" if agent.safety == "autonomous" and autonomous(agent.name) not in confirmed else agent.safety,
        readonly=f"the agent {agent.name} may only read" if agent.readonly else "",
        max_requests=agent.max_iterations or None,
        budgets=tuple(_budgets(file, agent)),
        output=agent.structured_output,
        commands={name: each.prompt for name, each in agent.commands.items()},
        welcome=agent.welcome_message,
        sub_agents=_colleagues(file, agent.sub_agents),
        handoffs=_colleagues(file, agent.handoffs),
        toolsets=toolsets_of(file, agent),
        confirmed=frozenset(confirmed),
        source=source,
        notes=(
            *filter(None, [doubt(file, not_confirmed(file, confirmed))]),
            *notes(file, agent.name),
            *joined.notes,
        ),
    )


def _colleagues(file: AgentsFile, names: Collection[str]) -> dict[str, str]:
    """Return what other agents of the file do, by their names. Those of registries are left out."""
    return {name: file.agents[name].description for name in names if name in file.agents}


def _fallback(agent: FileAgent) -> Fallback | None:
    own = agent.fallback
    return Fallback(own.models, own.retries, own.cooldown) if own and own.models else None


def _rules(file: AgentsFile, confirmed: Collection[str]) -> dict[str, list[str]]:
    if file.permissions is None:
        return {}
    allowed = [pattern for pattern in file.permissions.allow if f"allow {pattern}" in confirmed]
    return {"deny": list(file.permissions.deny), "allow": allowed, "ask": list(file.permissions.ask)}


def _budgets(file: AgentsFile, agent: FileAgent) -> Iterator[OwnBudget]:
    """Yield the budgets that hold for an agent: its own, those that it shares with others, and that of all agents."""
    if agent.budget:
        yield OwnBudget(owner=f"agent {agent.name!r}", agents=frozenset({agent.name}), limit=agent.budget)
    for name in agent.budgets:
        sharing = frozenset(each.name for each in file.agents.values() if name in each.budgets)
        yield OwnBudget(owner=f"budget {name!r} of {file.where}", agents=sharing, limit=file.budgets[name])
    if file.budget:
        yield OwnBudget(owner=f"the budget of {file.where}", agents=frozenset(file.agents), limit=file.budget)
