"""The environment of the commands of an agent: that of this process without keys, and what the agents file sets.

What the file sets is shown with each call that waits for approval, as the file writes it. So a variable such as
``BASH_ENV`` or ``LD_PRELOAD``, which makes a harmless command run something else, is seen before it does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.environment import OURS, environment
from sessionmagic.tools.tool_code import ISOLATED
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that an agents file sets for commands. Raises `ToolError` for those that it may not set.

    Args:
        values: The variables.
        written: The same variables, as the file writes them.
    """

    values: Mapping[str, str] = field(repr=False)
    written: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in self.values:
            if not NAME.fullmatch(name):
                raise ToolError(f"{shortened(name)!r} is not the name of a variable; use letters, digits and _")
            if name.upper().startswith(OURS):
                raise ToolError(f"an agents file cannot set {name}; rename the variable")

    def environment(self, store: Path, tool: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a command.

        Args:
            store: The directory of the store, of which commands are not told.
            tool: The tool that runs the command.
            more: Further variables.
        """
        return {**environment(store, tool), **self.values, **(more or {}), ISOLATED: tool}

    @property
    def lines(self) -> list[str]:
        """The variables as an approval shows them."""
        return [f"the agents file sets {name}={value}" for name, value in self.written.items()]
