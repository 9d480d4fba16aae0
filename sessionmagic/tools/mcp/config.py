"""The configuration of MCP servers: the ``mcpServers`` form, which Claude Desktop introduced and most clients read."""

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
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.keys.known import KNOWN, names_a_key
from sessionmagic.tools.mcp.secrets import without_secrets

NAME = re.compile(r"[\w@./ -]{1,64}")
TYPES = {"stdio": "command", "http": "url", "streamable-http": "url", "streamableHttp": "url", "sse": "url"}
"""The field that a server of each type must have."""
FIELDS = {
    "command": "a non-empty string",
    "args": "a list of strings",
    "env": "an object of strings",
    "cwd": "a non-empty string",
    "url": "a non-empty string",
    "headers": "an object of strings",
}
"""The fields of a server that are read, with the form that each must have."""
SWITCHES = {"disabled": True, "enabled": False}
"""The fields that switch a server off, with the value that does so."""
NAME_LENGTH = 64
"""Characters of a tool's name that all providers accept."""
SERVER_LENGTH = 32
"""Characters of the server's part of a tool's name."""
SECRET_LENGTH = 8
"""Shorter values of variables, headers and arguments are not removed from messages."""

KEY_HEADERS = {"authorization", "proxy-authorization", "cookie"}
"""HTTP headers that hold keys, beside those that are named so."""

_MIXED = re.compile(r"(?![/~])(?=.*[A-Za-z])(?=.*\d).*", re.DOTALL)
"""A value with letters and digits that is not a path."""
_SEPARATORS = re.compile(r"[\s\"',;:=&#@(){}\[\]]+")
_VARIABLE = re.compile(r"\$\{([^}:]+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How to start a server, or the address where it runs.

    Args:
        command: The command that starts it; `args`, `env` and `cwd` belong to it.
        args: The arguments of the command.
        env: The variables that are set for the command.
        cwd: The directory in which the command runs.
        url: The address, if there is no command; `headers` and `sse` belong to it.
        headers: The HTTP headers that are sent.
        sse: Whether the server uses the older transport of server-sent events.
        shown: The command or address as it was written, without secrets and with its variables not filled in.
        secrets: Values that no message may contain.
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
        """Return a text without the secrets, and without the keys of this process."""
        return without_keys(text, others=self.secrets)


def read_servers(path: str | Path) -> dict[str, ServerConfig]:
    """Return the servers of a file with ``{"mcpServers": {…}}`` that are not switched off.

    Raises `ToolError` when the file cannot be read, or anything in it is invalid.
    """
    path = Path(path).expanduser()
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ToolError(f"{path} cannot be read ({error.strerror}); name a JSON file with mcpServers") from error
    except json.JSONDecodeError as error:
        raise ToolError(f"{path} is not valid JSON ({error.msg}); correct line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path} is not valid JSON; name a JSON file with mcpServers") from error
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise ToolError(f'{path} has no mcpServers; write {{"mcpServers": {{"NAME": {{"command": …}}}}}}')
    return {
        name: server_config(name, config, source=f"{path}: ")
        for name, config in servers.items()
        if not (isinstance(config, dict) and any(config.get(switch) is off for switch, off in SWITCHES.items()))
    }


def server_config(name: str, entry: Any, *, source: str = "", fill: bool = True) -> ServerConfig:
    """Return the configuration of one server, with its variables filled in.

    ``${VAR}`` and ``${VAR:-default}`` are replaced in all values. Unknown fields, which other clients may use, are
    ignored.

    Args:
        name: The server's name.
        entry: The server's entry in an ``mcpServers`` object.
        source: The beginning of the message of an error.
        fill: Whether variables are filled in.

    Raises `ToolError` when the name or the entry is invalid, or a variable is not set.
    """
    if problem := _problem(name, entry):
        raise ToolError(f"{source}MCP server {name!r} {problem}")
    given = {key: entry[key] for key in FIELDS if entry.get(key) is not None}
    secrets: set[str] = set()
    try:
        filled = {key: _filled(value, secrets) for key, value in given.items()} if fill else dict(given)
    except KeyError as missing:
        unset = missing.args[0]
        problem = f"uses the variable {unset}, which is not set; set it, or write ${{{unset}:-DEFAULT}}"
        raise ToolError(f"{source}MCP server {name!r} {problem}") from None
    variables = set(secrets)
    for value in (*filled.get("env", {}).values(), *filled.get("headers", {}).values()):
        secrets.update(value.split())
    for secret in without_secrets(_words(filled))[1]:
        secrets.update([secret, *_SEPARATORS.split(secret)])
    shown, _ = without_secrets(_words(given))
    if "command" in given:
        sse = False
    elif address := _address(filled["url"]):
        sse = entry.get("type", "sse" if address.rstrip("/").endswith("/sse") else None) == "sse"
        shown = _address(given["url"]) or shown
    else:
        raise ToolError(f"{source}MCP server {name!r} has an invalid url; use an http or https address")
    secrets = {secret for secret in secrets if len(secret) >= SECRET_LENGTH}
    named = {*_named_keys(filled.get("env", {})), *_named_keys(filled.get("headers", {}))}
    for secret in secrets:
        # Elsewhere, an ordinary word or a path is left alone, such as the name of a host or "application/json".
        if secret in named or _MIXED.fullmatch(secret) or (secret in variables and not secret.startswith(("/", "~"))):
            KNOWN.add(secret, f"a secret of the MCP server {name}")
    return ServerConfig(**filled, sse=sse, shown=without_keys(shown), secrets=frozenset(secrets))


def _named_keys(values: Mapping[str, str]) -> set[str]:
    """Return the words of those variables or headers whose names are those of keys."""
    return {
        word
        for name, value in values.items()
        if names_a_key(name.replace("-", "_")) or name.lower() in KEY_HEADERS
        for word in value.split()
    }


def _problem(name: str, entry: Any) -> str:
    """Return what is wrong with the entry of a server, or ``""``."""
    if not NAME.fullmatch(name):
        return "has an invalid name; use up to 64 letters, digits, spaces and _ - . / @"
    if not isinstance(entry, Mapping):
        return "is not an object; give the command that starts it, or the url where it runs"
    given = {key: entry[key] for key in FIELDS if entry.get(key) is not None}
    if wrong := next((key for key, value in given.items() if not _has_form(value, FIELDS[key])), None):
        return f"has an invalid {wrong!r}; it must be {FIELDS[wrong]}"
    if wrong := next((key for key in SWITCHES if not isinstance(entry.get(key), bool | None)), None):
        return f"has an invalid {wrong!r}; it must be true or false"
    if ("command" in given) == ("url" in given):
        return "needs a command or a url, but not both; give the command that starts it, or the url where it runs"
    kind = entry.get("type")
    if kind is not None and TYPES.get(str(kind)) not in given:
        return f"has the wrong type {kind!r}; use stdio for a command, and http or sse for a url"
    return ""


def _has_form(value: Any, form: str) -> bool:
    match form:
        case "a non-empty string":
            return isinstance(value, str) and bool(value)
        case "a list of strings":
            return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        case _:
            return isinstance(value, Mapping) and all(isinstance(each, str) for each in (*value, *value.values()))


def _filled(value: Any, secrets: set[str]) -> Any:
    """Return a value with its variables filled in, whose values are added to `secrets`.

    Raises `KeyError` with the name of a variable that is not set.
    """
    if isinstance(value, Mapping):
        return {key: _filled(each, secrets) for key, each in value.items()}
    if not isinstance(value, str):
        return [_filled(each, secrets) for each in value]

    def value_of(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name not in os.environ and default is not None:
            return str(default)
        secrets.add(os.environ[name])
        return os.environ[name]

    return _VARIABLE.sub(value_of, value)


def _words(config: Mapping[str, Any]) -> list[str]:
    return [config["command"], *config.get("args", ())] if "command" in config else [config["url"]]


def _address(url: str) -> str:
    """Return an http or https address without user, query and fragment; return ``""`` if it is not one."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for what is not a port
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme in {"http", "https"} and host else ""


def model_name(server: str, tool: str) -> str:
    """Return a server's tool's name for models: ``SERVER__TOOL``, in characters that all providers accept.

    A part that is too long or has other characters is replaced by one that begins with ``_`` and ends with a hash, so
    that no two tools have the same name. A rule for ``SERVER__*`` covers every tool of the server.
    """
    prefix = name_prefix(server)
    return prefix + _name_part(tool, "[A-Za-z0-9-][A-Za-z0-9_-]*", NAME_LENGTH - len(prefix))


def name_prefix(server: str) -> str:
    """Return the beginning of the names of a server's tools: ``SERVER__``, in characters that all providers accept."""
    return _name_part(server, "[A-Za-z][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*", SERVER_LENGTH) + "__"


def _name_part(name: str, valid: str, length: int) -> str:
    if len(name) <= length and re.fullmatch(valid, name):
        return name
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"_{re.sub('[^A-Za-z0-9-]+', '_', name).strip('_')[: length - 10]}_{digest}"
