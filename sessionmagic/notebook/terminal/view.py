"""A running turn as text in a terminal."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from IPython.display import clear_output

from sessionmagic.conversation.transcript import TextBlock, ToolBlock
from sessionmagic.notebook.captions import status_line
from sessionmagic.notebook.output import nothing
from sessionmagic.notebook.terminal.calls import CallText
from sessionmagic.notebook.terminal.text import block_text, closing_text
from sessionmagic.notebook.terminal.writers import Characters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.transcript import Block, Transcript
    from sessionmagic.notebook.output import Displays, Output


class TextView:
    """A view that writes the answer as it arrives, for terminals and for front ends without widgets.

    Args:
        displays: Returns what the turn's tools have displayed.
        render: Given for a front end that can clear a cell's output. At the end, what it returns replaces the text.
        writer: Writes the text; by default each character as it arrives.
        session: The session's name, if it is known before the turn starts.
        model: The model reference that the cell names, if any.
    """

    def __init__(
        self,
        displays: Displays = nothing,
        render: Callable[[Transcript], Sequence[Output]] | None = None,
        writer: Characters | None = None,
        *,
        session: str = "",
        model: str = "",
    ) -> None:
        self._displays = displays
        self._render = render
        self._out = writer or Characters()
        self._session, self._model = session, model
        self._opened_at = time.monotonic()
        self._printed: list[str] = []
        """The text printed so far of each block."""
        self._displayed: dict[str, int] = {}
        """How many displays of each call were shown."""
        self._calls: defaultdict[int, CallText] = defaultdict(CallText)
        """The texts of the calls, by the places of their blocks."""
        self._lock = threading.Lock()
        """Held while something is written, as the cell that ends may release the view meanwhile."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        with self._lock:
            return self._update(transcript)

    def _update(self, transcript: Transcript) -> int:
        written, displays = 0, self._displays(transcript)
        for at, block in enumerate(transcript.blocks):
            if isinstance(block, ToolBlock) and block.outcome and block.call_id in displays:
                written += self._write_new(at, block)
                self._show(displays[block.call_id], block.call_id)
            else:
                written += self._write_new(at, block)
        # A question on stdin may follow, and all of the text must be printed before it.
        if transcript.blocks and not isinstance(transcript.blocks[-1], TextBlock):
            self._out.end()
        calls = any(isinstance(block, ToolBlock) and block.is_running for block in transcript.blocks)
        if calls or transcript.waits_for_an_answer:  # code that runs may write to the terminal itself
            self._out.status("")
        else:
            self._out.status(status_line(transcript, self._session, self._model, self._opened_at))
        return written

    def _write_new(self, at: int, block: Block) -> int:
        """Write what is new in a block; return its length."""
        text = self._calls[at].grown(block) if isinstance(block, ToolBlock) else block_text(block)
        if at == len(self._printed):
            self._printed.append("")
        if text and not self._printed[at] and any(self._printed):
            self._out.write("\n\n")
        if not text.startswith(self._printed[at]):  # a text has turned out to be a structured answer
            self._out.write("\n\n")
            self._printed[at] = ""
        new, self._printed[at] = text[len(self._printed[at]) :], text
        write = self._out.markdown if isinstance(block, TextBlock) else self._out.write
        if new:
            write(new)
        return len(new)

    def _show(self, displays: Sequence[Output], call_id: str) -> None:
        """Show what a call has displayed."""
        shown = self._displayed.get(call_id, 0)
        self._displayed[call_id] = len(displays)
        if displays[shown:]:
            self._out.end()
        for output in displays[shown:]:
            output.display()

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        return () if self._render is None else self._render(transcript)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        with self._lock:
            self._update(transcript)
            if self._render is not None:
                clear_output(wait=True)
                for output in outputs:
                    output.display()
                return
            self._out.end()
            self._out.write(f"\n{closing_text(transcript)}\n")

    def release(self) -> None:
        with self._lock:
            self._out = self._out.released()

    def discard(self) -> None:
        with self._lock:
            self._out.end()
