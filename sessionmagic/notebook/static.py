"""A turn's answer as static output, which is saved with the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from sessionmagic.notebook.captions import answer_text

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import Transcript

NOTHING = {"text/html": "", "text/plain": ""}
"""The content of a removed output. nbconvert would warn about an output without content."""


class StaticView:
    """A view that shows only the finished answer, for runs that nobody watches."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:  # noqa: ARG002
        return 0

    def finish(self, transcript: Transcript, html: str) -> None:
        show_answer(transcript, html)

    def discard(self) -> None:
        pass


def show_answer(transcript: Transcript, html: str, display_id: str | None = None) -> None:
    """Display a turn as the notebook saves it; with a display id, replace the output with that id."""
    display(
        {"text/html": html, "text/plain": answer_text(transcript)},
        raw=True,
        metadata=metadata(transcript),
        display_id=display_id,
        update=display_id is not None,
    )


def metadata(transcript: Transcript) -> dict[str, dict[str, object]]:
    """Return the output metadata that tells programs that read the notebook about the turn."""
    usage = transcript.usage
    return {
        "sessionmagic": {
            "session": transcript.session,
            "turn": transcript.turn_id,
            "model": transcript.model,
            "status": transcript.status,
            "input_tokens": usage.input_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "cost": usage.cost if usage else None,
            "unmeasured_requests": usage.unmeasured_requests if usage else None,
            "unpriced_requests": usage.unpriced_requests if usage else None,
        }
    }
