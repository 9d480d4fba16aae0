"""Make untrusted text safe to display by showing its control characters."""

from __future__ import annotations

import html
import re

from sessionmagic.words import shortened

_INVISIBLE = re.compile("\r\n|[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return `text` with a visible character in place of each control and bidi character; CRLF becomes a newline."""
    return _INVISIBLE.sub(_visible_form, text)


def one_line(text: str, length: int) -> str:
    """Return `text` on one line of at most `length` characters, with its control characters visible."""
    line = visible(" ".join(text.split()))
    return shortened(line, length)


def escape(text: str) -> str:
    """Return `text` as HTML that also fits in an attribute, for names, titles and error texts.

    MathJax would still typeset a formula in it. Put it in ``<code>`` or ``<pre>``, or in an element with the classes
    ``mathjax_ignore tex2jax_ignore``.
    """
    return html.escape(visible(text))


def _visible_form(match: re.Match[str]) -> str:
    match match[0]:
        case "\r\n":
            return "\n"
        case "\x7f":
            return "\u2421"
        case char if char < " ":
            return chr(0x2400 + ord(char))
        case char if "\ud800" <= char <= "\udfff":
            return "\ufffd"
        case char:
            return f"\u27e8U+{ord(char):04X}\u27e9"
