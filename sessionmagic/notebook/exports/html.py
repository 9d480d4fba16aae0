"""A session as one HTML page that loads nothing: the turns on the path to the head, as they are shown under cells."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.conversation.comparison import shown_turn
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import QuestionBlock, ToolBlock
from sessionmagic.notebook.excerpts import TEXT_LIMIT
from sessionmagic.notebook.page.answer import (
    NO_MATH,
    blocks_html,
    ending_html,
    footer_html,
    note_html,
    user_text_html,
)
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape, one_line
from sessionmagic.sessions.formats.contents import attached_to, file_note, is_image, items_of
from sessionmagic.sessions.usage import day_of
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = frozenset(
    {"summaries", "reasoning", "texts", "images", "calls", "values", "instructions", "settings", "usage", "endings"}
)
TITLE_LENGTH = 200
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #ccc; --jp-border-color2: var(--line); --jp-ui-font-color2: #666;
  --jp-code-font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) { :root { --line: #555; --jp-ui-font-color2: #aaa; --jp-warn-color0: #f90; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
pre, code { font: 14px/1.4 ui-monospace, monospace; }
hr { border: 0; border-top: 1px solid var(--line); margin: 2rem 0 1rem; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: 0.2em 0.5em; }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 0.8em; }
img { max-width: 100%; }
"""


def to_html(session: Session) -> str:
    """Return a session as an HTML page. Answers are cleaned as under a cell, and the page forbids scripts."""
    title = escape(one_line(session.title or session.name, TITLE_LENGTH))
    turns = "".join(part for turn in session.path() for part in _turn(session, turn))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n<style>{_STYLE}</style>\n'
        f"</head>\n<body>\n<h1>{title}</h1>\n{note_html(_about(session))}\n{turns}</body>\n</html>\n"
    )


def cut_in_html(session: Session) -> list[str]:
    """Return in words how many texts are cut, as front ends are slow with long ones."""
    texts = [
        block.content if isinstance(block, ToolBlock) else block.text
        for turn in session.path()
        for block in transcript_of(session.name, turn, session.turns).blocks
        if not isinstance(block, QuestionBlock)
    ]
    count = sum(len(text) > TEXT_LIMIT for text in [*texts, *(turn.prompt for turn in session.path())])
    return [f"the ends of {counted(count, 'text')}, after {TEXT_LIMIT:,} characters each"] if count else []


def _about(session: Session) -> str:
    """Return the session's name, the number of its turns on the page, and the days on which they were asked."""
    path = session.path()
    days = sorted({day_of(turn) for turn in path} - {""})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    return " · ".join(filter(None, [session.name, counted(len(path), "turn"), when]))


def _turn(session: Session, turn: TurnRecord) -> Iterator[str]:
    yield f"<section>\n<hr>\n{user_text_html(turn.prompt)}"
    for item in attached_to(turn):
        yield user_text_html(item) if isinstance(item, str) else _file_html(item)
    if settings := shown_turn(turn).settings:
        yield note_html(" ".join(f"{name}={json.dumps(value)}" for name, value in settings.items()))
    if turn.system:
        yield f"<details><summary>Instructions</summary>{user_text_html(turn.system)}</details>"
    # The notes are for the cell that asked: its session was new, or its turn took the place of another.
    transcript = transcript_of(session.name, replace(turn, notes=[]), session.turns)
    yield framed(blocks_html(transcript.blocks))
    yield from map(_file_html, _beside_results(turn))
    yield framed(ending_html(transcript) + footer_html(transcript))
    yield "\n</section>\n"


def _beside_results(turn: TurnRecord) -> list[dict[str, Any]]:
    """Return the images and files that the model got with the results of its calls."""
    prompts = [part for message in turn.messages for part in message["parts"] if part["part_kind"] == "user-prompt"]
    return [item for part in prompts[1:] for item in items_of(part["content"]) if isinstance(item, dict)]


def _file_html(item: dict[str, Any]) -> str:
    """Return an image as a part of the page, and a note for any other file."""
    media_type, data = item.get("media_type"), _decoded(item) if is_image(item) else b""
    start = IMAGE_STARTS.get(str(media_type))
    if start and data.startswith(start):
        return f'<p><img alt="" src="data:{media_type};base64,{base64.b64encode(data).decode()}"></p>'
    return f"<p {NO_MATH}>{escape(file_note(item))}</p>"


def _decoded(item: dict[str, Any]) -> bytes:
    try:
        return base64.urlsafe_b64decode(item["data"].replace("+", "-").replace("/", "_"))
    except (ValueError, binascii.Error):
        return b""
