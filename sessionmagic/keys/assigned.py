"""Secrets that a text marks as such: after a name like ``api_key``, in an address, in a header, as an option.

Code about keys is left alone: ``os.environ["OPENAI_API_KEY"]``, ``api_key=None``, ``password = getpass()``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Replace = Callable[[str, str], str]
    """Takes a secret and what it is, and returns what stands in its place."""

_WORD = re.compile(r"key|secret|token|passw(?:or)?d|passphrase|pwd|credentials?", re.IGNORECASE | re.ASCII)
"""The last word of the names that secrets have."""
_PASSWORDS = ("passw", "passphrase", "pwd")
_BEFORE_KEY = re.compile(
    r"(?:api|access|secret|private|auth|account|encryption|signing|master|subscription|client|service)[_-]?$",
    re.IGNORECASE,
)
"""What stands before ``key`` in the name of a secret. Other keys are those of tables, rows and dicts."""
_BEFORE_UPPER_KEY = re.compile(r"[A-Z0-9]_$")
_ORDINARY = re.compile(
    r"(?:page|next|continuation|cursor|sync|eos|bos|pad|unk|sep|cls|mask|public|primary|foreign|sort|partition|cache"
    r"|csrf|xsrf|stop|special)[_-]?$",
    re.IGNORECASE,
)
"""What stands before the last word in the names of other things."""
_PREFIX = 24
"""How many characters before the last word of a name are read."""

_QUOTE = r"""\\?["'`]"""
_ASSIGNED = re.compile(
    rf"""
    \d{{0,3}} (?:{_QUOTE})? \]? \s{{0,3}}
    (?: :\s{{0,3}}[A-Za-z_][\w.\[\]]{{0,40}}(?:\s?\|\s?\w+)?\s{{0,3}}=(?!=) | ={{1,3}}>? | :=? | != ) \s{{0,3}}
    (?: [bfru]{{0,2}}{_QUOTE} (?P<quoted>[^\s"'`\\<>{{}}]{{4,300}}+)(?={_QUOTE})
      | (?P<bare>[^\s"'`\\<>{{}}()\[\],;&|$]{{6,200}}+)(?![(\[]) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OPTION = re.compile(r"""[ ]{1,3}(?P<bare>[^\s"'`\\<>{}()\[\],;&|$-][^\s"'`]{5,200})""")
_REST = re.compile(r"""[^\s"'`\\<>{}()\[\],;&|$]*""")
"""The rest of a long value."""
_IS_OPTION = re.compile(r"(?:^|\s)--?[\w.-]*$")
_IN_ADDRESS = re.compile(r"""(://[^\s/:@"'`<>]{0,100}:)([^\s"'`<>@][^\s"'`<>]{0,200})(?=@)""")
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")
_HEADER = re.compile(r"(\b(?:bearer|authorization:\s{0,3}basic)\s{1,3})([\w.~+/=-]{16,})", re.IGNORECASE)

PLACEHOLDER_LENGTH = 80
_PLACEHOLDER = re.compile(
    r"""
    (?:your|my|enter|insert|change|replace|example|dummy|placeholder|required|optional|string|none|null|true|false
      |undefined|hidden|redacted|text) (?![a-z]) .*
    | .*passw(?:or)?d.* | .*\.\.\..* | .*….* | (.)\1* | [$%{<].*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""The name of an environment variable, where a value is expected."""
_IDENTIFIER = re.compile(r"[A-Za-z_]+\d{0,2}[a-z]*(?:\.[A-Za-z_]\w*)*")
_LETTER, _SMALL, _CAPITAL, _DIGIT = map(re.compile, ("[A-Za-z]", "[a-z]", "[A-Z]", "[0-9]"))
_DIGIT_OR_SIGN = re.compile(r"[0-9!@#%^*+=~]")
_ATTRIBUTE = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)+")


def without_assigned(text: str, replace: Replace) -> str:
    """Return a text without the secrets that it marks as such."""
    text = _without_named(text, replace)
    if "://" in text and "@" in text:
        text = _IN_ADDRESS.sub(lambda found: found[1] + _password(found[2], replace), text)
    if "earer" in text or "asic" in text or "EARER" in text:
        text = _HEADER.sub(lambda found: found[1] + _in_header(found[2], replace), text)
    return text


def may_name_a_secret(text: str) -> bool:
    """Return whether `without_assigned` could find something in a text."""
    return "://" in text or _WORD.search(text) is not None or "asic" in text.lower() or "earer" in text.lower()


def is_secret(name: str, value: str) -> bool:
    """Return whether a value is a secret because of the name of its field."""
    words = list(_WORD.finditer(name))
    if not words:
        return False
    found = words[-1]
    return (
        not name[found.end() :].strip("0123456789")
        and _names_a_secret(found, name)
        and not any(map(str.isspace, value))
        and _is_plausible(found[0], value)
    )


def kind_of(name: str) -> str:
    """Return what a value with a secret-like name is."""
    return "a password" if any(word in name.lower() for word in _PASSWORDS) else "a key"


def _without_named(text: str, replace: Replace) -> str:
    pieces: list[str] = []
    done = 0
    for found in _WORD.finditer(text):
        if found.start() < done:
            continue
        value = _ASSIGNED.match(text, found.end()) or _OPTION.match(text, found.end())
        if value is None or not _names_a_secret(found, text):
            continue
        group = value.lastgroup or ""
        if not _is_assigned(found, value[group], bare=group == "bare", option=value.re is _OPTION):
            continue
        pieces += [text[done : value.start(group)], replace(value[group], kind_of(found[0]))]
        rest = _REST.match(text, value.end(group))
        done = rest.end() if rest else value.end(group)
    return "".join([*pieces, text[done:]]) if pieces else text


def _names_a_secret(word: re.Match[str], text: str) -> bool:
    """Return whether a word is the last one of a secret's name."""
    before = text[max(0, word.start() - _PREFIX) : word.start()]
    if word[0].lower() == "key":
        return bool(_BEFORE_KEY.search(before) or (word[0] == "KEY" and _BEFORE_UPPER_KEY.search(before)))
    return not _ORDINARY.search(before)


def _is_assigned(word: re.Match[str], value: str, *, bare: bool, option: bool) -> bool:
    """Return whether a value is assigned to the secret-like name that ends with a word."""
    if option and not _IS_OPTION.search(word.string[max(0, word.start() - _PREFIX) : word.start()]):
        return False
    if not _is_plausible(word[0], value):
        return False
    # A bare word may be a variable, except where the name is that of an environment variable.
    return not bare or _is_value(value, strict=not (option or word[0].isupper()))


def _in_header(value: str, replace: Replace) -> str:
    return replace(value, "a key") if _is_value(value, strict=True) else value


def _password(value: str, replace: Replace) -> str:
    is_template = value[0] in "{$<%" or set(value) <= {"*", "•", "x", "X"}
    return value if is_template or _PORT.match(value) else replace(value, "a password")


def _is_plausible(name: str, value: str) -> bool:
    """Return whether the value with a secret-like name may be a secret, rather than a placeholder or a word."""
    if _PLACEHOLDER.fullmatch(value[:PLACEHOLDER_LENGTH]) or _CONSTANT.fullmatch(value[:PLACEHOLDER_LENGTH]):
        return False
    if kind_of(name) == "a password":
        return len(value) >= 4 and not value.startswith(("/", "~"))  # noqa: PLR2004  PWD is a directory
    return len(value) >= 8 and bool(_LETTER.search(value)) and (bool(_DIGIT.search(value)) or _has_mixed_case(value))  # noqa: PLR2004


def _is_value(value: str, *, strict: bool) -> bool:
    """Return whether a word without quotes is a value, rather than a variable, a type or a word of a sentence."""
    value = value.rstrip(":.")
    if not _LETTER.search(value) or not (_DIGIT_OR_SIGN.search(value) or _has_mixed_case(value)):
        return False
    if _ATTRIBUTE.fullmatch(value):
        return False
    return not strict or (len(value) >= 8 and not _IDENTIFIER.fullmatch(value))  # noqa: PLR2004


def _has_mixed_case(value: str) -> bool:
    """Return whether a value has small and capital letters, other than a word at the beginning of a sentence."""
    return bool(_SMALL.search(value) and _CAPITAL.search(value, 1))
