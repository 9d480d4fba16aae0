"""What to type instead of what people type first: subcommands and options that other tools have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

PROMPT = "a prompt is the text of a cell that begins with %%agent"
_SESSIONS = "%agent sessions lists the sessions"
_TURNS = "%agent show shows the turns of a session"
_USE = "%agent use NAME continues a session"
_NEW = "%%agent --new starts a new session"
_EMPTY = f"{_NEW}, and %agent reset NAME empties one"
_BACK = "%agent rewind goes back one turn"
_STOP = "%agent stop ends a running turn"
_SET = "%agent set temperature=0 sets it for a session"
_USAGE = "%agent usage shows tokens and cost"
_DELETE = "%agent delete NAME deletes a session"
_AGAIN = "run the cell again; its new turn takes the place of the old one"
_KEY = "keys are read from variables such as OPENAI_API_KEY"

SUBCOMMANDS = {
    **dict.fromkeys(("list", "ls", "all"), _SESSIONS),
    **dict.fromkeys(("history", "log", "messages", "transcript", "print", "last"), _TURNS),
    **dict.fromkeys(("clear", "restart"), _EMPTY),
    **dict.fromkeys(("new", "create", "start"), _NEW),
    **dict.fromkeys(("chat", "ask", "prompt", "say", "run", "send", "tell"), PROMPT),
    **dict.fromkeys(("open", "load", "resume", "continue", "switch", "activate", "select"), _USE),
    **dict.fromkeys(("undo", "back"), _BACK),
    **dict.fromkeys(("retry", "again", "regenerate"), _AGAIN),
    **dict.fromkeys(("cancel", "interrupt", "kill", "abort"), _STOP),
    **dict.fromkeys(("cost", "costs", "tokens", "stats", "price"), _USAGE),
    **dict.fromkeys(("remove", "rm", "del"), _DELETE),
    **dict.fromkeys(("temperature", "seed", "max_tokens"), _SET),
    **dict.fromkeys(("system", "instructions"), "%agent set --system TEXT sets the instructions of a session"),
    **dict.fromkeys(("copy", "clone", "duplicate"), "%agent fork copies a session"),
    **dict.fromkeys(("save", "write", "download"), "sessions are stored by themselves; %agent export FILE writes one"),
    **dict.fromkeys(("plan", "propose"), "%%agent --plan asks for a plan, and %agent go carries it out"),
    **dict.fromkeys(("execute", "proceed", "apply"), "%agent go carries out a plan that %%agent --plan has asked for"),
    **dict.fromkeys(("tree", "turns"), "%agent branches draws the turns of a session"),
    **dict.fromkeys(("find", "grep"), "%agent search WORD finds what was said"),
    **dict.fromkeys(("settings", "options"), "%agent set shows those of a session, %agent config the defaults"),
    **dict.fromkeys(("mcp", "add-mcp"), "%agent tools add-mcp FILE adds MCP servers"),
    **dict.fromkeys(("key", "login", "auth", "token"), _KEY),
    **dict.fromkeys(("version", "info", "about"), "%agent doctor shows what is installed and set up"),
    "status": "%agent sessions says of each session whether it runs, and %agent doctor what is set up",
}
"""What does what a word asks for that is no subcommand."""

_OPTIONS = {
    **dict.fromkeys(("system-prompt", "system-message", "instructions", "instruction", "role"), ("--system", "TEXT")),
    **dict.fromkeys(("name", "chat", "conversation", "thread", "id", "session-id"), ("--session", "NAME")),
    **dict.fromkeys(("file", "image", "pdf", "context", "data", "attachment"), ("--attach", "EXPR")),
    **dict.fromkeys(("result", "variable", "save"), ("--out", "VAR")),
    **dict.fromkeys(("format", "json", "schema", "response-model", "output-type"), ("--type", "EXPR")),
    **dict.fromkeys(("models",), ("--compare", "REF REF")),
    **dict.fromkeys(("provider",), ("--model", "PROVIDER:MODEL")),
    **dict.fromkeys(("function", "functions"), ("--tools", "NAMES")),
    **dict.fromkeys(("reset", "clear"), ("--new", "")),
    **dict.fromkeys(("approve", "auto-approve", "no-confirm"), ("--yes", "")),
    **dict.fromkeys(("cache", "cached"), ("--reuse", "")),
    **dict.fromkeys(("dry-run", "read-only", "plan-mode"), ("--plan", "")),
    **dict.fromkeys(("async", "no-wait"), ("--background", "")),
    **dict.fromkeys(("max-cost", "cost"), ("--budget", "USD")),
    **dict.fromkeys(("runs", "times"), ("--repeat", "N")),
}
"""The option that is meant by a name without dashes, and its value."""
_OTHERWISE = {
    "prompt": PROMPT,
    "message": PROMPT,
    "stream": "answers stream by themselves",
    "no-stream": '%config AgentMagics.view = "static" shows only finished answers',
    "api-key": _KEY,
    "key": _KEY,
}
_SETTINGS = {"temp": "temperature", "max_output_tokens": "max_tokens", "max_completion_tokens": "max_tokens"}


def option_hint(word: str, value: str, known: Collection[str], program: str) -> str:
    """Return what to type instead of an option that does not exist; empty if that is not known.

    Args:
        word: The option, such as ``--temperature``.
        value: What was typed after it.
        known: The options that exist.
        program: The magic, with its subcommand.
    """
    from sessionmagic.models.settings import NAMES, OTHER_NAMES

    name = word.lstrip("-").replace("_", "-").lower()
    setting = name.replace("-", "_")
    setting = {**OTHER_NAMES, **_SETTINGS}.get(setting, setting)
    if setting in NAMES:
        written = f"{setting}={value or 'VALUE'}"
        if program == "%agent set":
            return f"write {program} {written}"
        return f"write {program} --set {written}" if "--set" in known else ""
    option, metavar = _OPTIONS.get(name, ("", ""))
    if option in known:
        return f"write {program} {option} {metavar}".rstrip()
    return _OTHERWISE.get(name, "") if program == "%%agent" else ""
