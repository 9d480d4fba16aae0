"""The message in the body of an error, which each server writes in its own form."""

from __future__ import annotations

import re

PAGE = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
"""The beginning of an HTML page."""
TITLE = re.compile(r"<title[^>]*>([^<]*)</title>", re.IGNORECASE)
FIELDS = ("message", "error", "detail", "msg")
"""Fields that hold the message, or an object or a list with it."""


def message_in(body: object) -> str | None:
    """Return the message in the body of an error; None if there is none."""
    match body:
        case str():
            title = TITLE.search(body)
            return (title[1] if title else "a web page") if PAGE.match(body) else body.strip()
        case [first, *_]:
            return message_in(first)
        case dict():
            return next((found for field in FIELDS if (found := message_in(body.get(field)))), None)
        case _:
            return None
