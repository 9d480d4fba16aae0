"""Tab in a line that starts with ``%%agent`` or ``%agent``: options, subcommands, sessions, model references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.notebook.cell_line import CELL_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.magics import AgentMagics

LINE = re.compile(r"\s*(%%?)agent\s+(?P<words>.*)$")


def register_completion(shell: InteractiveShell, magics: AgentMagics) -> None:
    """Add our matcher to the shell's completer; it answers alone in our lines and not at all in others."""
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return

    @context_matcher(identifier="sessionmagic")  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> SimpleMatcherResult:
        line = context.full_text.split("\n")[context.cursor_line]
        found = LINE.match(line[: context.cursor_position])
        if not found or (found[1] == "%%" and context.cursor_line > 0):
            return {"completions": [], "suppress": False}
        before, typed = _words(found["words"])
        offers = _offers(magics, found[1], before, typed)
        return {
            "completions": [SimpleCompletion(offer) for offer in offers if offer.startswith(typed)],
            "suppress": True,
            "matched_fragment": typed,
        }

    completer.custom_matchers.append(match)


def _words(text: str) -> tuple[list[str], str]:
    """Return the words before the one that is being typed, and that one; a quote keeps its words together."""
    words = re.findall(r'"[^"]*"?|[^\s"]+', text)
    if not words or (text.endswith(" ") and text.count('"') % 2 == 0):
        return words, ""
    return words[:-1], words[-1]


def _offers(magics: AgentMagics, percent: str, before: list[str], typed: str) -> Iterable[str]:
    last = before[-1] if before else ""
    if last in {"-m", "--model"}:
        return _models(magics)
    if last in {"-s", "--session"}:
        return _sessions(magics)
    if last in {"-a", "--agent"}:
        return list(magics.manager.agents)
    if percent == "%%":
        return CELL_LINE.options()
    return _of_command(magics, before, typed)


def _of_command(magics: AgentMagics, before: list[str], typed: str) -> Iterable[str]:
    from sessionmagic.notebook.commands import COMMANDS

    if before and typed.startswith("-"):
        return COMMANDS[before[0]].parser.options() if before[0] in COMMANDS else []
    match before:
        case []:
            return [name for name in COMMANDS if " " not in name]
        case ["model"]:
            return _models(magics)
        case ["tools"]:
            return ["add-mcp", "remove-mcp", *_sessions(magics)]
        case ["tools", "remove-mcp"]:
            return magics.servers.names
        case ["approve"]:
            calls, questions = magics.manager.turns.approvals(), magics.manager.turns.questions()
            return [*(call.id for _, call in calls), *(question.id for _, question in questions)]
        case ["show" | "use" | "stop" | "rename" | "star" | "delete" | "usage" | "permissions"]:
            return _sessions(magics)
        case _:
            return []


def _models(magics: AgentMagics) -> list[str]:
    return ["default", *magics.manager.models.known()]


def _sessions(magics: AgentMagics) -> list[str]:
    try:
        summaries: list[Any] = magics.manager.sessions.summaries()[0]
    except SessionMagicError:
        return []
    return [f'"{summary.name}"' if " " in summary.name else summary.name for summary in summaries]
