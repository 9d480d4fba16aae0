"""The options of ``%%agent`` and the subcommands of ``%agent`` as Markdown, from the parsers that read them."""

from __future__ import annotations

import re
from argparse import ONE_OR_MORE, OPTIONAL, SUPPRESS, ZERO_OR_MORE
from typing import TYPE_CHECKING

from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.commands import COMMANDS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sessionmagic.notebook.arguments import LineParser
    from sessionmagic.notebook.commands.registry import Command

_CODE = re.compile(
    rf"%agent(?: (?:{'|'.join(sorted(COMMANDS, key=len, reverse=True))})\b)?"  # a subcommand
    r"|%config(?: AgentMagics[\w.]*(?: = \w+)?)?|%%\w+"  # another magic
    r"|(?<![\w-])--?[a-z][\w-]*"  # an option
    r"|\$`[^`]+`|\$\w+|\{+\w+\}+"  # a value in a text
    r"|\b\w+[.:=]\w(?:[\w.:=/,*]*[\w*])?|\w+=(?=\s)|\w+_\*"  # a setting, a model reference, a name with dots, a pattern
)
"""What is code in a help text, which has no markup: options, magics, values, names with dots."""


def cell_options() -> str:
    """Return each option of a ``%%agent`` cell with its help."""
    return "\n".join(["```{program} agent", "```", *_options(CELL_LINE)])


def subcommands() -> dict[str, str]:
    """Return the help of each subcommand of ``%agent`` and of its arguments, by its name."""
    return {name: _subcommand(name, command) for name, command in COMMANDS.items()}


def marked_up(text: str) -> str:
    """Return a help text as Markdown: what looks like code is code, and nothing else is markup."""
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [_escaped(text[end : found.start()]), _code(found[0])]
        end = found.end()
    return "".join([*parts, _escaped(text[end:])])


def _subcommand(name: str, command: Command) -> str:
    words = [action for action in _shown(command.parser) if not action.option_strings]
    return "\n".join(
        [
            _code(" ".join([f"%agent {name}", *map(_value, words)])),
            "",
            marked_up(command.help),
            "",
            *(f"- {_code(_value(each))}: {_help(each)}" for each in words if each.help),
            "",
            f"```{{program}} agent {name}",
            "```",
            *_options(command.parser),
        ]
    )


def _options(parser: LineParser) -> Iterator[str]:
    for action in _shown(parser):
        if action.option_strings:
            value = "" if action.nargs == 0 else f" {_value(action)}"
            names = ", ".join(f"{name}{value}" for name in action.option_strings)
            yield "\n".join([f"~~~~{{option}} {names}", _help(action), "~~~~", ""])


def _shown(parser: LineParser) -> list[argparse.Action]:
    return [each for each in parser._actions if each.help != SUPPRESS and each.dest != "help"]


def _help(action: argparse.Action) -> str:
    """Return the help of an argument, in which argparse reads ``%%`` as one per cent sign."""
    return marked_up((action.help or "").replace("%%", "%"))


def _value(action: argparse.Action) -> str:
    """Return the name of an argument's value, in brackets if it may be left out."""
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.nargs in {ZERO_OR_MORE, ONE_OR_MORE} and "[" not in name:
        name = f"{name} …"
    return f"[{name}]" if action.nargs in {OPTIONAL, ZERO_OR_MORE} else name


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$])", r"\\\1", text)
