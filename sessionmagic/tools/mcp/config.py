"""What is written about MCP servers: the ``mcpServers`` form that Claude Desktop began and most clients read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sessionmagic.exceptions import ToolError
from sessionmagic.keys import without_keys
from sessionmagic.tools.mcp.secrets import without_secrets

NAME = re.compile(r"[\w@./ -]{1,64}")
TYPES = {"stdio": "command", "http": "url", "streamable-http": "url", "streamableHttp": "url", "sse": "url"}
"""What a server of each type must have."""
FIELDS = {
    "command": "a text",
    "args": "a list of texts",
    "env": "an object of texts",
    "cwd": "a text",
    "url": "a text",
    "headers": "an object of texts",
}
SWITCHES = {"disabled": True, "enabled": False}
"""What switches a server of a file off."""
NAME_LENGTH = 64
SERVER_LENGTH = 32
SECRET_LENGTH = 8
"""Shorter values of variables, headers and arguments are not looked for in messages."""

_SEPARATORS = re.compile(r"[\s\"',;:=&#@(){}\[\]]+")
_VARIABLE = re.compile(r"\$\{([^}:]+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How to start a server, or where it is.

    Args:
        shown: the command or address as it was written, without secrets and without what its variables hold.
        secrets: values that no message may contain.
    """

    command: str = ""
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    sse: bool = False
    shown: str = ""
    secrets: frozenset[str] = frozenset()

    def redacted(self, text: str) -> str:
        """Take the secrets out of a text, and the keys of this process."""
        return without_keys(text, self.secrets)


def read_servers(path: str | Path) -> dict[str, ServerConfig]:
    """Read a file with ``{"mcpServers": {…}}``: all of its servers that are not switched off, or `ToolError`."""
    path = Path(path).expanduser()
    try:
        written = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ToolError(f"{path} cannot be read ({error.strerror}): give a file with mcpServers") from error
    except json.JSONDecodeError as error:
        raise ToolError(f"{path} is no JSON: {error.msg} in line {error.lineno}; mend it there") from error
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path} is no JSON text: give a file with mcpServers") from error
    servers = written.get("mcpServers") if isinstance(written, dict) else None
    if not isinstance(servers, dict):
        raise ToolError(f'{path} names no servers: write {{"mcpServers": {{"NAME": {{"command": …}}}}}} there')
    return {
        name: server_config(name, config, source=f"{path}: ")
        for name, config in servers.items()
        if not (isinstance(config, dict) and any(config.get(switch) is off for switch, off in SWITCHES.items()))
    }


def server_config(name: str, written: Any, *, source: str = "") -> ServerConfig:
    """Return what is written about one server, its variables filled in; raises `ToolError`, which begins with `source`.

    ``${VAR}`` and ``${VAR:-default}`` are replaced in all values. Fields of other clients are ignored.
    """
    if problem := _problem(name, written):
        raise ToolError(f"{source}MCP server {name!r} {problem}")
    given = {key: written[key] for key in FIELDS if written.get(key) is not None}
    secrets: set[str] = set()
    try:
        filled = {key: _filled(value, secrets) for key, value in given.items()}
    except KeyError as missing:
        unset = missing.args[0]
        advice = f"uses the variable {unset}, which is not set: set it, or write ${{{unset}:-DEFAULT}}"
        raise ToolError(f"{source}MCP server {name!r} {advice}") from None
    for value in (*filled.get("env", {}).values(), *filled.get("headers", {}).values()):
        secrets.update(value.split())
    for secret in without_secrets(_words(filled))[1]:
        secrets.update([secret, *_SEPARATORS.split(secret)])
    shown, _ = without_secrets(_words(given))
    if "command" in given:
        sse = False
    elif address := _address(filled["url"]):
        sse = written.get("type", "sse" if address.rstrip("/").endswith("/sse") else None) == "sse"
        shown = _address(given["url"]) or shown
    else:
        raise ToolError(f"{source}MCP server {name!r} has a url that is no http or https address")
    secrets = {secret for secret in secrets if len(secret) >= SECRET_LENGTH}
    return ServerConfig(**filled, sse=sse, shown=without_keys(shown), secrets=frozenset(secrets))


def _problem(name: str, written: Any) -> str:
    """Say what is wrong with the form of what is written about a server, if anything."""
    if not NAME.fullmatch(name):
        return "needs another name: letters, digits, spaces and _ - . / @, up to 64"
    if not isinstance(written, Mapping):
        return "is no object: write a command that starts it, or the url where it runs"
    given = {key: written[key] for key in FIELDS if written.get(key) is not None}
    if wrong := next((key for key, value in given.items() if not _is(FIELDS[key], value)), None):
        return f"has {wrong} that is not {FIELDS[wrong]}"
    if wrong := next((key for key in SWITCHES if not isinstance(written.get(key), bool | None)), None):
        return f"has {wrong} that is not true or false"
    if ("command" in given) == ("url" in given):
        return "needs either a command that starts it, or the url where it runs"
    kind = written.get("type")
    if kind is not None and TYPES.get(str(kind)) not in given:
        return f"is of type {kind!r}: stdio takes a command; http and sse take a url"
    return ""


def _is(form: str, value: Any) -> bool:
    match form:
        case "a text":
            return isinstance(value, str) and bool(value)
        case "a list of texts":
            return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        case _:
            return isinstance(value, Mapping) and all(isinstance(each, str) for each in (*value, *value.values()))


def _filled(value: Any, secrets: set[str]) -> Any:
    """Fill variables in; raises `KeyError` with the name of the one that is not set."""
    if isinstance(value, Mapping):
        return {key: _filled(each, secrets) for key, each in value.items()}
    if not isinstance(value, str):
        return [_filled(each, secrets) for each in value]

    def held(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name not in os.environ and default is not None:
            return str(default)
        secrets.add(os.environ[name])
        return os.environ[name]

    return _VARIABLE.sub(held, value)


def _words(config: Mapping[str, Any]) -> list[str]:
    return [config["command"], *config.get("args", ())] if "command" in config else [config["url"]]


def _address(url: str) -> str:
    """Return an address without user, query and fragment, as far as it is one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme in {"http", "https"} and host else ""


def model_name(server: str, tool: str) -> str:
    """Return the name under which a model knows a server's tool: ``SERVER__TOOL``, in letters that all providers take.

    A part that cannot stay as it is begins with ``_`` and ends in a part of its own, so that no two tools have the same
    name; and whatever a tool is called, a rule for ``SERVER__*`` holds for it.
    """
    owner = _name_part(server, "[A-Za-z][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*", SERVER_LENGTH)
    return f"{owner}__{_name_part(tool, '[A-Za-z0-9-][A-Za-z0-9_-]*', NAME_LENGTH - len(owner) - 2)}"


def _name_part(written: str, fit: str, length: int) -> str:
    if len(written) <= length and re.fullmatch(fit, written):
        return written
    own = hashlib.sha256(written.encode(errors="replace")).hexdigest()[:8]
    return f"_{re.sub('[^A-Za-z0-9-]+', '_', written).strip('_')[: length - 10]}_{own}"
