"""The commands that an agents file lets run when a file has been written, such as a formatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.tools.toolsets.command import Command, shell_command
from sessionmagic.tools.toolsets.globs import fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.agents.toolsets import PostEdit
    from sessionmagic.tools.toolsets.surroundings import Surroundings
    from sessionmagic.tools.toolsets.variables import Variables

SECONDS = 30.0
"""How long one command may take."""


class PostEdits:
    """The commands. Each finds the path of the file in the variables ``path``, which docker-agent sets, and ``file``.

    Args:
        commands: The commands, each with the glob of the files after which it runs. Raises `ToolError` for a bad glob.
        surroundings: Where they run.
        variables: What the agents file sets for them.
    """

    def __init__(self, commands: Sequence[PostEdit], surroundings: Surroundings, variables: Variables) -> None:
        self._commands = [(fits(each.path), each.cmd) for each in commands]
        self._surroundings = surroundings
        self._variables = variables

    def shown(self, path: str) -> list[str]:
        """Return what runs when a file has been written, as an approval shows it."""
        return [f"then runs: {cmd}" for cmd in self._commands_for(path)]

    async def run(self, path: str) -> list[str]:
        """Run what belongs to a file that has been written, and return what the commands have said."""
        where = str(self._surroundings.directory / path)
        environment = self._variables.environment(
            self._surroundings.store, "write_file", {"path": where, "file": where}
        )
        said = []
        for cmd in self._commands_for(path):
            command = await Command.started(shell_command(cmd), self._surroundings.directory, environment)
            said.append(f"{cmd}: {await command.finished(SECONDS)}")
        return said

    def _commands_for(self, path: str) -> list[str]:
        plain = "/".join(part for part in path.split("/") if part not in {"", "."})
        return [cmd for fit, cmd in self._commands if fit(plain)]
