"""A turn as HTML: the pieces that the running area and the saved answer both show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from sessionmagic.conversation.transcript import (
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    ValueBlock,
)
from sessionmagic.conversation.value import so_far, table_of, value_text
from sessionmagic.notebook.captions import (
    code_and_rest,
    ending,
    footer_lines,
    question_line,
    summary_line,
    tool_line,
    work_footer,
)
from sessionmagic.notebook.excerpts import cut, last_lines
from sessionmagic.notebook.page.alignment import sides
from sessionmagic.notebook.page.rendering import render_code, render_markdown
from sessionmagic.notebook.page.wide import BREAKS, LIKE_TEXT, SCROLLS, framed, scrolling_table
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionmagic.conversation.transcript import Block, Transcript

HTML_LIMIT = 800_000
"""Characters of HTML above which a text is shown without markup: Jupyter drops output that arrives too fast."""

MUTED = "color: var(--jp-ui-font-color2, #767676)"
WARNING = "color: var(--jp-warn-color0, #b26a00)"
SMALL = "font-size: 85%"
"""Not ``<small>``, which slides of reveal.js show half as large."""
NO_MATH = 'class="mathjax_ignore tex2jax_ignore"'
"""Attribute for elements that hold foreign text other than Markdown. MathJax does not typeset formulas in them."""
OPENED = "border-left: 3px solid var(--jp-border-color2, #ccc); padding-left: 0.8em; margin: 0.3em 0 0.6em 0.3em"
MONOSPACE = "font-family: var(--jp-code-font-family, monospace)"
"""For ``<pre>``, which is not monospaced on nbconvert's pages."""
RESULT = f"white-space: pre-wrap; word-break: normal; {BREAKS}; {LIKE_TEXT}; {MONOSPACE}"
CELL = "white-space: pre-wrap; vertical-align: top"
"""Keeps the lines of a cell apart."""
CODE = f"white-space: pre; {SCROLLS}; {LIKE_TEXT}; {MONOSPACE}; margin: 0 0 0.6em"
WHOLE_CODE = f"{RESULT}; margin: 0 0 0.6em"
PRINTED_LINES = 12
"""Lines at the end of what a running call has printed that are shown."""


def answer_html(transcript: Transcript) -> str:
    """Return the whole turn as a safe HTML fragment, readable without style sheets."""
    return framed(f"{blocks_html(transcript.blocks)}{ending_html(transcript)}{footer_html(transcript)}")


def blocks_html(blocks: Iterable[Block]) -> str:
    """Return blocks of a turn as HTML."""
    return "".join(map(_block_html, blocks))


def _block_html(block: Block) -> str:
    match block:
        case TextBlock():
            return text_html(block.text)
        case ReasoningBlock():
            return f"<details><summary>Reasoning</summary><blockquote>{text_html(block.text)}</blockquote></details>"
        case ValueBlock():
            return value_html(block)
        case ToolBlock():
            return tool_html(block)
        case MessageBlock():
            return user_text_html(block.text)
        case QuestionBlock():
            return question_html(block)
        case SummaryBlock():
            return summary_html(block)
        case _:
            assert_never(block)


def value_html(block: ValueBlock) -> str:
    """Return a structured answer as a table, or as text if it is a single value. One that is being written grows."""
    value = block.value if block.given else so_far(block.text)
    table = table_of(value)
    if table is None:
        text = value_text(value) if block.given else "writing …" if value is None else value_text(value)
        return f'<p {NO_MATH} style="white-space: pre-wrap">{escape(cut(text))}</p>'
    styles = [f'style="text-align: {side}; {CELL}"' for side in sides(table.rows, len(table.headings))]
    head = "".join(f"<th {style}>{escape(cell)}</th>" for style, cell in zip(styles, table.headings, strict=True))
    rows = "".join(
        f"<tr>{''.join(f'<td {style}>{escape(cell)}</td>' for style, cell in zip(styles, row, strict=True))}</tr>"
        for row in table.rows
    )
    head = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>" if table.rows else ""
    shown = scrolling_table(head, NO_MATH) if head else ""
    return shown + (note_html(*table.notes) if table.notes and block.given else "")


def text_html(text: str) -> str:
    """Return the model's Markdown text as safe HTML."""
    html = render_markdown(cut(text))
    return html if len(html) <= HTML_LIMIT else f'<pre style="{RESULT}">{escape(cut(text))}</pre>'


def user_text_html(text: str) -> str:
    """Return the user's text as typed, not as Markdown."""
    return f'<blockquote><pre style="{RESULT}">{escape(cut(text))}</pre></blockquote>'


def question_html(block: QuestionBlock) -> str:
    """Return a server's question and its state."""
    return f'<p {NO_MATH} style="white-space: pre-wrap">{escape(question_line(block))}</p>'


def summary_html(block: SummaryBlock) -> str:
    """Return a summary as a row that opens to its text, word by word. Without a text, it is a muted line."""
    if not block.text:
        return note_html(summary_line(block))
    text = f'<pre {NO_MATH} style="{RESULT}">{escape(cut(block.text))}</pre>'
    line = f"<summary {NO_MATH}>{escape(summary_line(block))}</summary>"
    return f'<details>{line}<div style="{OPENED}">{text}</div></details>'


def tool_html(block: ToolBlock) -> str:
    """Return a tool call as a row that opens to its arguments and its result."""
    said = block.work is not None and block.work.text.endswith(block.content)
    content = "" if said else block.content  # the answer of a sub-agent stands at the end of its work
    result = f'<pre {NO_MATH} style="{RESULT}">{escape(cut(content))}</pre>' if content else ""
    work = work_html(block.work) if block.work is not None else ""
    opened = f'<div style="{OPENED}">{call_html(block.args)}{work}{result}</div>'
    row = f"<details><summary {NO_MATH}>{escape(tool_line(block))}</summary>{opened}</details>"
    return f"{row}{printed_html(block)}"


def work_html(work: Transcript) -> str:
    """Return what a sub-agent has said and done for a call."""
    footer = note_html(work_footer(work)) if work.status != "running" else ""
    return f"{blocks_html(work.blocks)}{ending_html(work)}{footer}"


def printed_html(block: ToolBlock) -> str:
    """Return the last lines that a running call has printed; empty if there are none."""
    if not block.printed:
        return ""
    return f'<pre {NO_MATH} style="{RESULT}; {OPENED}">{escape(last_lines(block.printed, PRINTED_LINES))}</pre>'


def call_html(args: Mapping[str, Any], *, asked: bool = False, preview: str = "") -> str:
    """Return all arguments of a call: the code with colours, then the others as JSON; and what the call would do.

    Args:
        args: The arguments.
        asked: Whether the user decides on the call. Then long lines of code are broken, so that all of it is seen.
        preview: What the call would do, where the tool can say it.
    """
    code, rest = code_and_rest(args)
    shown = _code_html(code, "python", WHOLE_CODE if asked else CODE) if code else ""
    shown += _code_html(rest, "json", WHOLE_CODE) if rest else ""
    return shown + (_code_html(preview, "diff", WHOLE_CODE) if preview else "")


def _code_html(code: str, language: str, style: str) -> str:
    html = render_code(cut(code).strip("\n"), language)
    return f'<pre {NO_MATH} style="{style}">{html if len(html) <= HTML_LIMIT else escape(cut(code))}</pre>'


def warning_html(text: str) -> str:
    """Return a warning as a safe line."""
    return f'<span {NO_MATH} style="{WARNING}">⚠ {escape(text)}</span>'


def ending_html(transcript: Transcript) -> str:
    """Return the warnings, and how the turn ended if it did not complete; empty for most turns."""
    notes = "".join(f"<p>{warning_html(text)}</p>" for text in transcript.warnings)
    line = ending(transcript)
    return notes + (f'<p {NO_MATH} style="{WARNING}">{escape(line)}</p>' if line else "")


def footer_html(transcript: Transcript) -> str:
    """Return where the turn stands, the expressions whose values the user has sent, and the footer, as muted lines."""
    return note_html(*footer_lines(transcript))


def note_html(*lines: str) -> str:
    """Return lines of text in a muted colour, close together."""
    return f'<p {NO_MATH} style="{MUTED}; {BREAKS}; {SMALL}">{"<br>".join(map(escape, lines))}</p>'
