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
        super().__init__(prog, description=description, add_help=False)  # type: ignore[no-untyped-call]

    def parse_line(self, line: str) -> argparse.Namespace:
        """Return the line's options; raises `UsageError`."""
        return self.parse_args(split(line))

    def options(self) -> list[str]:
        """Return the long options, as they are typed."""
        return [option for option in self._option_string_actions if option.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong, as our error."""
        unknown = re.search(r"unrecognized arguments: (\S+)", message)
        hint = did_you_mean(unknown[1], self._option_string_actions) if unknown else ""
        raise UsageError(f"{message}.{hint or f' {self.prog}? shows all options'}")


def split(line: str) -> list[str]:
    """Split a line at spaces; quotes keep words together and a backslash is a backslash, as in Windows paths."""
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = words.escape = ""
    try:
        return list(words)
    except ValueError as error:
        raise UsageError(f"{error}: {line}") from None
