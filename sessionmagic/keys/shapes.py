"""Keys that have the shape of a provider's keys, found by the rules of Kingfisher, a secret scanner of MongoDB.

Kingfisher is loaded when the first text comes that may contain such a key. That takes half a second, and several
seconds once on each machine, where it then keeps its compiled rules in the user's cache.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = re.compile(r"[\w+/=.-]{20,}+", re.ASCII)
"""A run of characters as long as a key."""
_DIGIT, _LETTER, _LOWER, _UPPER = map(re.compile, (r"\d", "[A-Za-z]", "[a-z]", "[A-Z]"))
_NAME = re.compile(r"[a-z]*(?:[A-Z][a-z]{2,})*(?:[_./=+-]+[a-z]*(?:[A-Z][a-z]{2,})*)*")
"""Words, as in the name of a variable or a class. Random letters are not like that."""
_PART = (
    r"(?>(?:[A-Za-z][a-z]{0,11}|[A-Za-z][a-z]{0,7}\d{1,2}|v?\d{1,4}(?:[A-Za-z]\d?)?|20[12]\d[01]\d[0-3]\d)"
    r"(?![A-Za-z0-9]))"
)
_VERSIONED = re.compile(rf"(?!xox|xapp){_PART}(?:[-./_]{_PART})++", re.ASCII)
"""Words, each with a small number at most, versions and dates, as in the name of a model: ``gpt-4o-mini-2024-07-18``.

Keys are not like that, except for Slack's: they have longer parts. The name of a model stands in every turn, and must
not load the scanner.
"""
_OF_ANY_LENGTH = re.compile(
    r"(?<![\w-])(?:sk-(?:[a-z0-9]{2,8}-){0,3}(?=[A-Za-z]{0,30}\d)[A-Za-z0-9]{16}[\w-]*|A[KS]IA[A-Z2-7]{16}(?!\w))",
    re.ASCII,
)
"""Keys that Kingfisher does not report: the ``sk-`` keys of gateways have any length, and the id of an AWS key is half
of one."""
_PEM = "-----BEGIN "
_PEM_KEY = re.compile(
    r"""
    -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----
    (?:(?:\s|\\+[nr])*[\w-]{3,20}:\ [^\n\\]{0,80})*
    (?:(?:\s|\\+[nr])*[A-Za-z0-9+/=]{30,})+
    (?:(?:\s|\\+[nr])*[A-Za-z0-9+/=]*(?:(?:\s|\\+[nr])*-----END\ [A-Z ]{0,40}-----|\Z))?
    | (?:[A-Za-z0-9+/=]{30,}(?:\s|\\+[nr])+)+(?:[A-Za-z0-9+/=]+(?:\s|\\+[nr])+)?
      -----END\ [A-Z ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----
    """,
    re.VERBOSE,
)
"""A private key, also its beginning or its end: Kingfisher does not find it where a long text was cut."""
_BESIDE = re.compile(
    r"\x1b\[[\d;]*m|\\+[nrt]|[^\w+/=.:~-]|(?<!\w)[/:_-]+|[.:/](?!\w)|_+(?![\w=-])|(?<![^\W_])_+", re.ASCII
)
"""What may stand beside a key: punctuation of any language, Markdown, colours, escaped ends of lines.

Kingfisher's rules are made for code, and expect a space or a quote.
"""


def may_contain_keys(text: str) -> bool:
    """Return whether a text has something that is as long and as mixed as a key."""
    return any(_is_mixed(run[0]) for run in _RUN.finditer(text)) or _PEM in text


def keys_in(text: str) -> Iterator[str]:
    """Yield the keys in a text, each as it is written there."""
    if not may_contain_keys(text):
        return
    spaced = _BESIDE.sub(_spaces, text)
    for variant in {text, spaced, spaced.replace("/", " ")}:
        yield from (key for key in _OF_ANY_LENGTH.findall(variant) if key in text)
        for finding in scanner().scan(variant.encode(errors="replace")):
            # Kingfisher also reports passwords in addresses. They may be ordinary words, such as "pass", which must
            # stay where they stand elsewhere in the text; `assigned` finds these passwords by their place.
            if finding.visible and may_contain_keys(key := str(finding.secret)) and key in text:
                yield key
    if "PRIVATE KEY" in text:
        yield from (found[0] for found in _PEM_KEY.finditer(text))


def _spaces(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _is_mixed(run: str) -> bool:
    """Return whether a run has digits and letters, or small and capital letters, other than those of names."""
    if _DIGIT.search(run):
        return _LETTER.search(run) is not None and not _VERSIONED.fullmatch(run)
    return _UPPER.search(run) is not None and _LOWER.search(run) is not None and not _NAME.fullmatch(run)


def is_loaded() -> bool:
    """Return whether the scanner is loaded."""
    return scanner.cache_info().currsize > 0


@cache
def scanner() -> Any:
    """Return Kingfisher's scanner. The first call takes a while. In Pyodide, which has none, it finds nothing."""
    if sys.platform == "emscripten":
        return _NoScanner()
    from kingfisher_sdk import Scanner

    return Scanner(base64=False)


class _NoScanner:
    def scan(self, _text: bytes) -> list[Any]:
        """Return what was found."""
        return []
