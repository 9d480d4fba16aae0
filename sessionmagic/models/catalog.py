"""From a model reference to a model that can be asked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.references import (
    PROVIDERS,
    ModelRef,
    Provider,
    check_provider,
    parse_reference,
)
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_ai.models import Model

OLLAMA_URL = "http://localhost:11434/v1"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is ready to be asked, and what its user should know about the reference."""

    reference: str
    model: Model
    warnings: list[str] = field(default_factory=list)


_registered: dict[str, Model] = {}


def register_model(name: str, model: Model) -> None:
    """Let the reference `name` mean this pydantic-ai model in this process, before any other reading of it."""
    _registered[name] = model


class Models:
    """The models that references can name.

    Args:
        default: the reference that serves when a session has no override.
        endpoints: names for OpenAI-compatible servers, each with its base URL; ``lab:model`` then asks the
            server named ``lab``. Its key is read from ``LAB_API_KEY`` where the server wants one.
        home: where ``models/`` with further weights is; the store's home.
    """

    def __init__(
        self, default: str = "local", endpoints: Mapping[str, str] | None = None, home: Path | None = None
    ) -> None:
        self.default = default
        self.endpoints = dict(endpoints or {})
        self._home = home

    def check(self, reference: str) -> ModelRef | None:
        """Raise `ModelReferenceError` when the reference cannot be used. Asks no network, imports no SDK.

        Returns the reference taken apart, or None for a named model.
        """
        if reference in _registered:
            return None
        parsed = parse_reference(reference, [*self.endpoints, *PROVIDERS])
        if parsed.provider in self.endpoints:
            check_provider(parsed, Provider(module="openai", install="sessionmagic[openai]"))
        elif parsed.provider == "local":
            from sessionmagic.models.weights import check_installed, find_weights

            check_installed()
            find_weights(parsed.model, home=self._home)
        elif parsed.provider != "test":
            check_provider(parsed, PROVIDERS[parsed.provider])
        return parsed

    def resolve(self, reference: str) -> ResolvedModel:
        """Return the model that the reference names; raises `ModelReferenceError`. Imports what it needs."""
        parsed = self.check(reference)
        if parsed is None:
            return ResolvedModel(reference, _registered[reference])
        from pydantic_ai.exceptions import UserError

        try:
            return ResolvedModel(reference, self._build(parsed), _unlisted(parsed))
        except (UserError, ImportError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelReferenceError(f"{reference}: {reason}") from error

    def _build(self, reference: ModelRef) -> Model:
        from pydantic_ai.models import infer_model

        match reference.provider:
            case "local":
                from sessionmagic.models.local import LocalModel
                from sessionmagic.models.weights import check_weights, find_weights

                path = find_weights(reference.model, home=self._home)
                check_weights(path, home=self._home)
                return LocalModel(path)
            case "ollama" if "OLLAMA_BASE_URL" not in os.environ:
                return _openai_chat(reference.model, OLLAMA_URL, None)
            case "test":
                return infer_model("test")
            case name if name in self.endpoints:
                key = os.environ.get(f"{name.upper().replace('-', '_')}_API_KEY")
                return _openai_chat(reference.model, self.endpoints[name], key)
            case name:
                return infer_model(f"{name}:{reference.model}")

    def known(self) -> list[str]:
        """Return references to offer when one is being typed: named, local, then those of usable providers."""
        from pydantic_ai.models import known_model_names

        usable = {name for name in PROVIDERS if self._usable(name)}
        listed = [name for name in known_model_names() if name.partition(":")[0] in usable]
        prefixes = [f"{name}:" for name in (*self.endpoints, *sorted(usable))]
        return [*_registered, "local", "test", *prefixes, *listed]

    def _usable(self, provider: str) -> bool:
        try:
            check_provider(ModelRef(provider, provider), PROVIDERS[provider])
        except ModelReferenceError:
            return False
        return True


def _openai_chat(model: str, base_url: str, key: str | None) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=base_url, api_key=key or "not-needed"))


def _unlisted(reference: ModelRef) -> list[str]:
    """Return a warning for a name that no list knows. Lists age, so it is never more than a warning."""
    from pydantic_ai.models import known_model_names

    listed = [name.partition(":") for name in known_model_names()]
    names = [model for provider, _, model in listed if provider == reference.provider]
    if not names or reference.model in names or "OPENAI_BASE_URL" in os.environ:
        return []
    hint = did_you_mean(reference.model, names)
    return [f"no list knows the model {reference.text}; asking for it all the same.{hint}"]
