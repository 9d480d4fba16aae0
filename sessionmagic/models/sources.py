"""The kinds of model: one class for each, which recognizes, checks, builds and lists the models of its kind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.abilities import with_profile
from sessionmagic.models.clients import check_address, check_key, known_provider
from sessionmagic.models.members import with_wrapped_members
from sessionmagic.models.offers import Offer, any_model_of
from sessionmagic.models.providers import PROVIDERS, check_base_url, openai_compatible
from sessionmagic.models.shared import shared_server
from sessionmagic.models.usual_servers import USUAL, key_of_endpoint, usual_endpoints
from sessionmagic.models.weights import check_installed, check_weights, find_weights, weights_in
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from pydantic_ai.models import Model

    from sessionmagic.models.references import ModelRef
    from sessionmagic.models.shared import SharedServer

SHARING = {"openai", "anthropic"}
"""The SDKs that are given our HTTP client."""


class Source(Protocol):
    """One kind of model. `check`, `build`, `settings` and `warnings` take a reading that `recognizes` accepts."""

    def recognizes(self, reference: ModelRef) -> bool:
        """Return whether this reading of a reference names a model of this kind."""

    def names(self) -> Iterable[str]:
        """Return the names that can begin a reference of this kind, for suggestions."""

    def check(self, reference: ModelRef) -> None:
        """Raise `ModelReferenceError` if the model cannot be used. Uses no network and imports no SDK."""

    def build(self, reference: ModelRef) -> Model:
        """Return the model. Raises `ModelReferenceError` or an error of the SDK."""

    def made_of(self, reference: ModelRef) -> tuple[str, ...] | None:  # noqa: ARG002  most kinds make them anew
        """Return what `build` makes the model of, besides the environment; None if that may change at any time."""
        return None

    def offers(self) -> list[Offer]:
        """Return the references that can be used on this machine."""

    def settings(self, reference: ModelRef) -> Mapping[str, Any]:  # noqa: ARG002  most kinds have none
        """Return the model's settings, with the names of pydantic-ai's `ModelSettings`."""
        return {}

    def warnings(self, reference: ModelRef) -> list[str]:  # noqa: ARG002  most kinds have none
        """Return warnings about the reference for the user, one line each."""
        return []


@dataclass(frozen=True, slots=True)
class Registered:
    """A model registered under a name in this process."""

    model: Model
    settings: Mapping[str, Any]


_registered: dict[str, Registered] = {}


def register_model(name: str, model: Model, settings: Mapping[str, Any] | None = None) -> None:
    """Make `name` a reference to this model in this process. It takes precedence over other meanings of `name`.

    Args:
        name: The reference.
        model: Any pydantic-ai model.
        settings: Settings of every request, with the names of pydantic-ai's `ModelSettings`: ``temperature``,
            ``max_tokens``, ``thinking``, …. They override the settings with which the model was created.
    """
    _registered[name] = Registered(model, dict(settings or {}))


class RegisteredSource(Source):
    """The models registered with `register_model`."""

    def recognizes(self, reference: ModelRef) -> bool:
        return reference.text in _registered

    def names(self) -> Iterable[str]:
        return _registered

    def check(self, reference: ModelRef) -> None:
        """Do nothing: a registered model is ready to use."""

    def build(self, reference: ModelRef) -> Model:
        return with_wrapped_members(_registered[reference.text].model, with_profile)

    def settings(self, reference: ModelRef) -> Mapping[str, Any]:
        return _registered[reference.text].settings

    def offers(self) -> list[Offer]:
        return [Offer(model=name, kind="registered") for name in _registered]


class EndpointSource(Source):
    """The models of the user's own OpenAI-compatible servers.

    Args:
        endpoints: The servers' names and base URLs.
    """

    def __init__(self, endpoints: Mapping[str, str]) -> None:
        self._endpoints = endpoints

    def recognizes(self, reference: ModelRef) -> bool:
        return bool(reference.model) and reference.provider in self._endpoints

    def names(self) -> Iterable[str]:
        return self._endpoints

    def check(self, reference: ModelRef) -> None:
        openai_compatible().check(reference.text)
        check_address(f"the base URL of {reference.provider!r}", self._endpoints[reference.provider])
        check_key(reference.text, key_of_endpoint(reference.provider))

    def build(self, reference: ModelRef) -> Model:
        from sessionmagic.models.compatible import endpoint

        name = reference.provider
        key = os.environ.get(key_of_endpoint(name))
        return endpoint(name, reference.model, self._endpoints[name], key)

    def made_of(self, reference: ModelRef) -> tuple[str, ...]:
        return "endpoint", reference.provider, reference.model, self._endpoints[reference.provider]

    def warnings(self, reference: ModelRef) -> list[str]:
        return _unlisted(reference)

    def offers(self) -> list[Offer]:
        return [any_model_of(name, "server") for name in self._endpoints]


class LocalSource(Source):
    """The models that run inside this process, or in a server for all kernels of this machine.

    Args:
        home: The directory whose ``models/`` holds further weights; None for the default home.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._home = home

    def recognizes(self, reference: ModelRef) -> bool:
        return reference.provider == "local"

    def names(self) -> Iterable[str]:
        return ["local"]

    def check(self, reference: ModelRef) -> None:
        if self._server(reference) is None:
            self._weights(reference.model)

    def build(self, reference: ModelRef) -> Model:
        from sessionmagic.models.local import LocalModel

        if (server := self._server(reference)) is not None:
            return LocalModel(server.weights, context_length=server.context_length, server=server)
        path = self._weights(reference.model)
        check_weights(path, home=self._home)
        return LocalModel(path)

    def offers(self) -> list[Offer]:
        try:
            server = shared_server(self._home)
            if server is not None:
                return [Offer(model="local", kind="local", note=f"{Path(server.weights).stem}, shared by all kernels")]
            self._weights("")
        except ModelReferenceError as error:
            return [Offer(model="local", kind="local", note=f"demo model, not ready: {error}")]
        named = [Offer(model=f"local:{name}", kind="local") for name in weights_in(self._home)]
        return [Offer(model="local", kind="local", note="demo model, runs in this kernel"), *named]

    def _server(self, reference: ModelRef) -> SharedServer | None:
        """Return the server that holds the weights of a reference; None if they are loaded here."""
        server = shared_server(self._home)
        is_meant = server is not None and reference.model in {"", Path(server.weights).stem, server.weights}
        return server if is_meant else None

    def _weights(self, name: str) -> Path:
        check_installed()
        return find_weights(name, home=self._home)


class TestSource(Source):
    """pydantic-ai's test model, which answers without a model."""

    def recognizes(self, reference: ModelRef) -> bool:
        return reference.provider == "test"

    def names(self) -> Iterable[str]:
        return ["test"]

    def check(self, reference: ModelRef) -> None:
        """Do nothing: the test model needs nothing."""

    def build(self, reference: ModelRef) -> Model:  # noqa: ARG002  there is only one
        from pydantic_ai.models import infer_model

        return infer_model("test")

    def made_of(self, reference: ModelRef) -> tuple[str, ...]:  # noqa: ARG002  there is only one
        return ("test",)

    def offers(self) -> list[Offer]:
        return [Offer(model="test", kind="local", note="answers without a model, for trying things out")]


class ProviderSource(Source):
    """The models of the providers that pydantic-ai knows."""

    def recognizes(self, reference: ModelRef) -> bool:
        return bool(reference.model) and reference.provider in PROVIDERS

    def names(self) -> Iterable[str]:
        return PROVIDERS

    def check(self, reference: ModelRef) -> None:
        PROVIDERS[reference.provider].check(reference.text)
        check_base_url(reference.provider)

    def build(self, reference: ModelRef) -> Model:
        from pydantic_ai.models import infer_model

        provider, name = reference.provider, reference.model
        if PROVIDERS[provider].module not in SHARING:
            return infer_model(f"{provider}:{name}")
        from sessionmagic.models.compatible import ollama, with_mended_streams

        if provider == "ollama":
            return ollama(name, USUAL["ollama"].url)
        return with_mended_streams(infer_model(f"{provider}:{name}", known_provider))

    def made_of(self, reference: ModelRef) -> tuple[str, ...]:
        return "provider", reference.provider, reference.model

    def warnings(self, reference: ModelRef) -> list[str]:
        return _unlisted(reference)

    def offers(self) -> list[Offer]:
        usable = sorted(name for name, provider in PROVIDERS.items() if not provider.lacks)
        listed = [Offer(model=name, kind="provider") for name in _listed(usable)]
        return [*(any_model_of(name, "server" if name in USUAL else "provider") for name in usable), *listed]

    def catalog(self) -> list[Offer]:
        """Return the known models of the providers that cannot be used yet, each with what it needs."""
        lacking = {name: provider.lacks for name, provider in PROVIDERS.items() if provider.lacks}
        return [
            Offer(model=name, kind="catalog", note=f"needs {lacking[name.partition(':')[0]]}")
            for name in _listed(lacking)
        ]


def _listed(providers: Container[str]) -> list[str]:
    """Return the references of the models of these providers that pydantic-ai knows."""
    from pydantic_ai.models import known_model_names

    return [name for name in known_model_names() if name.partition(":")[0] in providers]


def key_variable(reference: str) -> str | None:
    """Return the environment variable from which a reference's key is read.

    It is None for a registered model, which brings its key, and for a provider that needs none.
    """
    provider, colon, _ = reference.partition(":")
    if not colon or reference in _registered:
        return None
    known = PROVIDERS.get(provider) if provider not in usual_endpoints() else None
    names = list(known.key) if known else [key_of_endpoint(provider)]
    return next((name for name in names if os.environ.get(name)), names[0] if names else None)


def _unlisted(reference: ModelRef) -> list[str]:
    """Return a warning if the provider's models are listed and this one is not. As lists age, this is not an error."""
    from pydantic_ai.models import known_model_names

    listed = [name.partition(":") for name in known_model_names()]
    names = [model for provider, _, model in listed if provider == reference.provider]
    if not names or reference.model in names or "OPENAI_BASE_URL" in os.environ:
        return []
    advice = suggestion(reference.model, names)
    return [f"{reference.text} is not in any known list of models, but is tried anyway{advice}"]
