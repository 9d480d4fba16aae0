"""Secrets that a text marks as such: after a name like ``api_key``, in an address, in a header, as an option.

Code about keys is left alone: ``os.environ["OPENAI_API_KEY"]``, ``api_key=None``, ``password = getpass()``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sessionmagic.keys.values import is_name, is_placeholder, is_plausible_key, is_plausible_password, is_value

if TYPE_CHECKING:
    from collections.abc import Callable

    Replace = Callable[[str, str], str]
    """Takes a secret and what it is, and returns what stands in its place."""

_WORD = re.compile(
    r"key|secret|token|passw(?:or)?[dt]|kennwort|passphrase|pwd|credentials?"
    r"|(?<=[_-])pass(?![a-z])|(?<![a-z])pass(?=\s{0,3}=)|(?<![a-z])pw(?![a-z])",
    re.IGNORECASE | re.ASCII,
)
"""The last word of the names that secrets have."""
_PARTS = ("key", "secret", "token", "pass", "kennwort", "pwd", "pw", "credential", "://", "bearer", "authorization")
"""One of these is in each text with a secret that is marked as such."""
_PASSWORDS = ("pass", "pwd", "pw", "kennwort")
_BEFORE_KEY = re.compile(
    r"(?:api|access|secret|private|auth|account|encryption|signing|master|subscription|client|service)[_ -]?$",
    re.IGNORECASE,
)
"""What stands before ``key`` in the name of a secret. Other keys are those of tables, rows and dicts."""
_BEFORE_UPPER_KEY = re.compile(r"[A-Z0-9]_$")
_BEFORE_TOKEN = re.compile(
    r"(?:api|access|auth|oauth|refresh|bot|session|personal|private|hf|github|gitlab|[?&])[_ -]?$", re.IGNORECASE
)
"""What stands before ``token`` in the name of a secret. Other tokens are often the words of a text."""
_IN_NAME = re.compile(r"[\w-]$")
_ORDINARY = re.compile(
    r"(?:page|next|continuation|cursor|sync|eos|bos|pad|unk|sep|cls|mask|public|primary|foreign|sort|partition|cache"
    r"|csrf|xsrf|stop|special|low|high|band|first|second|forward|backward|one|two|single|multi)[_-]?$",
    re.IGNORECASE,
)
"""What stands before the last word in the names of other things."""
_PREFIX = 24
"""How many characters before the last word of a name are read."""

_QUOTE = r"""(?:"{3}|'{3}|\\{0,3}["'`])"""
_ASSIGNED = re.compile(
    rf"""
    \d{{0,3}} (?:{_QUOTE})? \]? \s{{0,3}} \*{{0,2}}
    (?: :\s{{0,3}}[A-Za-z_][\w.\[\]]{{0,40}}(?:\s?\|\s?\w+)?\s{{0,3}}=(?!=) | ={{1,3}}>? | [:：]=? | != )
    \*{{0,2}} \s{{0,3}}
    (?: [bfru]{{0,2}}{_QUOTE} (?P<quoted>[^\s"'`\\<>{{}}]{{4,300}}+)(?={_QUOTE})
      | (?P<bare>[^\s"'`\\<>{{}}()\[\],;&|$]{{6,200}}+)(?![(\[]) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SAID = re.compile(r"""\s{1,3}(?:is|ist|lautet)\s{1,3}["'`]?(?P<said>[^\s"'`,;<>{}()\[\]]{6,200})""")
_ELEMENT = re.compile(r">(?P<quoted>[^\s<>{}$]{4,300})(?=</)")
_OPTION = re.compile(r"""[ ]{1,3}(?P<option>[^\s"'`\\<>{}()\[\],;&|$-][^\s"'`]{5,200})""")
_DEFAULT = re.compile(
    rf"""\d{{0,3}}{_QUOTE},\s{{0,3}}{_QUOTE}(?P<quoted>[^\s"'`\\<>{{}}]{{4,300}}+)(?={_QUOTE}\s{{0,3}}\))"""
)
"""The value of a variable in a call: ``getenv("DB_PASSWORD", "…")``."""
_PAIR = re.compile(
    rf"""(?:{_QUOTE})?,?\s{{1,20}}(?:{_QUOTE})?value(?:{_QUOTE})?\s?[:=]\s?(?:{_QUOTE})?(?P<quoted>[^\s"'`\\<>{{}}\[]{{4,300}})"""
)
"""The value of a variable in a list: ``name: DB_PASSWORD``, ``value: …``."""
_FORMS = (_ASSIGNED, _SAID, _OPTION, _ELEMENT, _DEFAULT, _PAIR)
_REST = re.compile(r"""[^\s"'`\\<>{}()\[\],;&|$]*""")
"""The rest of a long value."""
_ENDS_LINE = re.compile(r"[;\r\n]|[ \t]+[\r\n]|\\[rn]|\Z")
_IS_OPTION = re.compile(r"(?:^|\s)(?:--?|(?:%env|%set_env|ENV)\s{1,3}(?=\w))[\w.-]*$|\blogin\s\S+\s+$")
_IN_ADDRESS = re.compile(r"""(://[^\s/:@"'`<>]{0,100}:)([^\s"'`<>@][^\s"'`<>]{0,200})(?=@)""")
_SIGNATURE = re.compile(r"([?&](?:sig|X-(?:Amz|Goog)-Signature|X-Amz-Security-Token)=)([\w%+/=-]{16,})", re.IGNORECASE)
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")
_HEADER = re.compile(
    rf"""(\b(?:bearer\s|authorization{_QUOTE}?\s{{0,3}}[:=]\s{{0,3}}(?:{_QUOTE})?(?:\w{{1,20}}\s)?)\s{{0,2}})"""
    r"([\w.~+/=-]{16,})",
    re.IGNORECASE,
)
_MAY_BE_HEADER = re.compile("bearer|authorization", re.IGNORECASE)
_KEY_LENGTH = 8


def without_assigned(text: str, replace: Replace) -> str:
    """Return a text without the secrets that it marks as such."""
    if not may_name_a_secret(text):
        return text
    text = _without_named(text, replace)
    if "://" in text:
        text = _IN_ADDRESS.sub(lambda found: found[1] + _password(found[2], replace), text)
        text = _SIGNATURE.sub(lambda found: found[1] + replace(found[2], "a key"), text)
    if _MAY_BE_HEADER.search(text):
        text = _HEADER.sub(lambda found: found[1] + _in_header(found[2], replace), text)
    return text


def may_name_a_secret(text: str) -> bool:
    """Return whether `without_assigned` could find something in a text. Fast, as it is asked for each piece of one."""
    text = text.lower()
    return any(part in text for part in _PARTS)


def is_secret(name: str, value: str) -> bool:
    """Return whether a value is a secret because of the name of its field."""
    word = _last_word(name)
    return word is not None and not any(map(str.isspace, value)) and _is_plausible(word, value)


@lru_cache(maxsize=1_000)
def _last_word(name: str) -> re.Match[str] | None:
    """Return the last word of a secret's name; None if it is another name."""
    found = next(iter([*_WORD.finditer(name)][-1:]), None)
    if found is None or name[found.end() :].strip("0123456789") or not _names_a_secret(found):
        return None
    return found


def kind_of(name: str) -> str:
    """Return what a value with a secret-like name is."""
    return "a password" if any(word in name.lower() for word in _PASSWORDS) else "a key"


def _without_named(text: str, replace: Replace) -> str:
    pieces: list[str] = []
    done = 0
    for found in _WORD.finditer(text):
        if found.start() < done:
            continue
        value = next(filter(None, (form.match(text, found.end()) for form in _FORMS)), None)
        if value is None or not _names_a_secret(found) or not _is_assigned(found, value):
            continue
        group = value.lastgroup or ""
        secret = value[group].rstrip(".!?") if value.re is _SAID else value[group]
        start = value.start(group)
        rest = _REST.match(text, start + len(secret)) if value.re is not _SAID else None
        pieces += [text[done:start], replace(secret, kind_of(found[0]))]
        done = rest.end() if rest else start + len(secret)
    return "".join([*pieces, text[done:]]) if pieces else text


def _before(word: re.Match[str]) -> str:
    return word.string[max(0, word.start() - _PREFIX) : word.start()]


def _names_a_secret(word: re.Match[str]) -> bool:
    """Return whether a word is the last one of a secret's name."""
    before = _before(word)
    if word[0].lower() == "key":
        return bool(_BEFORE_KEY.search(before) or (word[0] == "KEY" and _BEFORE_UPPER_KEY.search(before)))
    return not _ORDINARY.search(before)


def _is_certain(word: re.Match[str]) -> bool:
    """Return whether a name is only that of a secret, unlike ``token``, which may be the word of a text."""
    before = _before(word)
    match word[0].lower():
        case "key":
            return _BEFORE_KEY.search(before) is not None
        case "token":
            return _BEFORE_TOKEN.search(before) is not None
        case "secret":
            return _IN_NAME.search(before) is not None
        case name:
            return not name.startswith("credential")


def _is_plausible(word: re.Match[str], value: str) -> bool:
    """Return whether the value with a secret-like name may be a secret, rather than a placeholder or a word."""
    if kind_of(word[0]) == "a password":
        return is_plausible_password(value)
    return is_plausible_key(value) and (_is_certain(word) or not is_name(value))


def _is_assigned(word: re.Match[str], value: re.Match[str]) -> bool:
    """Return whether a value is assigned to the secret-like name that ends with a word."""
    text, password = value[value.lastgroup or ""], kind_of(word[0]) == "a password"
    match value.lastgroup:
        case "said":
            text = text.rstrip(".!?")
            return is_value(text, numbered=True) and _is_plausible(word, text) and (password or not is_name(text))
        case "option":
            return bool(_IS_OPTION.search(_before(word))) and _is_plausible(word, text) and is_value(text)
        case "bare" if word[0].isupper() and "=" in word.string[word.end() : value.start("bare")]:
            # An environment variable. In code, constants have quotes.
            return (is_plausible_password if password else is_plausible_key)(text) and is_value(text)
        case "bare" if password:
            # A word may be a variable, except where the line ends with it, as in a file of settings.
            ends_line = _ENDS_LINE.match(word.string, value.end("bare")) is not None
            is_word = not is_value(text, numbered=True) if ends_line else not is_value(text) or not _is_no_name(text)
            return is_plausible_password(text) and not is_word
        case "bare":
            return _is_plausible(word, text) and is_value(text) and _is_no_name(text)
        case _ if value.re in (_DEFAULT, _PAIR):
            return word[0].isupper() and _is_plausible(word, text)
        case _:
            return _is_plausible(word, text)


def _is_no_name(value: str) -> bool:
    return len(value) >= _KEY_LENGTH and not is_name(value)


def _in_header(value: str, replace: Replace) -> str:
    return replace(value, "a key") if is_value(value) and _is_no_name(value) and not is_placeholder(value) else value


def _password(value: str, replace: Replace) -> str:
    is_template = value[0] in "{$<%" or set(value) <= {"*", "•", "x", "X"} or value == "pass" or is_placeholder(value)
    return value if is_template or _PORT.match(value) else replace(value, "a password")
