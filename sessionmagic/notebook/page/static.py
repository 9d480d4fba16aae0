"""A turn's answer as static outputs, which are saved with the notebook.

A finished turn is the same outputs however often it is shown: everything in them comes from the turn as it is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import Usage
from sessionmagic.notebook.captions import NOT_STARTED, answer_text, footer_lines
from sessionmagic.notebook.output import Output, nothing
from sessionmagic.notebook.page.answer import blocks_html, ending_html, footer_html, note_html
from sessionmagic.notebook.page.markdown import blocks_markdown, ending_markdown
from sessionmagic.notebook.page.parts import parts_of
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.transcript import Block, Transcript
    from sessionmagic.notebook.output import Displays

NOTHING_STARTED = Output({"text/plain": NOT_STARTED})
"""Takes the place of the live area if the turn was refused. An output cannot be removed, and must not be empty."""

NO_ANSWER = "no answer"
"""Shown of a turn that has said and done nothing, and as the text of reasoning alone."""


class StaticView:
    """A view that shows only the finished answer, for runs that nobody watches.

    Args:
        displays: Returns what the turn's tools have displayed.
    """

    def __init__(self, displays: Displays = nothing) -> None:
        self._displays = displays

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:  # noqa: ARG002
        return 0

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        return answer_outputs(transcript, self._displays)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        for output in outputs:
            output.display()

    def release(self) -> None:
        pass

    def discard(self) -> None:
        pass


def answer_outputs(transcript: Transcript, displays: Displays = nothing) -> list[Output]:
    """Return a turn as the notebook saves it: its answer, with each figure after the call that made it, and a footer.

    The footer is a separate output, because it takes the place of the draft, which cannot be removed.
    """
    shown = dict(displays(transcript))
    parts = parts_of(transcript.blocks, shown)
    outputs: list[Output] = []
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        html = blocks_html(part.blocks) + (ending_html(transcript) if last else "")
        if html or len(parts) == 1:
            html = html or note_html(NO_ANSWER)
            outputs.append(_answer_output(transcript, part.blocks, html, last=last))
        outputs += shown.pop(part.call_id, ())
    outputs += [output for rest in shown.values() for output in rest]
    lines = "\n".join(footer_lines(transcript))
    about = facts(transcript, "footer")
    footer = Output({"text/html": footer_html(transcript), "text/plain": lines}, {"sessionmagic": about})
    return [*outputs, footer]


def whole_html(outputs: Sequence[Output]) -> str:
    """Return the HTML of a turn in one piece, without the figures."""
    return "".join(output.data["text/html"] for output in outputs if "sessionmagic" in output.metadata)


def whole_output(transcript: Transcript, displays: Displays = nothing) -> list[Output]:
    """Return the same outputs with the answer and the footer in one, and the figures after it."""
    outputs = answer_outputs(transcript, displays)
    figures = [output for output in outputs if "sessionmagic" not in output.metadata]
    data = _data(transcript, transcript.blocks, whole_html(outputs), last=True)
    return [Output(data, {"sessionmagic": facts(transcript, "turn")}), *figures]


def _answer_output(transcript: Transcript, blocks: Sequence[Block], html: str, *, last: bool) -> Output:
    about = {"session": transcript.session, "turn": transcript.turn_id, "part": "answer"}
    return Output(_data(transcript, blocks, framed(html), last=last), {"sessionmagic": about})


def _data(transcript: Transcript, blocks: Sequence[Block], html: str, *, last: bool) -> dict[str, str]:
    """Return blocks by MIME type. Where there is a choice, front ends and converters to HTML take the HTML."""
    markdown = (blocks_markdown(blocks) + (ending_markdown(transcript) if last else "")).strip("\n")
    text = answer_text(transcript, blocks, with_ending=last) or NO_ANSWER
    return {"text/html": html, **({"text/markdown": markdown} if markdown else {}), "text/plain": text}


def facts(transcript: Transcript, part: str) -> dict[str, object]:
    """Return what the metadata of one output of each turn tells programs that read the notebook.

    Args:
        transcript: The turn.
        part: What the output is: the footer, or the whole turn.
    """
    usage = transcript.usage or Usage()
    return {
        "session": transcript.session,
        "turn": transcript.turn_id,
        "part": part,
        "agent": transcript.agent,
        "model": transcript.model,
        "status": transcript.status,
        "seconds": round(transcript.seconds, 3),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": usage.cost,
        "unmeasured_requests": usage.unmeasured_requests,
        "unpriced_requests": usage.unpriced_requests,
    }
