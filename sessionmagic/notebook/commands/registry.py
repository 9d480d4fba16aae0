"""The subcommands of ``%agent``: how they are declared, found and run."""

from __future__ import annotations

from argparse import SUPPRESS
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionNotFoundError, UsageError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.hints import PROMPT, SUBCOMMANDS, option_hint
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.notebook.visible import visible
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: the parser of its options, the function that it calls, and its help text."""

    parser: LineParser
    run: Callable[[NotebookContext, argparse.Namespace], Any]
    help: str


COMMANDS: dict[str, Command] = {}


def run_command(context: NotebookContext, line: str, names: Mapping[str, Any] | None = None) -> Any:
    """Run ``%agent LINE`` and return its result. Raises `UsageError` for an unknown subcommand or option.

    Args:
        context: The kernel's context.
        line: The line.
        names: What names in the line mean; by default the user's variables.
    """
    name, rest = _named(line)
    if name in {"", "-h", "--help", "help"}:
        return Listing(
            [Help(name, command.help) for name, command in COMMANDS.items()],
            {"subcommand": lambda entry: entry.subcommand, "does": lambda entry: entry.does},
            ["%agent SUBCOMMAND --help shows its arguments; %%agent --help shows the options of a cell"],
        )
    if name not in COMMANDS:
        raise UsageError(_not_a_subcommand(name, rest))
    command = COMMANDS[name]
    if command.parser.wants_help(rest):
        print(command.parser.format_help())
        return None
    try:
        options = command.parser.parse_line(rest, context.shell.user_ns if names is None else names)
    except UsageError:
        if problem := _mistyped(name, rest):
            raise UsageError(problem) from None
        raise
    if named := vars(options).pop(NAMED, ""):
        options.session = named
    _name_sessions(context, options)
    with _showing_progress():
        return command.run(context, options)


def _not_a_subcommand(word: str, rest: str) -> str:
    """Return what to type instead of a line that begins with a word."""
    if word.startswith("-"):
        name, _, value = word.partition("=")
        hint = option_hint(name, value or rest.partition(" ")[0], CELL_LINE.options(), "%%agent")
        in_cell = hint or "options of a cell come after %%agent"
        return f"%agent needs a subcommand before {name}, and lists them if nothing follows; {in_cell}"
    if word.lower() in SUBCOMMANDS:
        return f"{word!r} is not a subcommand; {SUBCOMMANDS[word.lower()]}"
    return f"{word!r} is not a subcommand{suggestion(word, COMMANDS, f'%agent lists them all, and {PROMPT}')}"


def _mistyped(name: str, rest: str) -> str:
    """Return what to type if a line begins nearly as a subcommand of two words; empty if it does not."""
    second = rest.strip().partition(" ")[0]
    hint = suggestion(second, [each.removeprefix(f"{name} ") for each in COMMANDS if each.startswith(f"{name} ")])
    return hint and f"{second!r} is not a subcommand of %agent {name}{hint}"


def _name_sessions(context: NotebookContext, options: argparse.Namespace) -> None:
    """Replace ``-1`` and the like by the sessions that they mean."""
    for name in ("session", "sessions"):
        match getattr(options, name, None):
            case str(one):
                setattr(options, name, context.named(one))
            case [*several]:
                setattr(options, name, [context.named(each) for each in several])


@contextmanager
def _showing_progress() -> Iterator[None]:
    """Show on one line how far a command is that reads for seconds, and remove the line at the end."""
    from sessionmagic.storage.progress import on_progress

    width = 0

    def show(text: str) -> None:
        nonlocal width
        width = max(width, len(text))
        print(text.ljust(width), end="\r", flush=True)

    token = on_progress.set(show)
    try:
        yield
    finally:
        on_progress.reset(token)


def _named(line: str) -> tuple[str, str]:
    """Split a line into its subcommand, which has one word or two, and the rest."""
    first, _, rest = line.strip().partition(" ")
    second, _, further = rest.strip().partition(" ")
    return (f"{first} {second}", further) if f"{first} {second}" in COMMANDS else (first, rest)


@dataclass(frozen=True, slots=True)
class Help:
    """A row of the list that ``%agent`` shows."""

    subcommand: str
    does: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a subcommand, in the form that argparse's ``add_argument`` takes.

    A verbatim argument takes the rest of the line unchanged. No values are filled into one that is taken as typed.
    """

    names: tuple[str, ...]
    options: dict[str, Any]
    verbatim: bool = False
    as_typed: bool = False


def argument(*names: str, verbatim: bool = False, as_typed: bool = False, **options: Any) -> Argument:
    """Declare an argument of a `command`."""
    return Argument(names, options, verbatim, as_typed)


def command(
    text: str, *arguments: Argument, name: str = "", options: Callable[[LineParser], object] = lambda _: None
) -> Callable[[Callable[[NotebookContext, argparse.Namespace], Any]], Callable[..., Any]]:
    """Register the decorated function as a subcommand.

    Args:
        text: Its help.
        arguments: Its arguments.
        name: Its name, if it is not that of the function; of one word or two.
        options: Adds further options to its parser.
    """

    def register(function: Callable[[NotebookContext, argparse.Namespace], Any]) -> Callable[..., Any]:
        known = name or function.__name__
        parser = LineParser(f"%agent {known}", text)
        for each in arguments:
            add = (
                parser.add_verbatim if each.verbatim else parser.add_as_typed if each.as_typed else parser.add_argument
            )
            add(*each.names, **each.options)
        options(parser)
        if any(each in (SESSION, RUNNING) for each in arguments):  # as in `%%agent`
            parser.add_argument("-s", "--session", dest=NAMED, default="", help=SUPPRESS)
        COMMANDS[known] = Command(parser, function, text)
        return function

    return register


NAMED = "named_session"
"""Where the parser puts the value of ``-s``."""
SESSION = argument(
    "session", nargs="?", default="", help="name or id, also as -s NAME; default: the active session, or the latest"
)
RUNNING = argument(
    "session",
    nargs="?",
    default="",
    help="name or id, also as -s NAME; default: the one that is running, or the active one",
)


def chosen(context: NotebookContext, name: str) -> str:
    """Return the named session, else the active one, else the latest one. Raises `SessionNotFoundError`."""
    chosen = context.chosen_or_latest(name)
    if not chosen:
        raise SessionNotFoundError("no session is active; name one, or run a %%agent cell")
    return chosen


def running(context: NotebookContext, name: str) -> str:
    """Return the named session, else the only one with a running turn, else the one that `chosen` returns."""
    sessions = {turn.session_id for turn in context.manager.turns.running()}
    return sessions.pop() if not name and len(sessions) == 1 else chosen(context, name)


def next_turn(session: Session) -> str:
    """Return which turn the next one of the session continues, in words."""
    return f"the next turn continues turn {session.head}" if session.head else "the next turn starts from the beginning"


def say(line: str) -> None:
    """Print a line without keys, and with control characters made visible."""
    print(visible(without_keys(line)))
