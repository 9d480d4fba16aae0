"""What recordings must know of a judge: its requests in the form in which they are compared."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ReplayError
from sessionmagic.turns.replaying import asking_aside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessionmagic.models.difference import Said


@dataclass(slots=True)
class Judging:
    """A judge at work."""

    said: Mapping[str, tuple[Said, ...]]
    """What it is asked, by the prompt that is sent."""
    criteria: str
    filled: bool = False
    """Whether a model was asked for what a recording does not have."""
    lacking: ReplayError | None = None
    """Why a recording has no answer to the first such request."""


_judging: ContextVar[Judging | None] = ContextVar("judging", default=None)


@contextmanager
def judging(said: Mapping[str, tuple[Said, ...]], criteria: str) -> Iterator[Judging]:
    """Let the requests that are made within the block be those of a judge.

    Args:
        said: What it is asked, by the prompt that is sent.
        criteria: What makes an answer the better one, in the user's words.
    """
    work = Judging(said, criteria)
    token = _judging.set(work)
    try:
        yield work
    finally:
        _judging.reset(token)


@contextmanager
def asking_with(prompt: str) -> Iterator[None]:
    """Let recordings know what a request asks that is made within the block, if it is that of a judge."""
    work = _judging.get()
    said = None if work is None else work.said.get(prompt)
    if work is None or said is None:
        yield
        return
    with asking_aside("judge", said, system=work.criteria) as asking:
        try:
            yield
        except ReplayError as error:
            work.lacking = work.lacking or error
            raise
        finally:
            work.filled = work.filled or asking.filled
