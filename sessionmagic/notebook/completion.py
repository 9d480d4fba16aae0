"""Tab completion of ``%%agent`` and ``%agent`` lines: options, subcommands, sessions and model references."""

from __future__ import annotations

import re
from inspect import ismodule, isroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.completer import SimpleCompletion, context_matcher

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.words import typed as as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.context import NotebookContext

OF_A_SESSION = {
    *("show", "use", "branches", "reset", "stop", "rename", "star"),
    *("usage", "context", "permissions", "export", "record", "replay"),
}
"""The subcommands whose first argument is a session."""


class Offers(NamedTuple):
    """The words that can stand at a place, and what they are. Front ends show it beside each."""

    kind: str
    words: Iterable[str]


LINE = re.compile(r"\s*(%%?)agent\s+(?P<words>.*)$")


def register_completion(
    shell: InteractiveShell, context: NotebookContext, paused: Callable[[], AbstractContextManager[None]]
) -> None:
    """Add a matcher to the shell's completer. Its matches replace all others on ``%agent`` lines.

    Args:
        shell: The shell.
        context: The state that its cells share.
        paused: Keeps other threads from importing, as what is offered may need imports.
    """
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return

    @context_matcher(identifier="sessionmagic")  # type: ignore[untyped-decorator]
    def match(typing: CompletionContext) -> SimpleMatcherResult:
        line = typing.full_text.split("\n")[typing.cursor_line]
        found = LINE.match(line[: typing.cursor_position])
        if not found or (found[1] == "%%" and typing.cursor_line > 0):
            return {"completions": [], "suppress": False}
        before, typed = _words(found["words"])
        with paused():
            kind, words = _offers(context, found[1], before, typed)
            fitting = [word for word in words if word.startswith(typed)]
        return {
            "completions": [SimpleCompletion(word, type=kind) for word in fitting],
            "suppress": True,
            "matched_fragment": typed,
        }

    completer.custom_matchers.append(match)


def _words(text: str) -> tuple[list[str], str]:
    """Return the finished words, and the word being typed. Quotes keep words together."""
    words = re.findall(r'"[^"]*"?|[^\s"]+', text)
    if not words or (text.endswith(" ") and text.count('"') % 2 == 0):
        return words, ""
    return words[:-1], words[-1]


def _offers(context: NotebookContext, percent: str, before: list[str], typed: str) -> Offers:
    if (values := _of_option(context, before[-1] if before else "", typed)) is not None:
        return values
    if not typed.startswith("-") and (several := _of_several(context, before, typed)) is not None:
        return several
    if percent == "%%":
        return Offers("option", CELL_LINE.options())
    return _of_command(context, before, typed)


def _of_option(context: NotebookContext, option: str, typed: str) -> Offers | None:
    """Return what an option that takes one word offers, or None if the word is no such option."""
    match option:
        case "-m" | "--model":
            return Offers("model", _models(context, typed))
        case "--judge":
            return Offers("model", _references(context, typed))
        case "-s" | "--session":
            return Offers("session", _sessions(context))
        case "--by":
            from sessionmagic.sessions.usage import BY

            return Offers("division", BY)
        case "--score" | "-t" | "--tools":
            return Offers("function", _variables(context.shell, typed, functions=True))
        case "--prompts" | "--attach" | "--executor":
            return Offers("variable", _variables(context.shell, typed, functions=False))
        case "--type":
            return Offers("type", _types(context))
        case "-a" | "--agent":
            return Offers("agent", context.manager.agents.names())
        case "--format":
            return Offers("format", _formats())
        case _:
            return None


def _of_several(context: NotebookContext, before: list[str], typed: str) -> Offers | None:
    """Return what an option that takes several words offers, or None if the last option is another one."""
    match next((word for word in reversed(before) if word.startswith("-")), ""):
        case "--set" | "--vary":
            return Offers("setting", _settings(typed))
        case "--compare" | "--models":
            return Offers("model", _models(context, typed))
        case "-m" | "--model":
            return Offers("agent", [f"{name}=" for name in context.manager.agents.names()])
        case _:
            return None


def _of_command(context: NotebookContext, before: list[str], typed: str) -> Offers:
    from sessionmagic.notebook.commands import COMMANDS

    if before and typed.startswith("-"):
        return Offers("option", COMMANDS[before[0]].parser.options() if before[0] in COMMANDS else [])
    match before:
        case []:
            return Offers("subcommand", [name for name in COMMANDS if " " not in name])
        case ["model"]:
            return Offers("model", _models(context, typed))
        case ["set", *_]:
            return Offers("setting", _settings(typed))
        case ["agents", *more]:
            dicts = _variables(context.shell, typed, functions=False) if more == ["load"] else []
            return Offers("word", dicts if more else ["load"])
        case ["tools"]:
            return Offers("subcommand or session", ["add-mcp", "remove-mcp", *_sessions(context)])
        case ["tools", "remove-mcp"]:
            return Offers("server", context.servers.names)
        case ["approve"]:
            calls, questions = context.manager.turns.approvals(), context.manager.turns.questions()
            return Offers("waiting", [*(call.id for _, call in calls), *(question.id for _, question in questions)])
        case [command, *more] if command in {"delete", "diff"} or (command in OF_A_SESSION and not more):
            return Offers("session", _recordings(context, typed) if command == "replay" else _sessions(context))
        case _:
            return Offers("word", [])


def _formats() -> list[str]:
    from sessionmagic.notebook.exports.files import FORMATS

    return list(FORMATS)


def _settings(typed: str) -> list[str]:
    """Return the names of the settings with their ``=``, or the values of the one that is typed."""
    from sessionmagic.models.settings import CHOICES, NAMES

    name = typed.partition("=")[0]
    if "=" in typed:
        return [f"{name}={value}" for value in CHOICES.get(name, ())]
    return [f"{name}=" for name in NAMES]


def _models(context: NotebookContext, typed: str) -> list[str]:
    return ["default", *_references(context, typed)]


def _references(context: NotebookContext, typed: str) -> list[str]:
    """Return the references of models, each after the agent and the members of an alloy that are typed already."""
    before = re.match(r"(?:[^\s=:/,]+=)?(?:.*,)?", typed, re.DOTALL)
    start = before[0] if before else ""
    known = context.models.known()
    if typed.startswith(replay := f"{start}replay:"):
        known = [f"replay:{each}" for each in _recordings(context, typed.removeprefix(replay))]
    return [f"{start}{each}" for each in known]


def _recordings(context: NotebookContext, typed: str) -> list[str]:
    """Return the sessions and the files that can be replayed, the files in the folder that is typed."""
    from sessionmagic.sessions.recordings import files_beside

    return [*_sessions(context), *(as_typed(file) for file in files_beside(typed))]


def _variables(shell: InteractiveShell, typed: str, *, functions: bool) -> list[str]:
    """Return the user's variables that are functions, or those that are not; after a dot, what the variable has."""
    names = {name: value for name, value in shell.user_ns.items() if name not in shell.user_ns_hidden}
    owner, dot, _ = typed.rpartition(".")
    if dot:
        return [f"{owner}.{name}" for name in dir(names[owner]) if name[:1] != "_"] if owner in names else []
    fitting = [name for name, value in names.items() if name[:1] != "_" and isroutine(value) == functions]
    return [name for name in fitting if not ismodule(names[name])]


def _types(context: NotebookContext) -> list[str]:
    from sessionmagic.notebook.types import type_names

    return type_names(context.shell.user_ns)


def _sessions(context: NotebookContext) -> list[str]:
    try:
        summaries: list[Any] = context.manager.sessions.summaries()[0]
    except SessionMagicError:
        return []
    names = [summary.name for summary in summaries if context.shows(summary)]
    return [f'"{name}"' if " " in name else name for name in names]
