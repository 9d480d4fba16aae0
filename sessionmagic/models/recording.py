"""A recording of a session: its model requests in a form that can be compared, and the answer to each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any, Protocol

from sessionmagic.exceptions import ReplayError
from sessionmagic.words import counted, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sessionmagic.conversation.usage import RequestRecord

COMPARED = 2_000
"""The characters of a prompt by which the nearest one is found."""
MOST_COMPARED = 500
"""How many prompts are compared, of those whose length is nearest."""
NEWLINE = "\n"
BEFORE = 20
"""How many characters before the first difference in a line are shown."""
CANDIDATES = 20
"""How many of them are compared exactly."""
PROMPT = "prompt"
RESULT = "result of "
"""How `Said.who` begins for the result of a tool."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing in a model request, without ids, times and names of models."""

    who: str
    """What it is: ``"prompt"``, ``"answer"``, ``"call of NAME"``, ``"result of NAME"``."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model request, as far as it decides which recorded answer it gets."""

    said: tuple[Said, ...]
    offered: Mapping[str, str] | None
    """The names of the offered tools, each with a hash of its definition; None if the model takes no tools."""
    typed: str = ""
    """A hash of the schema of the structured answer; empty for text."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    reference: str = ""
    """The model that the turn names. Answers of that model come first."""
    live_tools: bool = False
    """Whether tools really run, so that their results may differ from the recorded ones."""

    @property
    def prompt(self) -> str:
        """The latest prompt."""
        return next((each.text for each in reversed(self.said) if each.who == PROMPT), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A recorded answer, and the request that it was given to."""

    turn: str
    parent: str | None
    prompt: str
    reference: str
    """The model that the turn named."""
    own: tuple[Said, ...]
    """What the request has of its own turn."""
    settings: Mapping[str, Any]
    system: str
    record: RequestRecord
    response: Mapping[str, Any]
    """The response as pydantic-ai's JSON."""
    results: Mapping[str, Mapping[str, Any]]
    """The results of its tool calls as pydantic-ai's JSON, by call id."""
    shown: Sequence[Any] = ()
    """What its tools gave to the model beside their results, such as figures, as pydantic-ai's JSON."""


class Recording:
    """Answers to the requests of a session.

    Args:
        name: What it is called in messages.
        answers: The answers, in the order in which they were given.
        before: Returns all that was said up to the end of a turn; nothing for None.
    """

    def __init__(self, name: str, answers: Sequence[Answer], before: Callable[[str | None], tuple[Said, ...]]) -> None:
        self.name = name
        self.answers = answers
        self._before = before
        self.askers: dict[int, list[str]] = {}
        """Who has asked for each answer, in order."""
        self.lacking: list[tuple[Wanted, str]] = []
        """The requests that had no answer, and who made them. If their answers are added, these have asked for them."""

    def go_on_from(self, earlier: Recording) -> None:
        """Know who has asked an earlier state of the recording for what."""
        self.askers, self.lacking = earlier.askers, earlier.lacking

    def find(self, wanted: Wanted, asker: str, repeat: int = 1) -> Answer:
        """Return the answer to a request.

        If the same request was recorded several times, the first who asks gets the first answer, the second one the
        second. Who asks again gets the same answer again.

        Args:
            wanted: The request.
            asker: Who asks, such as the cell.
            repeat: Which run of a comparison asks, counted from 1.

        Raises `ReplayError` if there is no such answer, with the first difference to the nearest request.
        """
        said = [each for each in self.answers if self._is_said(each, wanted)]
        same = [each for each in said if not _other_difference(each, wanted)]
        if not same:
            self.lacking.append((wanted, asker))
        if not said:
            raise ReplayError(self._nearest(wanted))
        if not same:
            raise ReplayError(
                f"{self._has_not(wanted)} in this form: {_other_difference(said[0], wanted)}; ask as it was recorded"
            )
        same = [each for each in same if each.reference == wanted.reference] or same
        key = hash((wanted.said, same[0].turn))
        if key not in self.askers:
            filled = replace(wanted, reference=same[0].reference)
            self.askers[key] = list(dict.fromkeys(who for request, who in self.lacking if request == filled))
        askers = self.askers[key]
        if asker not in askers:
            askers.append(asker)
        number = askers.index(asker) + repeat
        if number > len(same):
            times = counted(len(same), "time")
            raise ReplayError(
                f"{self.name} has the prompt {_quoted(wanted.prompt)} only {times}, and this asks for number {number}; "
                "a restart of the kernel begins anew"
            )
        return same[number - 1]

    def _is_said(self, answer: Answer, wanted: Wanted) -> bool:
        """Return whether a request says what the recorded one said."""
        count = len(answer.own)
        own, before = wanted.said[-count:], wanted.said[:-count]
        return _compared(own, wanted) == _compared(answer.own, wanted) and (
            _compared(before, wanted) == _compared(self._before(answer.parent), wanted)
        )

    def _has_not(self, wanted: Wanted) -> str:
        return f"{self.name} does not have the prompt {_quoted(wanted.prompt)}"

    def _nearest(self, wanted: Wanted) -> str:
        """Return in words what the nearest recorded request has that this one has not."""
        if not self.answers:
            return f"{self._has_not(wanted)}; it has no answers at all"
        prompt = _nearest_to(wanted.prompt, {answer.prompt for answer in self.answers})
        same = [answer for answer in self.answers if answer.prompt == prompt][:CANDIDATES]
        nearest = min(
            same, key=lambda answer: abs(len(answer.own) + len(self._before(answer.parent)) - len(wanted.said))
        )
        recorded = (*self._before(nearest.parent), *nearest.own)
        if nearest.prompt == wanted.prompt:
            where = f"{self.name} has the prompt {_quoted(wanted.prompt)}, but not after what was said before"
            return f"{where}: {_first_difference(_compared(wanted.said, wanted), _compared(recorded, wanted))}"
        difference = _line_difference(PROMPT, wanted.prompt, nearest.prompt)
        return f"{self._has_not(wanted)}; the nearest is turn {nearest.turn}: {difference}"


class Library(Protocol):
    """Finds recordings by their names."""

    def __call__(self, name: str) -> Recording:
        """Return the recording with this name; raises `ModelReferenceError`."""

    def names(self) -> list[str]:
        """Return the names to suggest from."""


def _nearest_to(prompt: str, known: Collection[str]) -> str:
    """Return the known prompt that is most like another one."""
    if prompt in known:
        return prompt
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(prompt[:COMPARED])

    def likeness(text: str, *, fast: bool = False) -> float:
        matcher.set_seq1(text[:COMPARED])
        return matcher.quick_ratio() if fast else matcher.ratio()

    of_like_length = sorted(known, key=lambda text: (abs(len(text) - len(prompt)), text))[:MOST_COMPARED]
    candidates = sorted(of_like_length, key=lambda text: -likeness(text, fast=True))[:CANDIDATES]
    return max(candidates, key=likeness)


def _compared(said: tuple[Said, ...], wanted: Wanted) -> tuple[Said, ...]:
    """Return what is compared of a request. The results of tools that really run are not."""
    if not wanted.live_tools:
        return said
    return tuple(replace(each, text="") if each.who.startswith(RESULT) else each for each in said)


def _other_difference(answer: Answer, wanted: Wanted) -> str:
    """Return the first difference of two requests that say the same; empty if there is none."""
    recorded = answer.record.offered
    if recorded is not None and wanted.offered is not None:
        for name in sorted({*recorded, *wanted.offered}):
            if name not in recorded:
                return f"the tool {name} is offered, which the recording does not have"
            if name not in wanted.offered:
                return f"the tool {name} is not offered, which the recording has"
            if recorded[name] != wanted.offered[name]:
                return f"the tool {name} has another definition than in the recording"
    if answer.record.typed != wanted.typed:
        return "the type of the answer is another one than in the recording"
    for name in sorted({*answer.settings, *wanted.settings}):
        mine, theirs = wanted.settings.get(name), answer.settings.get(name)
        if mine != theirs:
            return f"the setting {name} is {mine!r} where the recording has {theirs!r}"
    if answer.system != wanted.system:
        return _line_difference("instructions", wanted.system, answer.system)
    return ""


def _first_difference(said: Sequence[Said], recorded: Sequence[Said]) -> str:
    mine, theirs = next(pair for pair in zip_longest(said, recorded) if pair[0] != pair[1])
    if mine is None:
        return f"there is no {theirs.who}, where the recording has {_quoted(theirs.text)}"
    if theirs is None:
        return f"there is a further {mine.who}, {_quoted(mine.text)}"
    if mine.who != theirs.who:
        return f"there is the {mine.who} {_quoted(mine.text)} where the recording has the {theirs.who}"
    return _line_difference(mine.who, mine.text, theirs.text)


def _line_difference(what: str, mine: str, theirs: str) -> str:
    lines = zip_longest(mine.splitlines(), theirs.splitlines(), fillvalue=None)
    number, (one, other) = next(
        ((number, pair) for number, pair in enumerate(lines, start=1) if pair[0] != pair[1]), (1, (mine, theirs))
    )
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one or "", other or "", strict=False))
    start = sum(1 for _ in alike) - BEFORE
    ours = "is missing" if one is None else _exactly(one, start)
    there = "has no such line" if other is None else f"has {_exactly(other, start)}"
    return f"{what} line {number}: {ours} where the recording {there}"


def _quoted(text: str) -> str:
    """Return a text on one line and in quotes, cut if it is long."""
    return f'"{shortened(" ".join(text.split()))}"'


def _exactly(line: str, start: int) -> str:
    """Return a line in quotes with all its spaces, cut if it is long, and from `start` on if that is far."""
    line = f"…{line[start:]}" if start > BEFORE else line
    return f'"{shortened(printable(line.replace(NEWLINE, "⏎")))}"'
