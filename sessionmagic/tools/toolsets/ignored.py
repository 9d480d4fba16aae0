"""What version control ignores in a folder: ``.git``, and what the ``.gitignore`` files name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.globs import fits

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.tools.toolsets.directory import Directory

FILE = ".gitignore"
LIMIT = 100_000
"""Bytes of one such file. A larger one is not read."""
MOST = 1_000
"""Patterns of one such file that are used."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a ``.gitignore``."""

    base: str
    """The directory of the file, within the folder."""
    fits: Callable[[str], bool]
    keeps: bool
    """Whether what fits is not ignored after all."""
    directories_only: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is ignored in a directory and below it.

    Args:
        rules: Those of the files on the way to it; the last one that fits decides.
        active: Whether anything is ignored.
    """

    rules: tuple[Rule, ...] = ()
    active: bool = True

    def within(self, directory: Directory) -> Ignored:
        """Return what is ignored in a directory, by its own file, too."""
        return Ignored((*self.rules, *_rules_of(directory)), self.active) if self.active else self

    def hides(self, path: str, *, is_directory: bool) -> bool:
        """Return whether an entry of the directory, or of one below it, is ignored.

        Args:
            path: Its path within the folder.
            is_directory: Whether it is a directory.
        """
        if not self.active:
            return False
        if path.rpartition("/")[2] == ".git":
            return True
        for rule in reversed(self.rules):
            inner = path.removeprefix(f"{rule.base}/") if rule.base else path
            if (is_directory or not rule.directories_only) and rule.fits(inner):
                return not rule.keeps
        return False


def _rules_of(directory: Directory) -> list[Rule]:
    entry = directory.entry(FILE)
    if entry is None or entry.kind != "file":
        return []
    try:
        text = directory.read(FILE, LIMIT).decode("utf-8-sig", errors="replace")
    except ToolError:
        return []
    rules = (_rule(line, directory.shown) for line in text.splitlines()[:MOST])
    return [rule for rule in rules if rule is not None]


def _rule(line: str, base: str) -> Rule | None:
    """Return the rule of a line; None for a comment, an empty line and a pattern that fits nothing."""
    pattern = line.rstrip(" ") if not line.endswith("\\ ") else line
    keeps = pattern.startswith("!")
    pattern = pattern[keeps:]
    if not pattern.strip("/") or pattern.startswith("#"):
        return None
    try:
        return Rule(base, fits(pattern), keeps, pattern.endswith("/"))
    except ToolError:
        return None
