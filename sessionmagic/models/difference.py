"""What is said in a model request, and what tells two requests apart, in words."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING

from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PROMPT = "prompt"
RESULT = "result of "
"""How `Said.who` begins for the result of a tool."""
COMPARED = 2_000
"""The characters of a prompt by which the nearest one is found."""
MOST_COMPARED = 500
"""How many prompts are compared, of those whose length is nearest."""
CANDIDATES = 20
"""How many of them are compared exactly."""
NEWLINE = "\n"
BEFORE = 20
"""How many characters before the first difference in a line are shown."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing in a model request, without ids, times and names of models."""

    who: str
    """What it is: ``"prompt"``, ``"answer"``, ``"call of NAME"``, ``"result of NAME"``."""
    text: str


def nearest_to(prompt: str, known: Collection[str]) -> str:
    """Return the known prompt that is most like another one.

    It may be like it in its first line only, as one of the two may have a long value below it, such as a table.
    """
    if prompt in known:
        return prompt
    matchers = [SequenceMatcher(None, "", part, autojunk=False) for part in _whole_and_first_line(prompt)]

    def likeness(text: str, *, fast: bool = False) -> tuple[float, float]:
        for matcher, part in zip(matchers, _whole_and_first_line(text), strict=True):
            matcher.set_seq1(part)
        whole, first_line = (matcher.quick_ratio() if fast else matcher.ratio() for matcher in matchers)
        return max(whole, first_line), whole

    of_like_length = sorted(known, key=lambda text: (abs(len(text) - len(prompt)), text))[:MOST_COMPARED]
    candidates = sorted(of_like_length, key=lambda text: likeness(text, fast=True), reverse=True)[:CANDIDATES]
    return max(candidates, key=likeness)


def _whole_and_first_line(text: str) -> tuple[str, str]:
    return text[:COMPARED], text.partition(NEWLINE)[0][:COMPARED]


def first_difference(said: Sequence[Said], recorded: Sequence[Said]) -> str:
    """Return the first thing in which two requests that are not the same differ."""
    mine, theirs = next(pair for pair in zip_longest(said, recorded) if pair[0] != pair[1])
    if mine is None:
        return f"there is no {theirs.who}, where the recording has {quoted(theirs.text)}"
    if theirs is None:
        return f"there is a further {mine.who}, {quoted(mine.text)}"
    if mine.who != theirs.who:
        return f"there is the {mine.who} {quoted(mine.text)} where the recording has the {theirs.who}"
    return line_difference(mine.who, mine.text, theirs.text)


def line_difference(what: str, mine: str, theirs: str) -> str:
    """Return the first line in which two texts differ.

    Args:
        what: What they are.
        mine: The text of the request.
        theirs: The recorded one.
    """
    lines = zip_longest(mine.splitlines(), theirs.splitlines(), fillvalue=None)
    number, (one, other) = next(
        ((number, pair) for number, pair in enumerate(lines, start=1) if pair[0] != pair[1]), (1, (mine, theirs))
    )
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one or "", other or "", strict=False))
    start = sum(1 for _ in alike) - BEFORE
    ours = "is missing" if one is None else _exactly(one, start)
    there = "has no such line" if other is None else f"has {_exactly(other, start)}"
    return f"{what} line {number}: {ours} where the recording {there}"


def quoted(text: str) -> str:
    """Return a text on one line and in quotes, cut if it is long."""
    return f'"{shortened(" ".join(text.split()))}"'


def _exactly(line: str, start: int) -> str:
    """Return a line in quotes with all its spaces, cut if it is long, and from `start` on if that is far."""
    line = f"…{line[start:]}" if start > BEFORE else line
    return f'"{shortened(printable(line.replace(NEWLINE, "⏎")))}"'
