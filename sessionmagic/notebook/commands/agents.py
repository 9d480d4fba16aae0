"""``%agent`` on agents: list them, and load those of a file or a dict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import AgentsFileError, UnknownAgentError, UsageError
from sessionmagic.notebook.commands.registry import argument, command, say
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.notebook.visible import one_line
from sessionmagic.words import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sessionmagic.agents.loaded import Loaded
    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext

DESCRIPTION_LENGTH = 120
"""Characters of a description that the list shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """An agent that ``--agent`` can name."""

    name: str
    description: str
    model: str
    tools: tuple[str, ...]
    """The types of its toolsets."""
    file: str
    """Where it is from; empty if it is built in."""
    default: bool
    """Whether it answers new sessions."""
    answers: bool
    """Whether it answers the next turn of the active session."""
    problem: str
    """Why it cannot be used; empty if it can."""


@command(
    "List the agents that --agent can name, and what of their file is not understood; "
    "%agent agents load PATH loads a file.",
    argument("-s", "--session", default="", metavar="NAME", help="whose agent is marked; default: the active session"),
)
def agents(context: NotebookContext, options: argparse.Namespace) -> Any:
    manager, name = context.manager, context.chosen_or_latest(options.session)
    session = manager.sessions.load(name) if name and manager.store.find(name) is not None else None
    loaded = manager.agents.current()
    return Listing(
        list(_known(context, loaded, session)),
        {
            "": lambda agent: "▸" if agent.answers else "",
            "name": lambda agent: f"{agent.name} (default)" if agent.default else agent.name,
            "description": lambda agent: one_line(agent.description, DESCRIPTION_LENGTH),
            "model": lambda agent: agent.model,
            "tools": lambda agent: ", ".join(agent.tools),
            "file": lambda agent: agent.file,
        },
        list(_notes(context, loaded, session)),
    )


def _known(context: NotebookContext, loaded: Loaded | None, session: Session | None) -> Iterator[KnownAgent]:
    known = context.manager.agents
    default = loaded.file.default_agent.name if loaded else known.names()[0]
    current = known.if_usable("", session.current_agent, session.agents_source) if session is not None else None
    for name in known.names():
        agent, problem = None, ""
        try:
            agent = known.answering(name)
        except (AgentsFileError, UnknownAgentError) as error:
            problem = str(error)
        in_file = loaded.file.agents.get(name) if loaded else None
        source = loaded.source if loaded and in_file else ""
        override = session.agent_model_overrides.get(name, "") if session is not None else ""
        yield KnownAgent(
            name=name,
            description=agent.description if agent else in_file.description if in_file else "",
            model=override
            or (in_file.model if in_file else agent.model if agent else None)
            or context.manager.models.default,
            tools=tuple(dict.fromkeys(each.type for each in agent.toolsets)) if agent else (),
            file=source,
            default=name == default,
            answers=current is not None and (current.name, current.source) == (name, source),
            problem=problem,
        )


def _notes(context: NotebookContext, loaded: Loaded | None, session: Session | None) -> Iterator[str]:
    """Yield what is to be known about the agents and their file."""
    if session is not None:
        yield f"▸ answers the next turn of {session.name}"
    if loaded is None:
        yield f"no agents.yaml in {context.manager.agents.surroundings.directory}; %agent agents load PATH loads a file"
        return
    problems = [each.problem for each in _known(context, loaded, session) if each.problem]
    notes = [note for name in loaded.file.agents if (agent := context.agents.if_usable(name)) for note in agent.notes]
    yield from dict.fromkeys(f"⚠ {each}" for each in filter(None, [loaded.problem, *problems, *notes]))
    yield from (f"⚠ {warning}" for warning in loaded.file.warnings)


@command(
    "Load the agents of a YAML file, or of a dict of its form. They answer in place of those beside the notebook.",
    argument("source", metavar="PATH | NAME", help="a file, or a variable that holds a dict"),
    argument("--strict", action="store_true", help="refuse a file in which something is not understood"),
    argument(
        "--confirm",
        action="store_true",
        help="let the file's allow rules and its safety mode autonomous hold, and send the keys that it names to its "
        "own addresses",
    ),
    name="agents load",
)
def load(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.agents.powers import not_confirmed
    from sessionmagic.agents.use import notes
    from sessionmagic.tools.tool_code import refuse_tools

    if options.confirm:
        refuse_tools("confirm what an agents file asks for")
    known = context.manager.agents
    source = _source(context, options.source)
    loaded = known.load(source, name=options.source, strict=options.strict, confirm=options.confirm)
    file = loaded.file
    say(f"{file.where} has {counted(len(file.agents), 'agent')}: {file.names}")
    say(f"{file.default_agent.name} answers new sessions; --agent NAME asks another one")
    if missing := not_confirmed(file, loaded.confirmed):
        say(f"⚠ not confirmed, so it does not hold: {', '.join(missing)}; --confirm allows it")
    told = dict.fromkeys(note for name in file.agents for note in notes(file, name))
    for warning in (*file.warnings, *told):
        say(f"⚠ {warning}")


def _source(context: NotebookContext, named: str) -> Path | Mapping[str, Any]:
    """Return the dict of that name, else the path: below the notebook's directory, or else the working directory."""
    value = context.shell.user_ns.get(named)
    if isinstance(value, Mapping):
        return value
    path, directory = Path(named), context.front_end.directory
    if value is not None and named.isidentifier() and not os.path.exists(path):  # noqa: PTH110  it may be too long
        raise UsageError(f"{named} is of type {type(value).__name__}; give a dict, or the path of a YAML file")
    beside = directory / path if directory is not None else path
    return beside if os.path.exists(beside) else path  # noqa: PTH110  as above
