"""What stands in the way of using an agent of a file, and what has to be said when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.agents.checks import is_elsewhere, used_models
from sessionmagic.agents.model_options import options_of
from sessionmagic.agents.named_models import NamedModel
from sessionmagic.agents.nodes import fail
from sessionmagic.agents.records import FileWarning, Record, parts_of, plain
from sessionmagic.agents.toolsets import Toolset, with_definition
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.file_agent import FileAgent
    from sessionmagic.agents.records import NotUnderstood

NAME_A_VARIABLE = "name an environment variable instead"


def toolsets_of(file: AgentsFile, agent: FileAgent) -> tuple[Toolset, ...]:
    """Return an agent's toolsets, with the definitions of the MCP servers that they name."""
    return tuple(
        each if each.needs_gateway or each.ref not in file.mcps else with_definition(each, file.mcps[each.ref])
        for each in agent.toolsets
    )


def check_usable(file: AgentsFile, name: str) -> None:
    """Raise an `AgentsFileError` if an agent needs something that we do not have, or a key that was left out.

    What its MCP servers need counts, too. Its models refuse by themselves (`lack_of`), as it can be asked with another.
    """
    agent = file.agent(name)
    needed = _needed(part for record in _own_parts(file, agent) for part in parts_of(record))
    if needed is not None:
        fail(
            file.where, needed.line, f"the agent {agent.name!r} needs {needed.text}, which is not understood; remove it"
        )
    for toolset in toolsets_of(file, agent):
        if _holds(plain(toolset), LEFT_OUT):
            problem = f"the agent {agent.name!r} needs a key that stood in the file and was left out"
            fail(file.where, next(iter(toolset.lines.values()), None), f"{problem}; {NAME_A_VARIABLE}")


def lack_of(file: AgentsFile, part: Record) -> str:
    """Return what a model or a provider needs that we do not have, and what to do; empty if it can be asked."""
    needed = _needed(parts_of(part))
    if needed is not None:
        place = file.where if needed.line is None else f"{file.where}:{needed.line}"
        return f"needs {needed.text} in {place}, which is not understood; remove it"
    if _holds(plain(part), LEFT_OUT):
        return f"needs a key that stood in {file.where} and was left out; {NAME_A_VARIABLE}"
    return ""


def _own_parts(file: AgentsFile, agent: FileAgent) -> Iterator[Record]:
    yield agent
    yield from toolsets_of(file, agent)
    for shared in (file.permissions, file.budget, *(file.budgets[name] for name in agent.budgets)):
        if shared:
            yield shared


def _needed(parts: Iterable[Record]) -> NotUnderstood | None:
    """Return the first key or type of some parts that is needed and not understood."""
    needed = [each for part in parts for each in part.not_understood if each.value]  # "skills: false" needs nothing
    return min(needed, key=lambda each: each.line or 0, default=None)


def _holds(value: object, text: str) -> bool:
    match value:
        case str():
            return text in value
        case dict():
            return any(_holds(each, text) for each in value.values())
        case list():
            return any(_holds(each, text) for each in value)
        case _:
            return False


def notes(file: AgentsFile, name: str) -> tuple[str, ...]:
    """Return what to tell a user of an agent about keys that are understood, and do less than in docker-agent."""
    return tuple(dict.fromkeys(_notes(file, file.agent(name))))


def _notes(file: AgentsFile, agent: FileAgent) -> Iterator[str]:
    if agent.code_mode_tools:
        yield f"{agent.name} calls its tools one by one; code_mode_tools has no effect"
    for toolset in toolsets_of(file, agent):
        yield from _notes_on_tools(toolset)
    for other in (*agent.sub_agents, *agent.handoffs):
        if other not in file.agents and is_elsewhere(other):
            yield f"the agent {shortened(other)} is not in the file, and agents of registries are not loaded"
    for model in used_models(file, agent):
        if isinstance(model, NamedModel) and (note := options_of(file, model).note(model.name)):
            yield str(FileWarning(note, file.where, model.lines.get("provider_opts")))


def _notes_on_tools(toolset: Toolset) -> Iterator[str]:
    if toolset.needs_gateway:
        why = "needs Docker's MCP gateway, so it is not offered"
        yield f"{shortened(toolset.ref)} {why}; give the server's command or remote address instead"
    if toolset.version not in {"", "false", "off"}:
        yield f"{shortened(toolset.command)} is not installed automatically; install it if it is missing"
    if toolset.defer:
        yield f"the tools of {toolset.type} are offered at once; defer has no effect"
    if toolset.model:
        yield f"the model of the turn reads what {toolset.type} returns; model has no effect there"
    if toolset.toon:
        yield f"the results of {toolset.type} are not written as TOON; toon has no effect"
