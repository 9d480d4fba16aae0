"""Parse a magic's line with IPython's argument parser, but with our errors, with quotes as in a shell, and values."""

from __future__ import annotations

import re
import shlex
from argparse import REMAINDER, ZERO_OR_MORE
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.magic_arguments import MagicArgumentParser

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.hints import option_hint
from sessionmagic.notebook.line_values import LineValues
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

MAX_LINE = 20_000
SESSION_NUMBER = re.compile(r"-\d+(\.\d+)?(@.*)?$")
"""What argparse takes for a value and not for an option: a negative number, also one with a turn, as in ``-1@3``."""

NO_NAMES: Mapping[str, Any] = MappingProxyType({})
_IN_WORDS = (
    (r"argument (\S+): invalid int value: (.*)", r"\1 takes a whole number, and not \2"),
    (r"argument (\S+): invalid float value: (.*)", r"\1 takes a number, and not \2"),
    (r"argument (\S+): expected one argument", r"\1 needs a value"),
    (r"argument (\S+): expected at least one argument", r"\1 needs one or more values"),
    (r"argument (\S+): ignored explicit argument (.*)", r"\1 takes no value, such as \2"),
    (r"ambiguous option: (\S+) could match (.*)", r"\1 may be any of \2"),
)
"""Messages of argparse as patterns, and what we say instead."""
_LINE: ContextVar[LineValues | None] = ContextVar("line", default=None)
"""The line that is being parsed. Threads share the parser, but not this."""


class LineParser(MagicArgumentParser):
    """Parses a magic's line. An error is raised as a `UsageError` of one line that suggests the closest option."""

    def __init__(self, prog: str, description: str) -> None:
        # IPython's help adds one % to the name
        super().__init__(prog.removeprefix("%"), description=description, add_help=False)  # type: ignore[no-untyped-call]
        self.add_argument("-h", "--help", action="store_true", help="show this help")
        self._verbatim: argparse.Action | None = None
        self._as_typed: set[str] = set()
        self.set_defaults(filled_in=())
        self._negative_number_matcher = SESSION_NUMBER

    def add_verbatim(self, *names: str, **options: Any) -> None:
        """Add the argument that takes the rest of the line unchanged: after its name, or after the leading options."""
        self._verbatim = self.add_as_typed(*names, **options)

    def add_as_typed(self, *names: str, **options: Any) -> argparse.Action:
        """Add an argument into which no values are filled."""
        action = self.add_argument(*names, **options)
        self._as_typed.add(action.dest)
        return action

    def parse_line(self, line: str, names: Mapping[str, Any] = NO_NAMES) -> argparse.Namespace:
        """Parse the line, and fill in the values that it refers to. Raises `UsageError`.

        Args:
            line: The line.
            names: What names mean in it.

        Returns:
            The arguments, and in `filled_in` the expressions that were evaluated.
        """
        values = LineValues(line, names)
        token = _LINE.set(values)
        try:
            options = self._parsed(values.marked)
        finally:
            _LINE.reset(token)
        options.filled_in = values.evaluated
        return options

    def _parsed(self, line: str) -> argparse.Namespace:
        words, rest = self._split_off_verbatim(line)
        arguments = [*split(words), *rest]
        loose = next((action for action in self._actions if action.nargs == ZERO_OR_MORE), None)
        if loose is None:
            return self.parse_args(arguments)
        # The words may stand around the options. What follows a ``--`` are words; argparse would read them as options.
        at = arguments.index("--") if "--" in arguments else len(arguments)
        options = self.parse_intermixed_args(arguments[:at])
        further = [self._get_value(loose, each) for each in arguments[at + 1 :]]
        setattr(options, loose.dest, [*getattr(options, loose.dest), *further])
        return options

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Fill values in when argparse has read the line, so that none is read as an option."""
        if (line := _LINE.get()) is not None:
            arg_string = line.restored(arg_string) if action.dest in self._as_typed else line.filled(arg_string)
        return super()._get_value(action, arg_string)

    def wants_help(self, line: str) -> bool:
        """Return whether the line has ``-h`` or ``--help``. Text that is taken unchanged does not count."""
        words = split(self._split_off_verbatim(LineValues(line, NO_NAMES).marked)[0])
        takes_all = any(action.nargs == REMAINDER for action in self._actions)
        return not {"-h", "--help"}.isdisjoint(words[:1] if takes_all else words)

    def _split_off_verbatim(self, line: str) -> tuple[str, list[str]]:
        """Return the part of the line to split into words, and the arguments that take the rest unchanged."""
        if self._verbatim is None:
            return line, []
        if names := self._verbatim.option_strings:
            option = re.search(rf"(?:^|\s)(?:{'|'.join(map(re.escape, names))})(?:[\s=]|$)", line)
            return (line[: option.start()], [f"{names[0]}={_bare(line[option.end() :])}"]) if option else (line, [])
        leading = re.match(self._leading_options(), line)
        at = leading.end() if leading else 0
        rest = _bare(line[at:])
        return (line, []) if re.match(r"--\w", rest) else (line[:at], ["--", rest] if rest else [])

    def _leading_options(self) -> str:
        flags = [re.escape(name) for name, action in self._option_string_actions.items() if action.nargs == 0]
        others = [re.escape(name) for name, action in self._option_string_actions.items() if action.nargs != 0]
        value = r"""(?:"[^"]*"|'[^']*'|\S+)"""
        return rf"(?:\s*(?:(?:{'|'.join(flags)})(?=\s|$)|(?:{'|'.join(others)})(?:=|\s+){value}(?=\s|$)))*\s*"

    def format_help(self) -> str:
        """Return the help, without the ``::`` that IPython begins it with for Sphinx."""
        return super().format_help().removeprefix("::\n\n")

    def options(self) -> list[str]:
        """Return the long options, such as ``--model``."""
        return [option for option in self._option_string_actions if option.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` that says what argparse's message says, and what to type."""
        raise UsageError(self._in_words(_as_typed(message)))

    def _in_words(self, message: str) -> str:
        how = f"%{self.prog} --help lists the options"
        if found := re.match(r"unrecognized arguments: (-[^\s=]+)[\s=]?([^-\s]\S*)?", message):
            hint = option_hint(found[1], found[2] or "", self.options(), f"%{self.prog}")
            return f"{found[1]} is not an option" + (f"; {hint}" if hint else _nearest(found[1], self.options(), how))
        if found := re.match(r"unrecognized arguments: (.*)", message):
            return f"{found[1]!r} has no option before it; {self._loose}"
        for pattern, words in _IN_WORDS:
            if found := re.fullmatch(pattern, message):
                return f"{found.expand(words)}; {how}"
        if found := re.fullmatch("the following arguments are required: (.*)", message):
            needed = [each if each.startswith("-") else each.upper() for each in found[1].split(", ")]
            return f"%{self.prog} needs {' and '.join(needed)}; write {self._shortest}"
        return f"{message}; {how}"

    @property
    def _loose(self) -> str:
        """What to do with a word that no option takes."""
        if self.prog == "%agent":
            return "the prompt comes below this line, the name of a session after --session, a model after --model"
        if not any(action.option_strings == [] for action in self._actions):
            return f"%{self.prog} takes only options, and --help lists them"
        return f"%{self.prog} --help shows which words it takes"

    @property
    def _shortest(self) -> str:
        """The line with only what it needs."""
        needed = [action for action in self._actions if action.required]
        return " ".join([f"%{self.prog}", *(" ".join([*each.option_strings[:1], _metavar(each)]) for each in needed)])


def _metavar(action: argparse.Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else action.dest.upper()


def _as_typed(text: str) -> str:
    """Return a part of the line that is being parsed as it was typed."""
    line = _LINE.get()
    return text if line is None else line.restored(text)


def _nearest(word: str, options: list[str], otherwise: str) -> str:
    """Suggest the closest option. Dashes are not compared, because all options have them."""
    bare = [option.lstrip("-") for option in options]
    return suggestion(word.lstrip("-"), bare, otherwise).replace("'", "'--", 1)


def _bare(text: str) -> str:
    """Remove surrounding white space, and quotes around the whole text."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] in "'\"" and text[0] not in text[1:-1]
    return text[1:-1] if quoted else text


def split(line: str) -> list[str]:
    """Split a line at spaces. Quotes keep words together; a backslash is an ordinary character, for Windows paths.

    Raises `UsageError` for a quotation mark that is not closed, and for a line that must be a prompt.
    """
    if len(line) > MAX_LINE:  # shlex would take minutes for a megabyte
        raise UsageError(f"the line has {len(line):,} characters; options come on it, and the prompt below it")
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = words.escape = ""
    try:
        return list(words)
    except ValueError:
        shown = shortened(_as_typed(line))
        raise UsageError(
            f"a quotation mark in {shown!r} is not closed; close it, or put the other kind around the word"
        ) from None
