"""The recordings as one kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.configured import configured
from sessionmagic.models.offers import Offer
from sessionmagic.models.sources import Source
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_ai.models import Model

    from sessionmagic.models.recording import Library, Recording
    from sessionmagic.models.references import ModelRef

REPLAY = "replay"


class ReplaySource(Source):
    """The recordings: stored sessions, and files that ``%agent record`` has written.

    Args:
        library: Finds them; None where there are no sessions.
    """

    def __init__(self, library: Library | None) -> None:
        self._library = library

    def recognizes(self, reference: ModelRef) -> bool:
        return bool(reference.model) and reference.provider == REPLAY

    def names(self) -> Iterable[str]:
        return [REPLAY]

    def check(self, reference: ModelRef) -> None:
        self._recording(reference)

    def build(self, reference: ModelRef) -> Model:
        from sessionmagic.models.replay import ReplayModel

        recording = self._recording(reference)
        recording.model = recording.model or ReplayModel(recording)
        return recording.model

    def offers(self) -> list[Offer]:
        return [Offer(model=f"{REPLAY}:", kind="local", note="answers from a session, or a file of %agent record")]

    def _recording(self, reference: ModelRef) -> Recording:
        return found_recording(self._library, reference.model)


def found_recording(library: Library | None, name: str) -> Recording:
    """Return the recording with a name. Raises `ModelReferenceError`."""
    if library is None:
        raise ModelReferenceError(f"there are no sessions here, so {name!r} cannot be replayed")
    return library(name)


def recording_of_process(library: Library | None) -> Recording:
    """Return the recording that answers in place of all models. Raises `ModelReferenceError`."""
    try:
        return found_recording(library, configured.replay)
    except ModelReferenceError as error:
        raise ModelReferenceError(f"AgentMagics.replay: {error}") from error


def who_answers() -> str:
    """Return in words that a recording answers in place of the models of this process; empty if they answer."""
    if not configured.replay:
        return ""
    how = "answers first, and models what it lacks" if configured.fills else "answers in place of all models"
    return f"the recording {shortened(Path(configured.replay).name)} {how} (AgentMagics.replay)"
