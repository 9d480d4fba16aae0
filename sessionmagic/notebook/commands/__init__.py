"""``%agent SUBCOMMAND``: the commands for sessions, models, tools and running turns."""

# Each module registers its subcommands, and `%agent` lists them in this order: what is wanted first comes first.
from sessionmagic.notebook.commands import (  # noqa: F401, I001
    find,
    sessions,
    usage,
    models,
    settings,
    agents,
    tools,
    turns,
    code,
    fix,
    go,
    comparing,
    grid,
    branches,
    diff,
    context,
    files,
    recording,
)
from sessionmagic.notebook.commands.registry import COMMANDS, run_command

__all__ = ["COMMANDS", "run_command"]
