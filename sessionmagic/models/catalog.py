"""Find the model that a reference names, check it and build it."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.abilities import context_window, makes_room, sees_images, takes_tools
from sessionmagic.models.clients import ask_directly, learn_keys, missing_certificates
from sessionmagic.models.configured import configured, limit_of, price_of
from sessionmagic.models.library_warnings import hide_library_warnings
from sessionmagic.models.references import readings, why_unknown
from sessionmagic.models.sources import (
    EndpointSource,
    LocalSource,
    ProviderSource,
    RegisteredSource,
    TestSource,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from pathlib import Path

    from pydantic_ai.models import Model

    from sessionmagic.models.references import ModelRef
    from sessionmagic.models.sources import Offer, Source


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is ready to be used."""

    reference: str
    model: Model
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of every request, with the names of pydantic-ai's `ModelSettings`."""
    warnings: list[str] = field(default_factory=list)
    """Warnings about the reference for the user."""
    price: Sequence[float] | None = None
    """What the user says that it costs: dollars for a million input tokens and a million output tokens."""
    context_limit: int | None = None
    """How many tokens the model can read; None if that is unknown."""

    @property
    def takes_tools(self) -> bool:
        """Whether the model can call tools."""
        return takes_tools(self.model)

    @property
    def sees_images(self) -> bool:
        """Whether the model can be sent images."""
        return sees_images(self.model)

    @property
    def makes_room(self) -> bool:
        """Whether the model leaves out old messages itself when its context is full."""
        return makes_room(self.model)


class Models:
    """The models that references can name.

    Args:
        default: The reference used when a session has no override; by default the one that is configured in this
            process, which is ``local`` unless ``%config AgentMagics.model`` has changed it.
        endpoints: Names and base URLs of OpenAI-compatible servers, besides those that are configured in this process.
            ``lab:model`` then asks the server named ``lab``. The key of a server that needs one is read from
            ``LAB_API_KEY``.
        home: The store's home, whose directory ``models/`` holds further weights.
        prices: What models cost, besides the prices that are configured in this process: dollars for a million input
            tokens and a million output tokens, by reference or by provider. They replace the known prices. A server
            that is not a known provider's own is unpriced without one.
        context_limits: How many tokens models can read, besides the limits that are configured in this process, by
            reference or by provider. They replace the known limits.
    """

    def __init__(
        self,
        default: str | None = None,
        endpoints: Mapping[str, str] | None = None,
        home: Path | None = None,
        prices: Mapping[str, Sequence[float]] | None = None,
        context_limits: Mapping[str, int] | None = None,
    ) -> None:
        self._default = default
        self.endpoints: MutableMapping[str, str] = ChainMap(dict(endpoints or {}), configured.endpoints)
        self.prices: MutableMapping[str, Sequence[float]] = ChainMap(dict(prices or {}), configured.prices)
        self.context_limits: MutableMapping[str, int] = ChainMap(dict(context_limits or {}), configured.context_limits)
        self._home = home

    @property
    def default(self) -> str:
        """The reference used when a session has no override."""
        return self._default if self._default is not None else configured.default

    @default.setter
    def default(self, reference: str) -> None:
        self._default = reference

    def check(self, reference: str) -> None:
        """Raise `ModelReferenceError` if the reference cannot be used. Uses no network and imports no SDK."""
        source, reading = self._find(reference)
        source.check(reading)

    def resolve(self, reference: str) -> ResolvedModel:
        """Return the model that the reference names; raises `ModelReferenceError`. Imports the model's SDK."""
        source, reading = self._find(reference)
        source.check(reading)
        price, limit = price_of(self.prices, reading), limit_of(self.context_limits, reading)
        from pydantic_ai.exceptions import UserError

        hide_library_warnings()
        try:
            model = source.build(reading)
            ask_directly(model)
            learn_keys(model)
        except (UserError, ImportError, ValueError, TypeError, OSError) as error:
            missing = missing_certificates() if isinstance(error, OSError) else None
            reason = missing or " ".join(str(error).split()) or type(error).__name__
            raise ModelReferenceError(f"{reference}: {reason}") from error
        settings, warnings = source.settings(reading), source.warnings(reading)
        return ResolvedModel(reference, model, settings, warnings, price, limit or context_window(model))

    def offers(self) -> list[Offer]:
        """Return the references that can be used on this machine, each with a note about it."""
        return [offer for source in self._sources() for offer in source.offers()]

    def known(self) -> list[str]:
        """Return the references that can be used on this machine, as completion offers them."""
        return [offer.reference for offer in self.offers()]

    def _sources(self) -> list[Source]:
        """Return the kinds of model, in the order in which they are tried and listed.

        A registered name comes before everything else, and an endpoint before a provider with the same name. The
        providers come last because their lists are long.
        """
        return [
            RegisteredSource(),
            EndpointSource(self.endpoints),
            LocalSource(self._home),
            TestSource(),
            ProviderSource(),
        ]

    def _find(self, reference: str) -> tuple[Source, ModelRef]:
        sources = self._sources()
        for reading in readings(reference):
            for source in sources:
                if source.recognizes(reading):
                    return source, reading
        raise ModelReferenceError(why_unknown(reference, [name for source in sources for name in source.names()]))
