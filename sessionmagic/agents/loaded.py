"""An agents file that was loaded, and is loaded again when it has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import AgentsFileError
from sessionmagic.models.sources import RegisteredSource

if TYPE_CHECKING:
    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.named import Names


@dataclass(slots=True)
class Loaded:
    """An agents file or dict that was loaded."""

    file: AgentsFile
    source: str
    """Its path, or the name of the dict."""
    confirmed: frozenset[str] = frozenset()
    """The powers of the file that the user has confirmed, in words."""
    problem: str = ""
    """Why it could not be loaded again, if so; then it stays as it was."""

    def definition(self, name: str) -> AgentDefinition:
        """Return an agent. Raises `AgentsFileError` and `UnknownAgentError`."""
        from sessionmagic.agents.of_file import definition_of

        found = definition_of(self.file, name, self.confirmed, self.source)
        return replace(found, warnings=(self.problem,)) if self.problem else found

    @property
    def names(self) -> Names:
        """Its models and servers, as references find them."""
        from sessionmagic.agents.naming import names_of

        return names_of(self.file, self.confirmed)

    def refresh(self) -> None:
        """Load the file again if it has changed. If that fails, it stays as it is."""
        from sessionmagic.agents.agents_file import reloaded_if_changed

        try:
            self.file = reloaded_if_changed(self.file, known=registered())
        except AgentsFileError as error:
            self.problem = f"{error}; its agents go on as they were loaded before"
        else:
            self.problem = ""


def registered() -> list[str]:
    """Return the models that are registered in this process, which agents files may name."""
    return list(RegisteredSource().names())
