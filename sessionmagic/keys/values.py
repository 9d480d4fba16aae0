"""What values look like: secrets, placeholders of secrets, and names of other things."""

from __future__ import annotations

import re

_READ = 80
"""Characters of a value that are compared with placeholders and names."""
_PLACEHOLDER = re.compile(
    r"""
    (?:your|enter|insert|change|replace|example|dummy|placeholder|required|optional|string|none|null|true|false
      |undefined|hidden|redacted|masked|missing|invalid|incorrect|unknown|encrypted|hashed|text|object|category|bytes
      |(?:var)?char|bool(?:ean)?|(?:u?int|float)\d*|integer) (?![a-z]) .*
    | my(?![a-z])\D* | [a-z_.-]*passw(?:or)?d[a-z_.-]*\d?
    | .*\.\.\..* | .*….* | (.)\1* | [$%{<].*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""The name of an environment variable, where a value is expected."""
_PATH = re.compile(r"(?:~|\.{0,2}/|[A-Za-z]:[/\\]).*|[\w./ -]+\.(?:json|ya?ml|toml|txt|pem|key|crt|csv|ini|env|py)")
_WORDS = (
    r"(?:[a-z]*|[A-Z]{2,6}(?![a-z]))(?:[A-Z][a-z]+|[A-Z]{2,6}(?=[A-Z][a-z]|[\d_./:=-]|$)|\d{1,5}(?=[A-Z_./:=-]|$))*"
)
_NAME = re.compile(rf"{_WORDS}(?:[_./:=-]{{1,2}}{_WORDS})*+")
"""Words, each with a number behind it at most: ``Ed25519PrivateKey``, ``column_A1``, ``iPhone15``, ``a.b2``."""
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_TECHNICAL = re.compile(r"(?:sha|md|utf|base|aes|rsa|iso|http|ascii)[-_]?\d|https?:", re.IGNORECASE)
_LETTER, _SMALL, _CAPITAL, _DIGIT = map(re.compile, ("[A-Za-z]", "[a-z]", "[A-Z]", "[0-9]"))
_DIGIT_OR_SIGN = re.compile(r"[0-9!@#%^*+=~]")
_PASSWORD_LENGTH, _KEY_LENGTH, _LONG = 4, 8, 20


def is_placeholder(value: str) -> bool:
    """Return whether a value stands for a secret, as in an example, or is a word that says something about it."""
    return _PLACEHOLDER.fullmatch(value[:_READ]) is not None or _CONSTANT.fullmatch(value[:_READ]) is not None


def is_plausible_password(value: str) -> bool:
    """Return whether a value may be a password."""
    return len(value) >= _PASSWORD_LENGTH and not value.startswith(("/", "~")) and not is_placeholder(value)


def is_plausible_key(value: str) -> bool:
    """Return whether a value may be a key: letters with digits, or a long mixture of letters."""
    if len(value) < _KEY_LENGTH or not _LETTER.search(value) or is_placeholder(value) or _PATH.fullmatch(value):
        return False
    return _DIGIT.search(value) is not None or (len(value) >= _LONG and _has_mixed_case(value) and not is_name(value))


def is_name(value: str) -> bool:
    """Return whether a value is made of words, as the names of variables, types, models and files are."""
    return any(pattern.fullmatch(value[:_READ]) for pattern in (_NAME, _ATTRIBUTE))


def is_value(value: str, *, numbered: bool = False) -> bool:
    """Return whether a word without quotes is a value, rather than a variable, a type or a word of a sentence.

    Args:
        value: The word.
        numbered: Whether a value must have a digit.
    """
    value = value.rstrip(":.")
    if not _LETTER.search(value) or _ATTRIBUTE.fullmatch(value) or (numbered and _TECHNICAL.match(value)):
        return False
    return bool(_DIGIT.search(value) if numbered else _DIGIT_OR_SIGN.search(value) or _has_mixed_case(value))


def _has_mixed_case(value: str) -> bool:
    """Return whether a value has small and capital letters, other than a word at the beginning of a sentence."""
    return bool(_SMALL.search(value) and _CAPITAL.search(value, 1))
