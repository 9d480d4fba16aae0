"""What an agents file does not get by itself, but only by the user's yes: its powers.

A file may make things stricter. What makes them looser, what sends a key to an address of the file's own, and what
starts an MCP server or connects to one holds when the user has confirmed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sessionmagic.agents.use import toolsets_of
from sessionmagic.agents.variables import variables_in
from sessionmagic.models.clients import host_of, is_loopback
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.toolsets import Toolset

SHOWN = 300
"""Characters of the powers that a warning names."""


def powers_of(file: AgentsFile) -> tuple[str, ...]:
    """Return the powers that a file asks for, each in words."""
    allows = [f"allow {pattern}" for pattern in (file.permissions.allow if file.permissions else ())]
    modes = [autonomous(agent.name) for agent in file.agents.values() if agent.safety == "autonomous"]
    servers = [
        power for agent in file.agents.values() for each in toolsets_of(file, agent) if (power := connecting(each))
    ]
    return tuple(dict.fromkeys([*allows, *modes, *_sent(file), *servers]))


def autonomous(agent: str) -> str:
    """Return the power of an agent whose calls all run."""
    return f"safety autonomous of {agent}"


def sending(variables: Iterable[str], address: str) -> list[str]:
    """Return the powers to send what is in some variables to an address; none if that is on this machine."""
    if is_loopback(address) or not address:
        return []
    host = urlsplit(address).netloc.rpartition("@")[2] if host_of(address) else address
    return [f"send {name} to {host}" for name in variables if name]


def connecting(toolset: Toolset) -> str:
    """Return the power to start the MCP server of a toolset, or to connect to it, before any call is asked about.

    Empty if the toolset has no server, or one that needs Docker's gateway.
    """
    if toolset.type != "mcp" or toolset.ref:
        return ""
    if toolset.remote:
        sent = [f"{name}: {text}" for name, text in toolset.remote.headers.items()]
        return f"connect to {toolset.remote.url}" + (f" and send it {', '.join(sent)}" if sent else "")
    variables = [f"{name}={text}" for name, text in toolset.env.items()]
    command = " ".join([toolset.command, *toolset.args])
    return f"start {command}" + (f" with {', '.join(variables)}" if variables else "")


def _sent(file: AgentsFile) -> Iterator[str]:
    for provider in file.providers.values():
        yield from sending([provider.token_key, *variables_in(provider.headers)], provider.base_url)
    for model in file.models.values():
        known = file.providers.get(model.provider)
        key, address = model.token_key, model.base_url
        if known is not None:
            key, address = key or known.token_key, address or known.base_url
        yield from sending([key, *(variables_in(known.headers) if known else ())], address)


def not_confirmed(file: AgentsFile, confirmed: Collection[str]) -> list[str]:
    """Return the powers of a file that the user has not confirmed."""
    return [power for power in powers_of(file) if power not in confirmed]


def doubt(file: AgentsFile, powers: Collection[str]) -> str:
    """Return a warning that names powers that do not hold; empty if there are none."""
    if not powers:
        return ""
    named = shortened(printable(", ".join(powers)), SHOWN)
    return f"{file.where} asks for what you have not confirmed, so it does not hold: {named}; {how_to_confirm(file)}"


def how_to_confirm(file: AgentsFile) -> str:
    """Return the command that confirms the powers of a file."""
    return f"%agent agents load {file.where} --confirm allows it"
