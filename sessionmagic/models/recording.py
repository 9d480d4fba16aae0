"""A recording of a session: its model requests in a form that can be compared, and the answer to each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sessionmagic.exceptions import ReplayError
from sessionmagic.models.difference import (
    CANDIDATES,
    PROMPT,
    RESULT,
    first_difference,
    line_difference,
    nearest_to,
    quoted,
)
from sessionmagic.words import times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_ai.models import Model

    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.difference import Said

ANY = "any"
"""In place of the hash of an offered tool: what it is like is not known, as its server was not asked."""
Purpose = Literal["answer", "summary", "title", "judge"]
"""What a model is asked for: to answer a prompt, to summarize older turns, for a title, or to judge two answers."""


@dataclass(frozen=True, slots=True)
class Words:
    """How errors name what is asked for."""

    one: str
    """A single one, with the prompt in place of ``{}``."""
    all: str
    other: str
    """What the recording has where the prompt is the same, but something else differs."""


WORDS: dict[Purpose, Words] = {
    "answer": Words("the prompt {}", "answers", "the prompt {}, but not after what was said before"),
    "summary": Words("a summary of this conversation", "summaries", "summaries, but not of this conversation"),
    "title": Words("a title for the prompt {}", "titles", "titles, but not for the prompt {}"),
    "judge": Words(
        "a verdict on answers to the prompt {}", "verdicts", "verdicts on answers to the prompt {}, but not on these"
    ),
}


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
    purpose: Purpose = "answer"

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
    place: str = ""
    """What it shares with the other runs of its column of a comparison, and with no other answers; empty for a turn."""
    repeat: int = 1
    """Which of these runs it is, counted from 1."""
    told: Sequence[str] = ()
    """What the user said to the turn after it, before the next answer."""
    purpose: Purpose = "answer"
    kept: int = 0
    """For a summary, how many of the newest turns were still sent word by word."""


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
        self._counts: dict[str | None, int] = {}
        """How much was said up to the end of a turn, which tells most answers to equal prompts apart."""
        self.model: Model | None = None
        """The model that gives these answers, made once, so that what was made ready for it can be used again."""
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
        key = hash((wanted.purpose, wanted.said, same[0].turn))
        if key not in self.askers:
            filled = replace(wanted, reference=same[0].reference)
            self.askers[key] = list(dict.fromkeys(who for request, who in self.lacking if request == filled))
        askers = self.askers[key]
        if asker not in askers:
            askers.append(asker)
        places: dict[str, list[Answer]] = {}  # in the order in which they were asked first
        for each in same:
            places.setdefault(each.place or each.turn, []).append(each)
        index = askers.index(asker)
        own = list(places.values())[index] if index < len(places) else []
        if (found := next((each for each in own if each.repeat == repeat), None)) is not None:
            return found
        had = f"{self.name} has {_what(wanted)} only {times(len(same))}"
        if own:
            raise ReplayError(f"{had}, and this is run {repeat} of it; ask as it was recorded")
        if len(same) == 1:
            given = "that answer was given already; run the cell that has it"
        else:
            given = "these answers were given already; run a cell that has one"
        raise ReplayError(f"{had}, and {given}, or restart the kernel to begin anew")

    @property
    def has_summaries(self) -> bool:
        """Whether older turns were summarized."""
        return any(each.purpose == "summary" for each in self.answers)

    def summary(self, wanted: Wanted) -> Answer | None:
        """Return the first summary that was recorded for a request; None if there is none."""
        return next((each for each in self.answers if self._is_said(each, wanted)), None)

    def summary_before(self, wanted: Wanted) -> Answer | None:
        """Return the summary that was written before a request was answered, so that the answer goes with it.

        None if there is none, or the request was answered without one.
        """
        if any(self._is_said(each, wanted) for each in self.answers):
            return None
        summaries = [each for each in self.answers if each.purpose == "summary"]
        following: dict[str | None, list[Answer]] = {}
        for each in self.answers:
            if each.purpose == "answer":
                following.setdefault(each.parent, []).append(each)
        return next(
            (
                summary
                for summary in summaries
                if any(
                    self._is_said(replace(each, parent=summary.parent), wanted)
                    for each in following.get(summary.turn, [])
                )
            ),
            None,
        )

    def _is_said(self, answer: Answer, wanted: Wanted) -> bool:
        """Return whether a request says what the recorded one said."""
        if answer.purpose != wanted.purpose:
            return False
        count = len(answer.own)
        own, before = wanted.said[-count:], wanted.said[:-count]
        return (
            _compared(own, wanted) == _compared(answer.own, wanted)
            and len(before) == self._count_before(answer.parent)
            and _compared(before, wanted) == _compared(self._before(answer.parent), wanted)
        )

    def _count_before(self, parent: str | None) -> int:
        if parent not in self._counts:
            self._counts[parent] = len(self._before(parent))
        return self._counts[parent]

    def _has_not(self, wanted: Wanted) -> str:
        return f"{self.name} does not have {_what(wanted)}"

    def _nearest(self, wanted: Wanted) -> str:
        """Return in words what the nearest recorded request has that this one has not."""
        words = WORDS[wanted.purpose]
        answers = [answer for answer in self.answers if answer.purpose == wanted.purpose]
        if not answers:
            return f"{self._has_not(wanted)}; it has no {words.all} at all"
        prompt = nearest_to(wanted.prompt, {answer.prompt for answer in answers})
        same = [answer for answer in answers if answer.prompt == prompt][:CANDIDATES]
        nearest = min(
            same, key=lambda answer: abs(len(answer.own) + len(self._before(answer.parent)) - len(wanted.said))
        )
        recorded = (*self._before(nearest.parent), *nearest.own)
        if nearest.prompt == wanted.prompt:
            where = f"{self.name} has {words.other.format(quoted(wanted.prompt))}"
            return f"{where}: {first_difference(_compared(wanted.said, wanted), _compared(recorded, wanted))}"
        difference = line_difference(PROMPT, wanted.prompt, nearest.prompt)
        return f"{self._has_not(wanted)}; the nearest is turn {nearest.turn}: {difference}"


class Library(Protocol):
    """Finds recordings by their names."""

    def __call__(self, name: str) -> Recording:
        """Return the recording with this name; raises `ModelReferenceError`."""

    def names(self) -> list[str]:
        """Return the names to suggest from."""


def _what(wanted: Wanted) -> str:
    return WORDS[wanted.purpose].one.format(quoted(wanted.prompt))


def _compared(said: tuple[Said, ...], wanted: Wanted) -> tuple[Said, ...]:
    """Return what is compared of a request. The results of tools that really run are not."""
    if not wanted.live_tools:
        return said
    return tuple(replace(each, text="") if each.who.startswith(RESULT) else each for each in said)


def _other_difference(answer: Answer, wanted: Wanted) -> str:
    """Return the first difference of two requests that say the same; empty if there is none."""
    if difference := _tool_difference(answer.record.offered, wanted.offered):
        return difference
    if answer.record.typed != wanted.typed:
        return "the type of the answer is another one than in the recording"
    for name in sorted({*answer.settings, *wanted.settings}):
        mine, theirs = wanted.settings.get(name), answer.settings.get(name)
        if mine != theirs:
            return f"the setting {name} is {mine!r} where the recording has {theirs!r}"
    if answer.system != wanted.system:
        return line_difference("instructions", wanted.system, answer.system)
    return ""


def _tool_difference(recorded: Mapping[str, str] | None, offered: Mapping[str, str] | None) -> str:
    if recorded is None or offered is None:
        return ""
    for name in sorted({*recorded, *offered}):
        if offered.get(name) == ANY:
            continue
        if name not in recorded:
            return f"the tool {name} is offered, which the recording does not have"
        if name not in offered:
            return f"the tool {name} is not offered, which the recording has"
        if recorded[name] != offered[name]:
            return f"the tool {name} has another definition than in the recording"
    return ""
