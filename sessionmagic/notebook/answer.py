"""One turn as it is shown, live and saved: the same renderer for every surface."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, assert_never

from sessionmagic.notebook.rendering import render_markdown
from sessionmagic.notebook.visible import escape, visible
from sessionmagic.transcript import MessageBlock, ReasoningBlock, TextBlock, ToolBlock

if TYPE_CHECKING:
    from sessionmagic.transcript import Block, Transcript

TEXT_LIMIT = 400_000
"""Characters of an answer that a page shows. Front ends choke on more; the session keeps them all."""
HTML_LIMIT = 800_000
"""Past that, an answer is shown as plain text: a server drops outputs that come too fast."""

MUTED = "color: var(--jp-ui-font-color2, #767676)"
WARNING = "color: var(--jp-warn-color0, #b26a00)"
NO_MATH = 'class="mathjax_ignore tex2jax_ignore"'
"""For elements with text of others that is no Markdown: no formula in it is to be typeset."""
ENDINGS = {"interrupted": "interrupted", "failed": "failed", "limit": "stopped at a limit"}


def answer_html(transcript: Transcript) -> str:
    """Return the whole turn as a safe HTML fragment, readable without styles."""
    blocks = "".join(_block_html(block) for block in transcript.blocks)
    notes = "".join(f'<p {NO_MATH} style="{WARNING}">⚠ {escape(text)}</p>' for text in transcript.warnings)
    return f"<div>{blocks}{notes}{ending_html(transcript)}{footer_html(transcript)}</div>"


def answer_text(transcript: Transcript) -> str:
    """Return the answer's Markdown, harmless in a terminal, cut to what a page shows."""
    return visible(cut(transcript.text))


def _block_html(block: Block) -> str:
    match block:
        case TextBlock():
            return text_html(block.text)
        case ReasoningBlock():
            return f"<details><summary>Reasoning</summary><blockquote>{text_html(block.text)}</blockquote></details>"
        case ToolBlock():
            head = f"{block.tool}: {block.outcome or 'no result'}"
            result = escape(cut(block.content))
            return f"<details {NO_MATH}><summary>{escape(head)}</summary><pre>{result}</pre></details>"
        case MessageBlock():
            return f"<blockquote>{text_html(block.text)}</blockquote>"
        case _:
            assert_never(block)


def text_html(text: str) -> str:
    """Return an answer's text as safe HTML."""
    html = render_markdown(cut(text))
    return html if len(html) <= HTML_LIMIT else f"<pre>{escape(cut(text))}</pre>"


def cut(text: str) -> str:
    """Cut a text to what a page shows, and say so."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}\n\n[{len(text) - TEXT_LIMIT:,} more characters are not shown here]"


def ending_html(transcript: Transcript) -> str:
    """Return a line that says how a turn ended that did not end well."""
    line = ending(transcript)
    return f'<p {NO_MATH} style="{WARNING}">{escape(line)}</p>' if line else ""


def ending(transcript: Transcript) -> str:
    """Say how a turn ended, when it was not completed."""
    word = ENDINGS.get(transcript.status)
    if word is None:
        return ""
    return f"■ {word}: {transcript.error}" if transcript.error else f"■ {word}"


def footer_html(transcript: Transcript) -> str:
    """Return the footer as a muted line."""
    return f'<p {NO_MATH} style="{MUTED}"><small>{escape(footer(transcript))}</small></p>'


def footer(transcript: Transcript) -> str:
    """Name session, turn, the model that answered, tokens in and out, cost, and time."""
    usage = transcript.usage
    parts = [transcript.session, f"turn {transcript.turn_id}" if transcript.turn_id else "", transcript.model]
    if usage is not None:
        parts.append(f"{usage.input_tokens:,} → {usage.output_tokens:,} tokens")
    parts.append("unpriced" if usage is None or usage.cost is None else f"${usage.cost:.4f}")
    if transcript.started_at and transcript.finished_at:
        parts.append(f"{transcript.finished_at - transcript.started_at:.1f} s")
    return " · ".join(part for part in parts if part)


def status_line(transcript: Transcript, session: str, model: str, opened_at: float) -> str:
    """Say what a running turn is doing: session, model, elapsed time, tokens so far (about, until counted)."""
    parts = [transcript.session or session, transcript.model or model, f"{time.time() - opened_at:.0f} s"]
    if transcript.usage is not None:
        parts.append(f"{transcript.usage.output_tokens:,} tokens")
    elif characters := sum(len(b.text) for b in transcript.blocks if not isinstance(b, ToolBlock)):
        parts.append(f"~{characters // 4:,} tokens")
    elif transcript.turn_id:
        parts.append("waiting for the model")
    else:
        parts.append("starting")
    return " · ".join(part for part in parts if part)


def metadata(transcript: Transcript) -> dict[str, object]:
    """Return what a program that reads the saved notebook wants to know of the answer."""
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
