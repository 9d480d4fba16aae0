"""Whether the parts of an agents file fit together: names that nothing has, and models that contain themselves."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from sessionmagic.agents.named_models import members
from sessionmagic.agents.nodes import fail
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.models.available import AUTO
from sessionmagic.models.references import readings
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.file_agent import FileAgent
    from sessionmagic.agents.named_models import NamedModel, NamedProvider
    from sessionmagic.agents.records import Record

WITHOUT_PROVIDER = (AUTO, "local", "test")
"""References that name no provider."""


def check(file: AgentsFile, known: Collection[str] = ()) -> None:
    """Raise an `AgentsFileError` if the parts of a file do not fit together.

    Args:
        file: The file.
        known: Models that are registered in this process, and may be named.
    """
    for name, model in file.models.items():
        references = (*model.models, model.title_model, model.compaction_model)
        _check_references(file, f"models.{name}", model, references, known)
    _check_circles(file)
    for agent in file.agents.values():
        _check_models(file, agent, known)
        _check_colleagues(file, agent)
        _check_servers(file, agent)
        for name in agent.budgets:
            if name not in file.budgets:
                problem = f"agents.{agent.name}.budgets names {shortened(repr(name))}, which is not among the budgets"
                fail(file.where, agent.lines.get("budgets"), problem + suggestion(name, file.budgets, "add it there"))


def _check_models(file: AgentsFile, agent: FileAgent, known: Collection[str]) -> None:
    place = f"agents.{agent.name}"
    toolset_models = [toolset.model for toolset in agent.toolsets]
    _check_references(file, place, agent, (agent.model, *toolset_models), known)
    if agent.fallback:
        _check_references(file, f"{place}.fallback", agent.fallback, agent.fallback.models, known)
        if agent.model and agent.model in agent.fallback.models:
            problem = f"{place}.fallback has the agent's own model {shortened(agent.model)}; remove it there"
            fail(file.where, agent.fallback.lines.get("models"), problem)


def _check_references(
    file: AgentsFile, place: str, part: Record, references: Iterable[str], known: Collection[str]
) -> None:
    """Check that each reference is the name of a model, or looks like a reference to one of a provider."""
    line = next((part.lines[key] for key in ("model", "models", "first_available") if key in part.lines), None)
    for each in (member for reference in references for member in members(reference)):
        is_known = each in file.models or each in known or each in WITHOUT_PROVIDER
        if not is_known and not readings(each)[1:] and LEFT_OUT not in each:
            problem = f"{place} names the model {shortened(repr(each))}, which is not among the models"
            advice = suggestion(each, file.models, "add it there, or write PROVIDER/MODEL")
            fail(file.where, line, problem + advice)


def _check_circles(file: AgentsFile) -> None:
    try:
        TopologicalSorter({name: model.models for name, model in file.models.items()}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        lines = file.models[circle[0]].lines
        line = lines.get("model", lines.get("first_available"))
        shown = shortened(" → ".join(reversed(circle)), 200)
        fail(file.where, line, f"the model {circle[0]} contains itself ({shown}); remove one of these")


def _check_colleagues(file: AgentsFile, agent: FileAgent) -> None:
    """Check that the agents exist to which an agent gives work. Circles are allowed, as runs bound their depth."""
    for key, does in (("sub_agents", "has the sub-agent"), ("handoffs", "hands over to")):
        for name in getattr(agent, key):
            if name not in file.agents and not is_elsewhere(name):
                problem = f"agents.{agent.name} {does} {shortened(repr(name))}, which is not in the file"
                advice = suggestion(name, file.agents, f"the agents are {file.names}")
                fail(file.where, agent.lines.get(key), problem + advice)


def is_elsewhere(name: str) -> bool:
    """Return whether an agent's name is that of a registry or an address, which docker-agent reads from there."""
    return "/" in name


def _check_servers(file: AgentsFile, agent: FileAgent) -> None:
    for toolset in agent.toolsets:
        if toolset.ref and not toolset.needs_gateway and toolset.ref not in file.mcps:
            problem = f"agents.{agent.name} names the MCP server {shortened(repr(toolset.ref))}, which is not in mcps"
            advice = suggestion(toolset.ref, file.mcps, "add it there, or write docker:NAME")
            fail(file.where, toolset.lines.get("ref"), problem + advice)


def used_models(file: AgentsFile, agent: FileAgent) -> Iterator[NamedModel | NamedProvider]:
    """Yield the models and the providers of the file that an agent may ask."""
    others = (*(agent.fallback.models if agent.fallback else ()), *(each.model for each in agent.toolsets))
    todo = [*agent.references, *(member for reference in others for member in members(reference))]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        if model := file.models.get(name):
            yield model
            todo += [*model.models, *members(model.title_model), *members(model.compaction_model)]
        provider = file.providers.get(model.provider if model else name.partition("/")[0])
        if provider:
            yield provider
