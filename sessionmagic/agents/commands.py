"""The commands of an agent: prompts that have names, as ``/review figure.py``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(r"/(?P<name>\S+)\s*(?P<rest>.*)", re.DOTALL)
_PLACE = re.compile(
    r"\$\{\s*args(?:\[(?P<at>\d{1,4})\]|\.join\((?P<quote>['\"`])(?P<between>[^'\"`]*)(?P=quote)\))?\s*\}"
)
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")


def expanded(prompt: str, commands: Mapping[str, str]) -> tuple[str, str]:
    """Return the prompt that a command stands for, and its name; a prompt that is no command stays as it is.

    ``${args}`` in the command is replaced by all words after its name, ``${args[0]}`` by the first of them, and
    ``${args.join(", ")}`` by all with that between them. Quotes keep words together. If the command names none of
    them, what follows its name is added at its end.
    """
    line = _LINE.fullmatch(prompt.strip())
    if line is None or line["name"] not in commands:
        return prompt, ""
    text, rest = commands[line["name"]], line["rest"]
    words = [re.sub("[\"']", "", word) for word in _WORD.findall(rest)]

    def filled(place: re.Match[str]) -> str:
        if place["at"] is not None:
            return words[int(place["at"])] if int(place["at"]) < len(words) else ""
        return (" " if place["between"] is None else place["between"]).join(words)

    if _PLACE.search(text):
        return _PLACE.sub(filled, text), line["name"]
    return f"{text} {rest}".rstrip(), line["name"]


def doubt_about(prompt: str, commands: Mapping[str, str]) -> str:
    """Return a warning if a prompt begins nearly like a command; else an empty text."""
    line = _LINE.fullmatch(prompt.strip())
    if line is None or line["name"] in commands:
        return ""
    near = suggestion(line["name"], commands)
    return f"/{shortened(line['name'])} is not a command, so it was sent as it was typed{near}" if near else ""
