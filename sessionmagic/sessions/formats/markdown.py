"""A session as Markdown: the turns on the path to the head, for people to read."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, assert_never

from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import (
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    ValueBlock,
)
from sessionmagic.sessions.formats.contents import attached_to, file_note
from sessionmagic.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it import MarkdownIt

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.transcript import Block
    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = frozenset({"summaries", "sub-agents", "reasoning", "texts", "calls", "values", "endings"})
LONGEST = 200_000
"""Characters of an answer; a longer one is written as code, because to parse it may take too long."""
ROUNDS = 5
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def to_markdown(session: Session) -> str:
    """Return a session as Markdown. HTML and images in answers are shown as text, so that nothing is loaded or run."""
    parts = [f"# {heading(session.title or session.name)}"]
    for turn in session.path():
        parts += _turn(session, turn)
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def heading(text: str) -> str:
    """Return a text on one line without markup, for a heading."""
    return re.sub(r"[\\`*_{}\[\]<>#&!|~$]", r"\\\g<0>", printable(" ".join(text.split())))


def _turn(session: Session, turn: TurnRecord) -> Iterator[str]:
    transcript = transcript_of(session.name, turn, session.turns)
    yield f"## Turn {turn.id}"
    if turn.kind == "compaction":
        yield f"*Summary of the turns up to {heading(turn.covers or '')}*"
    yield fenced(turn.prompt)
    for item in attached_to(turn):
        yield fenced(item if isinstance(item, str) else file_note(item))
    yield f"**{heading(transcript.model)}**"
    for block in transcript.blocks:
        yield from _block(block)
    if turn.status != "completed":
        yield f"*{turn.status}{f': {heading(transcript.error)}' if transcript.error else ''}*"
    for warning in transcript.warnings:
        yield f"⚠ {heading(warning)}"


def _block(block: Block) -> Iterator[str]:
    match block:
        case TextBlock():
            yield without_html(block.text)
        case ValueBlock():
            yield fenced(block.text, "json")
        case ReasoningBlock():
            yield "<details><summary>Reasoning</summary>"
            yield without_html(block.text)
            yield "</details>"
        case ToolBlock():
            yield from _call(block)
        case MessageBlock() | SummaryBlock():
            yield fenced(block.text)
        case QuestionBlock():  # pragma: no cover  they are not stored
            yield fenced(block.message)
        case _:
            assert_never(block)


def _call(block: ToolBlock) -> Iterator[str]:
    yield f"Call of **{heading(block.tool)}**{'' if block.outcome == 'success' else f' ({block.outcome})'}"
    code = block.args.get("code")
    rest = {name: value for name, value in block.args.items() if name != "code" or not isinstance(code, str)}
    if isinstance(code, str):
        yield fenced(code, "python")
    if rest:
        yield fenced(json.dumps(rest, ensure_ascii=False, indent=2), "json")
    if block.work is not None:
        yield f"<details><summary>Work of {heading(block.work.agent)}, turn {block.work.turn_id}</summary>"
        for each in block.work.blocks:
            yield from _block(each)
        yield "</details>"
    if block.content:
        yield fenced(block.content)


def fenced(text: str, language: str = "") -> str:
    """Return a text as a code block, with a fence that is longer than all fences in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def without_html(text: str) -> str:
    """Return Markdown in which HTML is shown as text, and images as links.

    A CommonMark parser finds them, as only it knows what is code. Where it finds any, the whole block is escaped.
    """
    if len(text) > LONGEST:
        return fenced(text)
    lines = text.splitlines()
    for _ in range(ROUNDS):  # what is escaped may change what comes after it
        found = _blocks_with_html(lines)
        if not found:
            return "\n".join([*lines, *_closing_fence(lines)])
        for start, end in found:
            lines[start:end] = map(_escaped, lines[start:end])
    return fenced(text)


def _blocks_with_html(lines: list[str]) -> list[tuple[int, int]]:
    """Return the first and the last line of each block that has HTML or an image."""
    return [
        (token.map[0], token.map[1])
        for token in _parser().parse("\n".join(lines))
        if token.map
        and (token.type == "html_block" or {each.type for each in token.children or ()} & {"html_inline", "image"})
    ]


def _closing_fence(lines: list[str]) -> list[str]:
    """Return the line that closes a code block at the end, which would otherwise take in what follows."""
    tokens = _parser().parse("\n".join([*lines, "", "end"]))
    return [tokens[-1].markup] if tokens[-1].type == "fence" else []


def _escaped(line: str) -> str:
    return _TAG.sub("&lt;", line).replace("![", "&#33;[")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])
