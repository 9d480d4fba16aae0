"""``%agent SUBCOMMAND``: the commands for sessions, models, tools and running turns."""

from sessionmagic.notebook.commands import (  # noqa: F401  each registers its subcommands
    branches,
    context,
    diff,
    files,
    find,
    sessions,
    settings,
    tools,
    turns,
    usage,
)
from sessionmagic.notebook.commands.registry import COMMANDS, run_command

__all__ = ["COMMANDS", "run_command"]
