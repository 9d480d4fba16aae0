"""The agents that a manager knows: built in, of an agents file beside the notebook, and of what the user has loaded."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.definition import BUILT_IN
from sessionmagic.agents.loaded import Loaded, registered
from sessionmagic.agents.surroundings import FILES, Surroundings
from sessionmagic.exceptions import AgentsFileError, SessionMagicError, UnknownAgentError
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.catalog import Models


class Agents:
    """The agents that a manager knows. Thread-safe.

    An agents file is read when an agent of it is needed, and again when it has changed. What a turn has is not changed
    by that. What reads files is imported when there is one.

    Args:
        source: An agents file, or a dict of its form; None for none.
        confirm: Whether the powers of the file hold: its allow rules, its safety mode ``autonomous``, and that keys are
            sent to addresses that it names.
        definitions: The agents that no file defines, the default one first.

    Attributes:
        surroundings: Where agents files are looked for.
        settings: The settings of turns for which no agent and no name of a model has others.
        system: The instructions of turns for which no agent has others.

    Raises `AgentsFileError`.
    """

    def __init__(
        self,
        source: str | Path | Mapping[str, Any] | None = None,
        *,
        confirm: bool = False,
        definitions: Mapping[str, AgentDefinition] = BUILT_IN,
    ) -> None:
        self._definitions = dict(definitions)
        self._lock = threading.RLock()
        self._files: dict[str, Loaded] = {}
        self._chosen: Loaded | None = None
        self.surroundings = Surroundings()
        self.settings: Mapping[str, Any] = {}
        self.system = ""
        if source is not None:
            self.load(source, confirm=confirm)

    def define(self, definition: AgentDefinition) -> None:
        """Add an agent that no file defines, or replace the one of that name."""
        with self._lock:
            self._definitions[definition.name] = definition

    def load(
        self,
        source: str | Path | Mapping[str, Any],
        *,
        name: str = "",
        strict: bool = False,
        confirm: bool = False,
    ) -> Loaded:
        """Load an agents file, or a dict of its form. From then on its agents answer, and no other file is looked for.

        Args:
            source: The path, or the dict.
            name: What messages call it; by default its path, or ``agents``.
            strict: Whether something that is not understood is an error.
            confirm: Whether the powers of the file hold, see `Agents`.

        Raises `AgentsFileError`. Then nothing has changed.
        """
        from sessionmagic.agents.agents_file import from_dict, load
        from sessionmagic.agents.powers import powers_of

        if isinstance(source, Mapping):
            name = name or "agents"
            loaded = Loaded(from_dict(source, where=name, strict=strict, known=registered()), name)
        else:
            file = load(source, where=name, strict=strict, known=registered())
            loaded = Loaded(file, str(file.origin.path if file.origin else source))
        with self._lock:
            before = self._files.get(loaded.source)
            loaded.confirmed = (
                frozenset(powers_of(loaded.file)) if confirm else before.confirmed if before else frozenset()
            )
            self._chosen = self._files[loaded.source] = loaded
        return loaded

    def current(self) -> Loaded | None:
        """Return the agents file in use, as it is now: what the user has loaded, else the one beside the notebook.

        Raises `AgentsFileError` if there is one that cannot be loaded, and was not loaded before.
        """
        with self._lock:
            if self._chosen is not None:
                self._chosen.refresh()
                return self._chosen
            directory = self.surroundings.directory
            paths = [directory / name for name in FILES] if directory is not None else []
            known = [path for path in paths if str(path) in self._files]
            path = next((path for path in (*known, *paths) if str(path) in self._files or path.is_file()), None)
            return None if path is None else self._at(path, where=path.name)

    def _at(self, path: Path, where: str = "") -> Loaded:
        """Return the file at a path, as it is now. Raises `AgentsFileError` if it was never loaded and cannot be."""
        loaded = self._files.get(str(path))
        if loaded is not None:
            loaded.refresh()
            return loaded
        from sessionmagic.agents.agents_file import load

        loaded = self._files[str(path)] = Loaded(load(path, where=where, known=registered()), str(path))
        return loaded

    def with_names(self, models: Models) -> Models:
        """Return models with the names of the agents file in use; as they are if that is none, or not valid."""
        with suppress(AgentsFileError):
            if loaded := self.current():
                return models.within(loaded.names)
        return models

    def names(self) -> list[str]:
        """Return the names of the agents that can be named, those of the file first."""
        try:
            loaded = self.current()
        except AgentsFileError:
            loaded = None
        return list(dict.fromkeys([*(loaded.file.agents if loaded else ()), *self._definitions]))

    def answering(self, name: str = "", agent: str = "", source: str = "") -> AgentDefinition:
        """Return the agent that answers a turn.

        Args:
            name: The agent that the user names; empty for the session's own.
            agent: The session's agent; empty in a new session, whose agent is the default one.
            source: Where the session's agent is from: the path of a file, the name of a dict, or empty.

        Raises `UnknownAgentError` and `AgentsFileError`.
        """
        with self._lock:
            found = self._named(name) if name else self._of_session(agent, source) if agent else self._default()
        found = replace(found, kernel_settings=self.settings, kernel_system=self.system)
        return self._with_project(found) if self.surroundings.has_agents_md else found

    def team(self, agent: AgentDefinition) -> dict[str, AgentDefinition | SessionMagicError]:
        """Return an agent, those with which it may work, and those with which these may, by their names.

        In place of one that cannot be used, there is the error that says why.
        """
        found: dict[str, AgentDefinition | SessionMagicError] = {agent.name: agent}
        todo = [(name, agent.source) for name in (*agent.sub_agents, *agent.handoffs)]
        while todo:
            name, source = todo.pop()
            if name not in found:
                found[name] = other = self._colleague(name, source)
                if not isinstance(other, SessionMagicError):
                    todo += [(each, other.source) for each in (*other.sub_agents, *other.handoffs)]
        return found

    def _colleague(self, name: str, source: str) -> AgentDefinition | SessionMagicError:
        unknown = UnknownAgentError(f"no agent named {shortened(name)!r} is known here")
        try:
            found = self.answering(agent=name, source=source)
        except UnknownAgentError:  # which says what is true of a session's agent
            return unknown
        except AgentsFileError as error:
            return error
        return found if found.name == name else unknown

    def _with_project(self, agent: AgentDefinition) -> AgentDefinition:
        """Return an agent whose instructions are joined by what all agents should know of the project."""
        from sessionmagic.agents.joined import of_directory

        project = of_directory(self.surroundings)
        return replace(
            agent, additions={**project.texts, **agent.additions}, warnings=(*agent.warnings, *project.notes)
        )

    def if_usable(self, name: str = "", agent: str = "", source: str = "") -> AgentDefinition | None:
        """Return what `answering` does, or None where it raises an error."""
        try:
            return self.answering(name, agent, source)
        except (AgentsFileError, UnknownAgentError):
            return None

    def _default(self) -> AgentDefinition:
        try:
            loaded = self.current()
        except AgentsFileError as error:
            first = next(iter(self._definitions))
            raise AgentsFileError(f"{error} (--agent {first} asks the built-in agent)") from error
        return loaded.definition("") if loaded else next(iter(self._definitions.values()))

    def _named(self, name: str) -> AgentDefinition:
        try:
            loaded = self.current()
        except AgentsFileError:
            if name not in self._definitions:
                raise
            return self._definitions[name]
        if loaded is not None and name in loaded.file.agents:
            return loaded.definition(name)
        if name in self._definitions:
            return self._definitions[name]
        known = self.names()
        agents = f"the agents of {loaded.file.where} are" if loaded else "available agents:"
        listed = [*loaded.file.agents] if loaded else known
        advice = suggestion(name, known, f"{agents} {shortened(', '.join(listed), 200)}")
        raise UnknownAgentError(f"no agent named {shortened(name)!r}{advice}")

    def _of_session(self, agent: str, source: str) -> AgentDefinition:
        """Return the agent of a session, from where the session has it.

        If that place is gone, the agent of that name in the file in use answers, and this is told.
        """
        if not source:
            return self._of_no_file(agent)
        loaded, gone = self._from(source)
        if loaded is None and (current := self.current()) is not None and agent in current.file.agents:
            return _told(current.definition(agent), f"{agent} is now that of {current.source}, as {gone}")
        if loaded is not None and agent in loaded.file.agents:
            return loaded.definition(agent)
        why = gone if loaded is None else f"it is not in {loaded.file.where}"
        raise UnknownAgentError(
            f"the agent of this session, {shortened(agent)!r}, cannot answer: {why}; name another one with --agent "
            f"({shortened(', '.join(self.names()), 200)}), or load its file with %agent agents load"
        )

    def _of_no_file(self, agent: str) -> AgentDefinition:
        """Return the agent of a session that is from no file: a built-in one, of a script, or of an imported session.

        If it is not known, the default agent answers, and this is told.
        """
        if agent in self._definitions:
            return self._definitions[agent]
        if (loaded := self.current()) is not None and agent in loaded.file.agents:
            return loaded.definition(agent)
        found = self._default()
        return _told(
            found, f"the agent of this session, {shortened(agent)!r}, is not known here, so {found.name} answers"
        )

    def _from(self, source: str) -> tuple[Loaded | None, str]:
        """Return what a session's agent is from, or why that is gone. Raises `AgentsFileError` if it is not valid."""
        path = Path(source)
        if not path.is_absolute():
            loaded = self._files.get(source)
            return loaded, "" if loaded else f"the dict {source} is not loaded"
        if str(path) not in self._files and not os.path.exists(path):  # noqa: PTH110  `Path.exists` raises if it is too long
            return None, f"{source} does not exist"
        return self._at(path), ""


def _told(agent: AgentDefinition, warning: str) -> AgentDefinition:
    return replace(agent, warnings=(*agent.warnings, warning))
