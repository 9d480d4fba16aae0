"""The models of servers and accounts that have a name of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.clients import check_address
from sessionmagic.models.offers import any_model_of
from sessionmagic.models.providers import PROVIDERS, check_base_url
from sessionmagic.models.references import quoted
from sessionmagic.models.sources import Source
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_ai.models import Model

    from sessionmagic.models.named import Server
    from sessionmagic.models.offers import Offer
    from sessionmagic.models.references import ModelRef


class ServerSource(Source):
    """The models of the servers and accounts that an agents file names.

    Args:
        servers: The servers by name.
    """

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = servers

    def recognizes(self, reference: ModelRef) -> bool:
        return bool(reference.model) and reference.provider in self._servers

    def names(self) -> Iterable[str]:
        return self._servers

    def check(self, reference: ModelRef) -> None:
        check_server(reference.text, self._servers[reference.provider])

    def build(self, reference: ModelRef) -> Model:
        from sessionmagic.models.serving import served

        return served(reference.provider, reference.model, self._servers[reference.provider])

    def made_of(self, reference: ModelRef) -> tuple[str, ...]:
        server = self._servers[reference.provider]
        return "server", reference.provider, reference.model, server.provider, server.base_url, server.key

    def settings(self, reference: ModelRef) -> Mapping[str, Any]:
        headers = self._servers[reference.provider].headers
        return {"extra_headers": dict(headers)} if headers else {}

    def offers(self) -> list[Offer]:
        return [any_model_of(name, "named") for name in self._servers]


def check_server(reference: str, server: Server) -> None:
    """Raise `ModelReferenceError` if a server of an agents file cannot be asked."""
    if server.refusal:
        raise ModelReferenceError(f"{quoted(reference)} {server.refusal}")
    if server.provider not in PROVIDERS:
        raise ModelReferenceError(
            f"{quoted(reference)} has the provider {quoted(server.provider)}, which is unknown"
            + suggestion(server.provider, PROVIDERS, "%agent models lists what can be used")
        )
    provider, address = PROVIDERS[server.provider], server.base_url
    keys = (server.key,) if server.key else () if address else provider.key
    replace(provider, key=keys).check(reference)
    if address:
        check_address(f"the base_url of {quoted(reference)}", address)
    else:
        check_base_url(server.provider)
