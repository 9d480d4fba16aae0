"""The servers of models that people run on their own machine, each with the address that it has by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sessionmagic.models.clients import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def addresses_of(endpoints: Mapping[str, str]) -> dict[str, str]:
    """Return the base URLs of the user's endpoints and of the usual servers by name. Each place is there once."""
    addresses, places = dict(endpoints), {_place(address) for address in endpoints.values()}
    for name, server in USUAL.items():
        if name not in addresses and _place(server.url) not in places:
            addresses[name] = server.url
    return addresses


def given_by_user(name: str, endpoints: Mapping[str, str]) -> bool:
    """Return whether the user has given the address of a server, so that its key may be sent there unasked."""
    return name in endpoints or bool(os.environ.get(USUAL[name].variable))


def _place(address: str) -> tuple[str, int | None]:
    """Return the host and port of an address; all names of this machine are one."""
    try:
        parts = urlsplit(address)
        return "localhost" if is_loopback(address) else parts.hostname or address, parts.port
    except ValueError:  # no number as the port
        return address, None
