"""The subcommands of ``%agent``: how they are written down, found and run."""

from __future__ import annotations

import re
from argparse import SUPPRESS
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionNotFoundError, UsageError
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.notebook.page.visible import visible
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sessionmagic.notebook.context import NotebookContext


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its options, and what it does with them."""

    parser: LineParser
    run: Callable[[NotebookContext, argparse.Namespace], Any]
    help: str


COMMANDS: dict[str, Command] = {}


def run_command(context: NotebookContext, line: str) -> Any:
    """Do what ``%agent LINE`` asks and return its result; raises `UsageError` for what it does not know."""
    name, rest = _named(line)
    if not name:
        return Listing(
            [Help(name, command.help) for name, command in COMMANDS.items()],
            {"%agent": lambda entry: entry.subcommand, "": lambda entry: entry.does},
        )
    if name not in COMMANDS:
        raise UsageError(f"no subcommand {name!r}.{did_you_mean(name, COMMANDS) or ' %agent lists them all'}")
    command = COMMANDS[name]
    if command.parser.wants_help(rest):
        print(command.parser.format_help())
        return None
    options = command.parser.parse_line(rest)
    if named := vars(options).pop(NAMED, ""):
        options.session = named
    return command.run(context, options)


def _named(line: str) -> tuple[str, str]:
    """Return the subcommand that a line begins with, of one word or two, and the rest."""
    first, _, rest = line.strip().partition(" ")
    second, _, further = rest.strip().partition(" ")
    return (f"{first} {second}", further) if f"{first} {second}" in COMMANDS else (first, rest)


@dataclass(frozen=True, slots=True)
class Help:
    """A subcommand in the listing of all."""

    subcommand: str
    does: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a subcommand, as argparse takes it; a verbatim one takes the rest of the line as it is."""

    names: tuple[str, ...]
    options: dict[str, Any]
    verbatim: bool = False


def argument(*names: str, verbatim: bool = False, **options: Any) -> Argument:
    return Argument(names, options, verbatim)


def command(
    text: str, *arguments: Argument, name: str = ""
) -> Callable[[Callable[[NotebookContext, argparse.Namespace], Any]], Callable[..., Any]]:
    def register(function: Callable[[NotebookContext, argparse.Namespace], Any]) -> Callable[..., Any]:
        known = name or function.__name__
        parser = LineParser(f"%agent {known}", text)
        for each in arguments:
            (parser.add_verbatim if each.verbatim else parser.add_argument)(*each.names, **each.options)
        if any(each in (SESSION, RUNNING) for each in arguments):  # as `%%agent` takes it
            parser.add_argument("-s", "--session", dest=NAMED, default="", help=SUPPRESS)
        COMMANDS[known] = Command(parser, function, text)
        return function

    return register


NAMED = "named_session"
SESSION = argument(
    "session", nargs="?", default="", help="name or id, also after -s; left out: this kernel's active one, or its last"
)
RUNNING = argument(
    "session", nargs="?", default="", help="name or id, also after -s; left out: the one that runs, if it is one"
)


def chosen(context: NotebookContext, name: str) -> str:
    chosen = context.chosen(name) or context.latest_session
    if not chosen:
        raise SessionNotFoundError("no session is active yet: name one, or run a cell with %%agent")
    return chosen


def running(context: NotebookContext, name: str) -> str:
    """Return the session that is meant where one that runs is: when none is named, the only one that does."""
    turns = context.manager.turns.running()
    return turns[0].session_id if not name and len(turns) == 1 else chosen(context, name)


def typed(name: str) -> str:
    """Return a session's name as it is typed in a line."""
    if re.fullmatch(r"[^\s'\"]+", name):
        return name
    return f'"{name}"' if '"' not in name else f"'{name}'"


def say(line: str) -> None:
    print(visible(line))
