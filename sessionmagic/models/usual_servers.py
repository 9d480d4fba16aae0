"""The servers of models that people run on their own machine, each with the address that it has by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sessionmagic.models.clients import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.models.named import Named, Server

HERE = "localhost"
"""The host that stands for all names of this machine."""


class UsualServer(NamedTuple):
    """A server that speaks OpenAI's chat completions."""

    variable: str
    """The environment variable with its address, if it is not the usual one."""
    address: str
    """Its usual address."""

    @property
    def url(self) -> str:
        """Its base URL."""
        return os.environ.get(self.variable) or self.address


USUAL = {
    "ollama": UsualServer("OLLAMA_BASE_URL", "http://localhost:11434/v1"),
    "lmstudio": UsualServer("LMSTUDIO_BASE_URL", "http://localhost:1234/v1"),
    "llamacpp": UsualServer("LLAMACPP_BASE_URL", "http://localhost:8080/v1"),
    "vllm": UsualServer("VLLM_BASE_URL", "http://localhost:8000/v1"),
}
"""The servers by the names of their providers in references."""


def usual_endpoints() -> dict[str, str]:
    """Return the base URLs of those that are asked as the user's own endpoints are. Ollama has a class of its own."""
    return {name: server.url for name, server in USUAL.items() if name != "ollama"}


class Asked(NamedTuple):
    """A server that is asked for its models."""

    url: str
    key: str
    """The environment variable with the key that is sent; empty for none."""


def asked_servers(endpoints: Mapping[str, str], named: Mapping[str, Server]) -> dict[str, Asked]:
    """Return the servers that are asked for their models by name. Each place is there once.

    Args:
        endpoints: The base URLs of the user's endpoints.
        named: The servers of an agents file. Only those on this machine are asked, as a file can name any address.
    """
    asked = {name: Asked(url, key_of_endpoint(name)) for name, url in endpoints.items()}
    asked |= {name: found for name, each in named.items() if (found := _asked_here(each)) is not None}
    places = {_place(each.url) for each in asked.values()}
    for name, server in USUAL.items():
        if name not in asked and _place(server.url) not in places:
            asked[name] = Asked(server.url, key_of_endpoint(name) if os.environ.get(server.variable) else "")
    return asked


def asked_about(models: Mapping[str, Named]) -> dict[str, Asked]:
    """Return the servers on this machine that are asked whether they have a model, by the model's own name."""
    own = {name: _asked_here(each.server) for name, each in models.items() if each.server and not each.refusal}
    return {name: server for name, server in own.items() if server is not None}


def _asked_here(server: Server) -> Asked | None:
    is_asked = not server.refusal and _place(server.base_url)[0] == HERE
    return Asked(server.base_url, server.key) if is_asked else None


def key_of_endpoint(endpoint: str) -> str:
    """Return the environment variable with the key of one of the user's own servers."""
    return f"{endpoint.upper().replace('-', '_')}_API_KEY"


def _place(address: str) -> tuple[str, int | None]:
    """Return the host and port of an address; all names of this machine are one."""
    try:
        parts = urlsplit(address)
        return HERE if is_loopback(address) else parts.hostname or address, parts.port
    except ValueError:  # no number as the port
        return address, None
