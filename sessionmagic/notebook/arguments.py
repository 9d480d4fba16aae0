"""How a magic's line is read: IPython's argument parser, with our errors and shell-like quotes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NoReturn

from IPython.core.magic_arguments import MagicArgumentParser

from sessionmagic.exceptions import UsageError, did_you_mean

if TYPE_CHECKING:
    import argparse


class LineParser(MagicArgumentParser):
    """Reads a magic's line. What does not fit raises `UsageError`, one line, with the nearest option."""

    def __init__(self, prog: str, description: str) -> None:
        # IPython's help writes one % before the name
        super().__init__(prog.removeprefix("%"), description=description, add_help=False)  # type: ignore[no-untyped-call]
        self.add_argument("-h", "--help", action="store_true", help="show this")

    def parse_line(self, line: str) -> argparse.Namespace:
        """Return the line's options; raises `UsageError`."""
        return self.parse_args(split(line))

    def wants_help(self, line: str) -> bool:
        """Whether the line asks for the help, with whatever else."""
        return not {"-h", "--help"}.isdisjoint(split(line))

    def options(self) -> list[str]:
        """Return the long options, as they are typed."""
        return [option for option in self._option_string_actions if option.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong, as our error."""
        unknown = re.search(r"unrecognized arguments: (\S+)", message)
        hint = _nearest(unknown[1], self.options()) if unknown else ""
        raise UsageError(f"{message}.{hint or f' %{self.prog} --help shows all options'}")


def _nearest(word: str, options: list[str]) -> str:
    """Say which option was meant, by its letters alone: all dashes are alike."""
    return did_you_mean(word.lstrip("-"), [option.lstrip("-") for option in options]).replace("'", "'--", 1)


def split(line: str) -> list[str]:
    """Split a line at spaces; quotes keep words together and a backslash is a backslash, as in Windows paths."""
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = words.escape = ""
    try:
        return list(words)
    except ValueError as error:
        raise UsageError(f"{error}: {line}") from None
