"""``%agent SUBCOMMAND``: what is done to sessions, models and tools outside a turn."""

from sessionmagic.notebook.commands import sessions, settings, tools, turns  # noqa: F401  each registers its own
from sessionmagic.notebook.commands.registry import COMMANDS, run_command

__all__ = ["COMMANDS", "run_command"]
