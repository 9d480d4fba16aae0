"""``%agent SUBCOMMAND``: everything that is done with sessions, models and tools outside a cell's turn."""

from sessionmagic.notebook.commands import sessions, settings, tools, turns  # noqa: F401  each registers its subcommands
from sessionmagic.notebook.commands.registry import COMMANDS, run_command

__all__ = ["COMMANDS", "run_command"]
