"""The surfaces on which a turn is seen, and how they follow it. The one made of widgets is in `widgets`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import clear_output, display

from sessionmagic.conversation.transcript import TextBlock, ToolBlock
from sessionmagic.notebook.captions import LINE_LENGTH, answer_text
from sessionmagic.notebook.page.answer import answer_html, said_html
from sessionmagic.notebook.terminal.text import block_text, closing_text, turn_text
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.events import Decision, InputAction
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.turns.turn import Turn

TICK_SECONDS = 1.0
"""How often the elapsed time moves while the model says nothing."""
BYTES_PER_SECOND = 100_000
"""What a running answer may send to the page: a long block is sent again less often, not cut."""
NOTHING = {"text/html": "", "text/plain": ""}
"""What takes the place of an output that is to go; nbconvert would warn of one without any content."""


class View(Protocol):
    """A surface. Called from the loop thread, in the context of the launching cell."""

    def open(self) -> None:
        """Show at once that something is going on."""

    def update(self, transcript: Transcript) -> int:
        """Show the turn as it is now; return about how many bytes of the answer went to the page."""

    def finish(self, transcript: Transcript, html: str) -> None:
        """Show the turn as it will stay; `html` is its answer, rendered."""

    def discard(self) -> None:
        """Take everything away: there was no turn."""


class Controls(Protocol):
    """What a running turn can be told with a click. Called on any thread."""

    asks_on_page: bool
    """Whether questions are answered with a click, and not on stdin."""

    def stop(self) -> None:
        """End the turn."""

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> None:
        """Decide whether a tool call may run."""

    def steer(self, text: str) -> None:
        """Tell the turn something before its next model request; raises `SessionMagicError` when it cannot be."""

    def reply(self, question_id: str, action: InputAction, content: dict[str, Any] | None = None) -> None:
        """Answer what a server asked; raises `UsageError` for content that does not fit."""


async def follow(turn: Turn, view: View, hz: float) -> None:
    """Show a turn as it goes, the first word at once and then at most `hz` times a second, to its end."""
    seen = 0
    over = asyncio.ensure_future(turn.result())
    try:
        while not turn.finished:
            seen = await turn.news(seen, TICK_SECONDS)
            if turn.finished:
                break
            transcript = turn.transcript
            sent = view.update(transcript)
            if transcript.blocks:
                await asyncio.wait([over], timeout=max(1 / hz, sent / BYTES_PER_SECOND))
    finally:
        over.cancel()
    transcript = turn.transcript
    view.finish(transcript, await asyncio.to_thread(answer_html, transcript))  # a long answer takes its time


class StaticView:
    """Only the finished answer: for runs that nobody watches."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:  # noqa: ARG002
        return 0

    def finish(self, transcript: Transcript, html: str) -> None:
        show_answer(transcript, html)

    def discard(self) -> None:
        pass


def show_answer(transcript: Transcript, html: str, display_id: str | None = None) -> None:
    """Display a turn as it stays in the saved notebook; with an id, in the place of what was displayed under it."""
    display(
        {"text/html": html, "text/plain": answer_text(transcript)},
        raw=True,
        metadata={"sessionmagic": _metadata(transcript)},
        display_id=display_id,
        update=display_id is not None,
    )


def show_turn(transcript: Transcript, prompt: str) -> None:
    """Display a turn again, as one output: JupyterLab folds away what is beyond the first fifty."""
    display(
        {"text/html": f"<hr>{said_html(prompt)}{answer_html(transcript)}", "text/plain": turn_text(transcript, prompt)},
        raw=True,
        metadata={"sessionmagic": _metadata(transcript)},
    )


def _metadata(transcript: Transcript) -> dict[str, object]:
    """Return what a program that reads the saved notebook may want to know about the answer."""
    usage = transcript.usage
    return {
        "session": transcript.session,
        "turn": transcript.turn_id,
        "model": transcript.model,
        "status": transcript.status,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cost": usage.cost if usage else None,
    }


class GuardedView:
    """A view that may fail: then a frame is lost, but neither the turn nor its answer."""

    def __init__(self, view: View) -> None:
        self._view = view

    def open(self) -> None:
        with suppress(Exception):
            self._view.open()

    def update(self, transcript: Transcript) -> int:
        with suppress(Exception):
            return self._view.update(transcript)
        return 0

    def finish(self, transcript: Transcript, html: str) -> None:
        try:
            self._view.finish(transcript, html)
        except Exception:  # noqa: BLE001  a surface may fail in any way
            StaticView().finish(transcript, html)

    def discard(self) -> None:
        with suppress(Exception):
            self._view.discard()


class TextView:
    """The answer as plain text while it comes: for terminals, and front ends without widgets.

    Args:
        by_lines: print whole lines only: a terminal that waits at its prompt would write over what has no end yet.
        show_again: put the static answer in the text's place at the end, as a notebook can, which clears the cell;
            then this is called with session and turn id, to show what its tools showed.
    """

    def __init__(self, show_again: Callable[[str, str], object] | None = None, *, by_lines: bool = False) -> None:
        self._show_again = show_again
        self._out = _Lines() if by_lines else _Characters()
        self._printed: list[str] = []
        """What was printed of each block."""
        self._asked: set[str] = set()
        """The calls that were shown when they asked for a yes."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        fresh = ""
        for at, block in enumerate(transcript.blocks):
            if isinstance(block, ToolBlock) and block.approval_id:
                self._asked.add(block.call_id)
            text = block_text(block, with_call=not isinstance(block, ToolBlock) or block.call_id not in self._asked)
            if at == len(self._printed):
                self._printed.append("")
            if text and not self._printed[at] and any(self._printed):
                fresh += "\n\n"
            fresh += text[len(self._printed[at]) :]
            self._printed[at] = text
        self._out.write(fresh)
        if transcript.blocks and not isinstance(transcript.blocks[-1], TextBlock):
            self._out.end()
        return len(fresh)

    def finish(self, transcript: Transcript, html: str) -> None:
        self.update(transcript)
        if self._show_again is not None:
            clear_output(wait=True)
            show_answer(transcript, html)
            self._show_again(transcript.session, transcript.turn_id)
            return
        self._out.end()
        self._out.write(f"\n{closing_text(transcript)}\n")

    def discard(self) -> None:
        pass


class _Characters:
    """A terminal that shows each character as it comes."""

    def write(self, text: str) -> None:
        if text:
            sys.stdout.write(visible(text))
            sys.stdout.flush()

    def end(self) -> None:
        """Show what was kept back."""


class _Lines(_Characters):
    """A terminal that waits at its prompt: it writes over whatever has no end of line yet.

    So a long line of prose is broken at a blank when its end does not come.
    """

    def __init__(self) -> None:
        self._in_code = False
        self._begun = ""
        """A line without its end."""
        self._ended = False
        """Whether the end of line that comes next was written already."""

    def write(self, text: str) -> None:
        if self._ended and text:
            text, self._ended = text.removeprefix("\n"), False
        lines, end, self._begun = (self._begun + text).rpartition("\n")
        shown = lines + end
        self._in_code ^= sum(line.lstrip().startswith(("```", "~~~")) for line in lines.split("\n")) % 2 == 1
        prose = not self._in_code and not self._begun.startswith((" ", "\t", "|"))
        while prose and len(self._begun) > LINE_LENGTH and " " in self._begun[:LINE_LENGTH]:
            words, _, _ = self._begun[:LINE_LENGTH].rpartition(" ")
            shown += f"{words}\n"
            self._begun = self._begun[len(words) + 1 :]
        super().write(shown)

    def end(self) -> None:
        if self._begun:
            super().write(f"{self._begun}\n")
            self._begun, self._ended = "", True
