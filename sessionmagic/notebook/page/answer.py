"""One turn as it is shown, live and saved: the same renderer for every surface."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, assert_never

from sessionmagic.conversation.transcript import MessageBlock, QuestionBlock, ReasoningBlock, TextBlock, ToolBlock
from sessionmagic.notebook.page.rendering import render_code, render_markdown
from sessionmagic.notebook.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.conversation.transcript import Block, Transcript

TEXT_LIMIT = 400_000
"""Characters of an answer that a page shows. Front ends choke on more; the session keeps them all."""
HTML_LIMIT = 800_000
"""Past that, an answer is shown as plain text: a server drops outputs that come too fast."""

MUTED = "color: var(--jp-ui-font-color2, #767676)"
WARNING = "color: var(--jp-warn-color0, #b26a00)"
NO_MATH = 'class="mathjax_ignore tex2jax_ignore"'
"""For elements with text of others that is no Markdown: no formula in it is to be typeset."""
OPENED = "border-left: 3px solid var(--jp-border-color2, #ccc); padding-left: 0.8em; margin: 0.3em 0 0.6em 0.3em"
RESULT = "white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere"
CODE = f"{RESULT}; margin: 0 0 0.6em"
SHORT_SECONDS = 0.1
LINE_LENGTH = 80
EXCERPT_LINES = 12
EXCERPT_WIDTH = 400
"""Lines of a call's arguments, and of its result, that a terminal shows, and their characters."""
NEWLINE = "\n"
OUTCOMES = {
    "success": ("✓", ""),
    "failed": ("✗", "failed"),
    "denied": ("⊘", "not run"),
    "retried": ("✗", "called wrongly"),
    "interrupted": ("■", "interrupted"),
}
"""How a tool call went: a mark, and words where it went otherwise than it should."""
ACTIONS = {
    None: ("?", "waits for your answer"),
    "accept": ("✓", "answered"),
    "decline": ("⊘", "declined"),
    "cancel": ("■", "not answered"),
}
"""What became of a server's question: a mark, and words."""
ENDINGS = {"interrupted": "interrupted", "failed": "failed", "limit": "stopped at a limit"}


def answer_html(transcript: Transcript) -> str:
    """Return the whole turn as a safe HTML fragment, readable without styles."""
    blocks = "".join(_block_html(block) for block in transcript.blocks)
    notes = "".join(f"<p>{warning_html(text)}</p>" for text in transcript.warnings)
    style = 'style="overflow-wrap: break-word"'  # a long address would widen the whole page
    return f"<div {style}>{blocks}{notes}{ending_html(transcript)}{footer_html(transcript)}</div>"


def answer_text(transcript: Transcript) -> str:
    """Return the answer's Markdown, harmless in a terminal, cut to what a page shows; without one, how it ended."""
    return visible(cut(transcript.text) or ending(transcript))


def turn_text(transcript: Transcript, prompt: str) -> str:
    """Return the whole turn as text for a terminal, with what was asked."""
    blocks = filter(None, (block_text(block) or _open_text(block) for block in transcript.blocks))
    return visible("\n\n".join([_quoted(cut(prompt)), *map(cut, blocks), closing_text(transcript)]))


def _open_text(block: Block) -> str:
    """Return what is to be said of a call that has not ended, and of a server's question."""
    match block:
        case ToolBlock():
            call = written(block.args)
            return "\n".join([tool_line(block), *([_indented(call)] if call else [])])
        case QuestionBlock():
            return question_line(block)
        case _:
            return ""


def block_text(block: Block, *, with_call: bool = True) -> str:
    """Return what a block says in a terminal, where what was said stays: of a tool call nothing until it has ended."""
    match block:
        case TextBlock():
            return block.text
        case ToolBlock() if block.outcome:
            details = [written(block.args) if with_call else "", block.content]
            return "\n".join([tool_line(block), *(_indented(detail) for detail in details if detail.strip())])
        case MessageBlock():
            return _quoted(block.text)
        case _:
            return ""


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in excerpt(text, EXCERPT_LINES).split("\n"))


def excerpt(text: str, lines: int) -> str:
    """Return the first lines of a text, none of them very long, and how many more there are."""
    whole = text.rstrip().splitlines()
    shown = [line if len(line) <= EXCERPT_WIDTH else f"{line[:EXCERPT_WIDTH]}…" for line in whole[:lines]]
    more = [f"… {len(whole) - lines:,} more lines"] if len(whole) > lines else []
    return "\n".join([*shown, *more])


def closing_text(transcript: Transcript) -> str:
    """Return what stands below an answer: warnings, how it ended if not well, and the footer."""
    notes = [f"⚠ {text}" for text in transcript.warnings]
    return "\n".join(line for line in [*notes, ending(transcript), f"— {footer(transcript)}"] if line)


def _block_html(block: Block) -> str:
    match block:
        case TextBlock():
            return text_html(block.text)
        case ReasoningBlock():
            return f"<details><summary>Reasoning</summary><blockquote>{text_html(block.text)}</blockquote></details>"
        case ToolBlock():
            return tool_html(block)
        case MessageBlock():
            return said_html(block.text)
        case QuestionBlock():
            return question_html(block)
        case _:
            assert_never(block)


def said_html(text: str) -> str:
    """Return what the user has said, as it was said: it is no Markdown."""
    return f'<blockquote><pre style="white-space:pre-wrap;word-break:normal">{escape(cut(text))}</pre></blockquote>'


def question_html(block: QuestionBlock) -> str:
    """Return what a server asks, and how it was answered."""
    return f'<p {NO_MATH} style="white-space: pre-wrap">{escape(question_line(block))}</p>'


def question_line(block: QuestionBlock) -> str:
    """Say what a server asks, and how it was answered."""
    mark, words = ACTIONS[block.action]
    return f"{mark} {block.server} asks: {cut(block.message)} · {words}"


def tool_html(block: ToolBlock) -> str:
    """Return a tool call as a row that opens to its arguments and its result."""
    result = f'<pre {NO_MATH} style="{RESULT}">{escape(cut(block.content))}</pre>' if block.content else ""
    opened = f'<div style="{OPENED}">{call_html(block.args)}{result}</div>'
    return f"<details><summary {NO_MATH}>{escape(tool_line(block))}</summary>{opened}</details>"


def tool_line(block: ToolBlock) -> str:
    """Say in one line what a tool call is doing, or how it went."""
    if block.outcome is not None:
        mark, words = OUTCOMES[block.outcome]
        took = f" · {_time(block.duration)}" if block.duration is not None else ""
        return f"{mark} {block.tool}{took}{f' · {words}' if words else ''}"
    if block.approval_id:
        return f"? {block.tool} · waits for your answer"
    if block.draft:
        return f"… {block.tool} · {len(block.draft):,} character{'s' if len(block.draft) > 1 else ''}"
    return f"… {block.tool}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= SHORT_SECONDS else f"{max(1, round(seconds * 1000))} ms"


def call_html(args: Mapping[str, Any]) -> str:
    """Return a call's arguments, all of them: code as code, the rest as JSON."""
    code, rest = _parts(args)
    return (_code_html(code, "python") if code else "") + (_code_html(rest, "json") if rest else "")


def written(args: Mapping[str, Any]) -> str:
    """Return a call's arguments as text: code as it is, the rest as JSON."""
    return "\n".join(filter(None, _parts(args)))


def _parts(args: Mapping[str, Any]) -> tuple[str, str]:
    """Return the code among a call's arguments, its lines as Python reads them, and the others as JSON."""
    code = args.get("code")
    if not isinstance(code, str):
        return "", _json(args) if args else ""
    code = code.replace("\r\n", "\n").replace("\r", "\n")  # shown as a character, one would hide code in a comment
    rest = {name: value for name, value in args.items() if name != "code"}
    return code, _json(rest) if rest else ""


def _json(value: object) -> str:
    """Write arguments on one line, or on many when that gets too long."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    return line if len(line) <= LINE_LENGTH else json.dumps(value, ensure_ascii=False, default=str, indent=2)


def _code_html(code: str, language: str) -> str:
    """Return code with its long lines broken, so that none of it is out of sight when somebody says yes to it."""
    html = render_code(cut(code).strip(NEWLINE), language)
    return f'<pre {NO_MATH} style="{CODE}">{html if len(html) <= HTML_LIMIT else escape(cut(code))}</pre>'


def text_html(text: str) -> str:
    """Return an answer's text as safe HTML."""
    html = render_markdown(cut(text))
    return html if len(html) <= HTML_LIMIT else f"<pre>{escape(cut(text))}</pre>"


def cut(text: str) -> str:
    """Cut a text to what a page shows, and say so."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}\n\n[{len(text) - TEXT_LIMIT:,} more characters are not shown here]"


def warning_html(text: str) -> str:
    """Return a warning as a safe line."""
    return f'<span {NO_MATH} style="{WARNING}">⚠ {escape(text)}</span>'


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
        parts.append(_time(transcript.finished_at - transcript.started_at))
    return " · ".join(part for part in parts if part)


def status_line(transcript: Transcript, session: str, model: str, opened_at: float) -> str:
    """Say what a running turn is doing: session, model, elapsed time, tokens so far (about, until counted)."""
    parts = [transcript.session or session, transcript.model or model, f"{time.time() - opened_at:.0f} s"]
    running = [each for each in transcript.blocks if isinstance(each, ToolBlock) and not (each.outcome or each.draft)]
    counted = transcript.usage.output_tokens if transcript.usage else 0
    seen = sum(len(block.text) for block in transcript.blocks if isinstance(block, TextBlock | ReasoningBlock)) // 4
    if counted or seen:
        parts.append(f"~{seen:,} tokens" if seen > counted else f"{counted:,} tokens")
    if transcript.waits_for_an_answer:
        parts.append("waits for your answer")
    elif running:
        parts.append(f"running {running[0].tool}")
    elif not transcript.turn_id:
        parts.append("starting")
    elif not (transcript.blocks and isinstance(transcript.blocks[-1], TextBlock | ReasoningBlock)):
        parts.append("waiting for the model")
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
