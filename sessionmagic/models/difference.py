"""What is said in a model request, and what tells two requests apart, in words."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING

from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

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
    mine = _whole_and_first_line(prompt)
    matchers = [SequenceMatcher(None, "", part, autojunk=False) for part in mine]

    def at_most(place: int, part: str) -> float:
        matchers[place].set_seq1(part)
        return matchers[place].quick_ratio()

    def exactly(place: int, part: str) -> float:
        return _alike(mine[place], part)

    def likeness(text: str, ratio: Callable[[int, str], float]) -> tuple[float, float]:
        whole, first_line = _whole_and_first_line(text)
        of_whole = ratio(0, whole)
        if (whole, mine[0]) == (first_line, mine[1]):
            return of_whole, of_whole
        return max(of_whole, ratio(1, first_line)), of_whole

    of_like_length = sorted(known, key=lambda text: (abs(len(text) - len(prompt)), text))[:MOST_COMPARED]
    candidates = sorted(of_like_length, key=lambda text: likeness(text, at_most), reverse=True)[:CANDIDATES]
    return max(candidates, key=lambda text: likeness(text, exactly))


def _alike(one: str, other: str) -> float:
    """Return the share of two texts that is the same in both.

    What both begin and end with is not compared character by character, which takes long where a text repeats itself.
    """
    start = _same_at_start(one, other)
    one_end, other_end = one[start:], other[start:]
    end = _same_at_start(one_end[::-1], other_end[::-1])
    rest = SequenceMatcher(None, one_end[: len(one_end) - end], other_end[: len(other_end) - end], autojunk=False)
    same = start + end + sum(block.size for block in rest.get_matching_blocks())
    return 2 * same / max(1, len(one) + len(other))


def _same_at_start(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


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
    start = _same_at_start(one or "", other or "") - BEFORE
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
