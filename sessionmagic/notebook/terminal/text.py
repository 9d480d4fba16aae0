"""A turn as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import (
    MessageBlock,
    QuestionBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    ValueBlock,
)
from sessionmagic.conversation.value import value_text
from sessionmagic.notebook.captions import (
    ending,
    footer,
    notes_line,
    plan_line,
    question_line,
    summary_line,
    tool_line,
    values_line,
    work_footer,
    written,
)
from sessionmagic.notebook.excerpts import cut, excerpt
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.transcript import Block, Transcript

EXCERPT_LINES = 12
"""Lines of a call's arguments, and of its result, that are shown."""


def turn_text(transcript: Transcript, prompt: str, asked_with: str = "", prose: Callable[[str], str] = visible) -> str:
    """Return the prompt, the settings and the whole turn as it is now, with control characters visible.

    `prose` makes the model's Markdown safe to print.
    """
    texts = ((block, cut(block_text(block) or _open_text(block))) for block in transcript.blocks)
    blocks = [prose(text) if isinstance(block, TextBlock) else visible(text) for block, text in texts if text]
    above = [_quoted(cut(prompt)), *([f"[{asked_with}]"] if asked_with else [])]
    return "\n\n".join([*map(visible, above), *blocks, visible(closing_text(transcript))])


def block_text(block: Block, *, with_call: bool = True) -> str:
    """Return the text of a block that is final or can only grow.

    A terminal cannot change printed text. So the text of a tool call is empty until the call has ended, that of a
    structured answer until it is given, and the text of reasoning and questions is always empty. `with_call` is False
    for a call whose arguments were printed before.
    """
    match block:
        case TextBlock():
            return block.text
        case ValueBlock() if block.given:
            return value_text(block.value)
        case ToolBlock() if block.outcome:
            work = work_text(block.work) if block.work is not None else ""
            details = [written(block.args) if with_call else "", work, block.content]
            return "\n".join([tool_line(block), *(indented(detail) for detail in details if detail.strip())])
        case MessageBlock():
            return _quoted(block.text)
        case SummaryBlock():
            return "\n".join([summary_line(block), *(f"    {line}" for line in block.text.splitlines())])
        case _:
            return ""


def work_text(work: Transcript) -> str:
    """Return in lines what a sub-agent has done for a call. What it has said at its end is the result of the call."""
    calls = [tool_line(call) for call in work.all_calls]
    said = [work.text] if work.text and work.status != "completed" else []
    return "\n".join([*calls, *said, *(f"⚠ {text}" for text in work.warnings), f"— {work_footer(work)}"])


def _open_text(block: Block) -> str:
    """Return the text of a block that may still change: a running call, or a server's question."""
    match block:
        case ToolBlock():
            call = written(block.args)
            return "\n".join([tool_line(block), *([indented(call)] if call else [])])
        case QuestionBlock():
            return question_line(block)
        case _:
            return ""


def closing_text(transcript: Transcript) -> str:
    """Return the lines below an answer: warnings, how it ended, that it is a plan, notes, values and the footer."""
    notes = [f"⚠ {text}" for text in transcript.warnings]
    where = [transcript.remark, plan_line(transcript), notes_line(transcript), values_line(transcript)]
    return "\n".join(filter(None, [*notes, ending(transcript), *where, f"— {footer(transcript)}"]))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def indented(text: str) -> str:
    """Return an excerpt of a text with a margin, which sets what a call does apart from the answer."""
    return "\n".join(f"    {line}" for line in excerpt(text, EXCERPT_LINES).split("\n"))
