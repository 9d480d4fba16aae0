"""A tool call on the page, with the buttons that decide whether it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.answer import MUTED, NO_MATH, OPENED, call_html, printed_html, tool_html
from sessionmagic.notebook.page.in_view import asking
from sessionmagic.notebook.page.pieces import button, column, forget, page, row
from sessionmagic.notebook.page.text_box import text_box
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.page.work_area import WorkArea
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.events import Decision
    from sessionmagic.conversation.transcript import ToolBlock
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.page.work_area import ShowsWork


ALWAYS_EVERYTHING = "Always everything …"
KEEP_ASKING = "Keep asking"
RUN_EVERYTHING = "Run everything unasked"
EVERYTHING = "Every call in this session that no rule covers runs unasked until this kernel ends."


class ToolRow:
    """A tool call on the page, with its arguments and buttons while it waits for approval.

    Args:
        controls: Takes the decisions.
        agent: The sub-agent that makes the call; empty for the agent of the turn.
        blocks: Makes what shows the work of a sub-agent, by its name, in a box.
    """

    def __init__(self, controls: Controls, agent: str, blocks: Callable[[Any, str], ShowsWork]) -> None:
        self._controls = controls
        self._agent = agent
        self._blocks = blocks
        self._work: WorkArea | None = None
        """Shows what a sub-agent does for the running call."""
        self._page = page("")
        self._printed: Any = None
        """Shows what the running call prints, once it has printed something."""
        self._asked = ""
        """Id of the approval whose buttons are shown; empty if none are."""
        self._call: ToolBlock | None = None
        """The call that is shown, without what it has printed, which may change often."""
        self.box = column(self._page)

    def show(self, block: ToolBlock) -> int:
        """Show the call as it is now; return roughly how many bytes were sent to the page."""
        running = block.outcome is None
        call, sent = replace(block, printed="", lines=0, work=None if running else block.work), 0
        if call != self._call:
            self._call = call
            self._page.value = html = framed(tool_html(call))
            sent += len(html)
        if block.approval_id != self._asked:
            self._asked = block.approval_id
            asks = block.approval_id and self._controls.asks_on_page
            before = self.box.children[1:]
            self.box.children = (self._page, self._choices(block)) if asks else (self._page,)
            forget(before)
        return sent + self._show_work(block) + self._show_printed(block)

    def _show_work(self, block: ToolBlock) -> int:
        """Show what a sub-agent does in a folded area of its own, and with the call when that has ended."""
        work = block.work if block.outcome is None else None
        if work is None:
            if self._work is not None:
                self.box.children = [child for child in self.box.children if child is not self._work.box]
                forget([self._work.box])
                self._work = None
            return 0
        if self._work is None:
            self._work = WorkArea(work.agent, self._blocks)
            self.box.children = (*self.box.children, self._work.box)
        return self._work.show(work)

    def _show_printed(self, block: ToolBlock) -> int:
        html = printed_html(block)
        if self._printed is not None:
            self._printed.value = html
        elif html:
            self._printed = page(html)
            self.box.children = (*self.box.children, self._printed)
        return len(html)

    def _choices(self, block: ToolBlock) -> Any:
        asks = f"{self._agent} asks" if self._agent else "asks"
        why = f"<p {NO_MATH}>{escape(f'{asks} because {block.why}')}</p>"
        shown = call_html(block.asked, asked=True, preview=block.preview)
        call = page(f'<div style="{OPENED}">{shown}{why}</div>')
        reason = text_box("why not (the model reads this)", "16em", lambda why: decide("reject", why))

        def decide(decision: Decision, why: str) -> None:
            self._controls.resolve(block.approval_id, decision, why)

        def deciding(words: str, decision: Decision, tooltip: str, style: str = "") -> Any:
            return button(words, lambda: decide(decision, reason.value), tooltip=tooltip, button_style=style)

        always = "Run every call of this tool in this session, even where a rule says to ask"
        buttons = [
            deciding("Approve", "once", "Run this call", "primary"),
            deciding(f"Always {block.tool}", "tool", always),
            deciding("Reject", "reject", "Do not run this call; the model reads your reason", "warning"),
        ]
        everything = _everything(deciding(RUN_EVERYTHING, "all", EVERYTHING, "danger"))
        return asking(block.approval_id, [call, row(*buttons, reason, flex_flow="row wrap"), everything])


def _everything(approve: Any) -> Any:
    """Return what approves all calls: a button far from the others, which shows what that means and a second button.

    The first button stays where it is and takes back the click, so a double click approves nothing.
    """
    meaning = page(f'<p {NO_MATH} style="{MUTED}">{EVERYTHING}</p>')
    sure = row(meaning, approve, justify_content="flex-end", align_items="center", display="none", flex_flow="row wrap")

    def turn() -> None:
        asked = sure.layout.display == "none"
        first.description = KEEP_ASKING if asked else ALWAYS_EVERYTHING
        sure.layout.display = "flex" if asked else "none"

    first = button(ALWAYS_EVERYTHING, turn, tooltip="Asks once more")
    return column(row(first, justify_content="flex-end"), sure)
