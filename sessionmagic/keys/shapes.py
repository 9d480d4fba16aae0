"""Keys that have the shape of a provider's keys, found by the rules of Kingfisher, a secret scanner of MongoDB.

Kingfisher is loaded when the first text comes that may contain such a key. That takes half a second, and several
seconds once on each machine, where it then keeps its compiled rules in the user's cache.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = re.compile(r"[\w+/=.-]{20,}+", re.ASCII)
"""A run of characters as long as a key."""
_DIGIT, _LETTER, _LOWER, _UPPER = map(re.compile, (r"\d", "[A-Za-z]", "[a-z]", "[A-Z]"))
_OF_ANY_LENGTH = re.compile(
    r"(?<![\w-])(?:sk-(?:[a-z0-9]{2,8}-){0,3}(?=[A-Za-z]{0,30}\d)[A-Za-z0-9]{16}[\w-]*|A[KS]IA[A-Z2-7]{16}(?!\w))"
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
    """,
    re.VERBOSE,
)
"""A private key, also one without its end: Kingfisher does not find it where a long text was cut."""
_PUNCTUATION = str.maketrans(",()*|", "     ")
"""What may stand beside a key in a sentence. Kingfisher's rules are made for code, and expect a space or a quote."""
_FULL_STOP = re.compile(r"\.(?=\s|$)")


def may_contain_keys(text: str) -> bool:
    """Return whether a text has something that is as long and as mixed as a key."""
    return any(_is_mixed(run[0]) for run in _RUN.finditer(text)) or _PEM in text


def keys_in(text: str) -> Iterator[str]:
    """Yield the keys in a text, each as it is written there."""
    if not may_contain_keys(text):
        return
    yield from _OF_ANY_LENGTH.findall(text)
    spaced = _FULL_STOP.sub(" ", text.translate(_PUNCTUATION))
    for variant in {text, spaced}:
        for finding in scanner().scan(variant.encode(errors="replace")):
            # Kingfisher also reports passwords in addresses. They may be ordinary words, such as "pass", which must
            # stay where they stand elsewhere in the text; `assigned` finds these passwords by their place.
            if finding.visible and may_contain_keys(key := str(finding.secret)) and key in text:
                yield key
    yield from (found[0] for found in _PEM_KEY.finditer(text))


def _is_mixed(run: str) -> bool:
    """Return whether a run has a digit and a letter, or small and capital letters."""
    if _DIGIT.search(run):
        return _LETTER.search(run) is not None
    return _UPPER.search(run) is not None and _LOWER.search(run) is not None


def needs_scanner(text: str) -> bool:
    """Return whether `keys_in` would have to load the scanner for a text."""
    return not scanner.cache_info().currsize and may_contain_keys(text)


@cache
def scanner() -> Any:
    """Return Kingfisher's scanner. The first call takes a while."""
    from kingfisher_sdk import Scanner

    return Scanner(base64=False)
