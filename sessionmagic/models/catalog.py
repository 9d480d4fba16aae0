"""Find the model that a reference names, check it and build it."""

from __future__ import annotations

import random
from collections import ChainMap
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.garbage import uncollected
from sessionmagic.models.abilities import context_window
from sessionmagic.models.available import AUTO, automatic, first_available
from sessionmagic.models.blends import held_together, members_in
from sessionmagic.models.clients import ask_directly, learn_keys, missing_certificates
from sessionmagic.models.configured import configured, limit_of, price_of
from sessionmagic.models.cooldowns import Cooldowns
from sessionmagic.models.kept import MODELS
from sessionmagic.models.library_warnings import hide_library_warnings
from sessionmagic.models.members import with_wrapped_members
from sessionmagic.models.named import NO_NAMES
from sessionmagic.models.offers import Offer, named_offer, once
from sessionmagic.models.packages import PackageSource
from sessionmagic.models.priced import priced
from sessionmagic.models.references import ModelRef, quoted, readings, why_unknown
from sessionmagic.models.replay_source import REPLAY, ReplaySource, recording_of_process, who_answers
from sessionmagic.models.resolved import ResolvedModel
from sessionmagic.models.servers import ServerSource
from sessionmagic.models.sources import (
    EndpointSource,
    LocalSource,
    ProviderSource,
    RegisteredSource,
    TestSource,
)
from sessionmagic.models.usual_servers import asked_servers, usual_endpoints

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping, MutableMapping, Sequence
    from pathlib import Path

    from pydantic_ai.models import Model

    from sessionmagic.models.named import Named, Names, Server
    from sessionmagic.models.recording import Library, Recording
    from sessionmagic.models.sources import Source


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

    Attributes:
        choose: Chooses the member of an alloy that a request goes to. ``random.Random(7).choice`` makes the same
            choices again.
        cooldowns: The models that have failed an agent with fallbacks, and are left out for a while.
        library: Finds the recordings that are replayed; None without a manager.
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
        self._names = NO_NAMES
        self._found: list[Offer] = []
        """What servers and packages have listed when they were looked for last."""
        self.choose: Callable[[Sequence[Any]], Any] = random.choice
        self.cooldowns = Cooldowns()
        self.library: Library | None = None

    @property
    def default(self) -> str:
        """The reference used when a session has no override."""
        return self._default if self._default is not None else configured.default

    @default.setter
    def default(self, reference: str) -> None:
        self._default = reference

    @property
    def names(self) -> Names:
        """The models and servers that have names of their own."""
        return self._names

    def within(self, names: Names) -> Models:
        """Return these models with others, whose names come before all other meanings of a reference."""
        scoped = copy(self)
        scoped._names = names  # noqa: SLF001  it is one of this class
        return scoped

    def check(self, reference: str) -> None:
        """Raise `ModelReferenceError` if the reference cannot be used. Uses no network and imports no SDK."""
        if self._is_replayed(reference):
            recording_of_process(self.library)
            return
        if named := self._names.models.get(reference):
            self._check_named(reference, named)
            return
        members = self._members(reference)
        for each in members:
            self.check(each)
        if not members:
            source, reading = self._find(reference)
            source.check(reading)

    def replays(self, reference: str) -> bool:
        """Return whether a recording answers where a reference is asked: that of the process, or one that it names."""
        return reference.startswith(f"{REPLAY}:") or self._is_replayed(reference)

    def _is_replayed(self, reference: str) -> bool:
        """Return whether the recording of this process answers in place of a model, and nothing else does."""
        return bool(configured.replay) and not configured.fills and not reference.startswith(f"{REPLAY}:")

    def _replayed(self, reference: str) -> ResolvedModel:
        """Return the model that gives recorded answers, with the settings that come with a name of a model."""
        named = self._names.models.get(reference)
        if named is None:
            recording_of_process(self.library)
            return replace(self.resolve(f"{REPLAY}:{configured.replay}"), reference=reference)
        inner = self._replayed(named.references[0] if len(named.references) == 1 else "")
        return replace(inner.with_added(named), reference=reference)

    def _check_named(self, name: str, named: Named) -> None:
        if named.refusal:
            raise ModelReferenceError(f"{quoted(name)} {named.refusal}")
        if named.server is not None:
            source, reading = _on_server(name, named, named.server)
            source.check(reading)
        elif named.first:
            first_available(self, named.references)
        else:
            for each in named.references:
                self.check(each)

    def resolve(self, reference: str, loop: AbstractEventLoop | None = None) -> ResolvedModel:
        """Return the model that the reference names. Imports the model's SDK.

        References that are joined by commas are an alloy: each request goes to one of them, at random. One that is
        named twice is chosen twice as often. ``auto`` is the first model of a list that can be used here.

        Args:
            reference: The reference.
            loop: The event loop on which the model is asked. If it is given, the model may be the same as before.

        Where a recording answers in place of all models, this is a model that gives its answers.

        Raises `ModelReferenceError`.
        """
        if self._is_replayed(reference):
            return self._replayed(reference)
        if named := self._names.models.get(reference):
            return self._named(reference, named, loop)
        if members := self._members(reference):
            return self._alloy(reference, members, loop)
        return self._single(*self._find(reference), loop)

    def _named(self, name: str, named: Named, loop: AbstractEventLoop | None) -> ResolvedModel:
        """Return a model that has a name of its own. Prices and limits that the user gives by that name hold."""
        self._check_named(name, named)
        if named.server is not None:
            model = self._single(*_on_server(name, named, named.server), loop)
        elif named.is_alloy:
            model = self._alloy(name, named.references, loop)
        else:
            first = first_available(self, named.references) if named.first else named.references[0]
            model = self.resolve(first, loop)
        given = ModelRef(name, name)
        price, limit = price_of(self.prices, given), limit_of(self.context_limits, given)
        added = named if price is None else replace(named, price=price)
        return replace(model.with_added(added), reference=name, context_limit=limit or model.context_limit)

    def _single(self, source: Source, reading: ModelRef, loop: AbstractEventLoop | None) -> ResolvedModel:
        reference = reading.text
        source.check(reading)
        price, limit = price_of(self.prices, reading), limit_of(self.context_limits, reading)
        with uncollected():  # the first import is most of what a kernel's first cell waits for
            from pydantic_ai.exceptions import UserError

        hide_library_warnings()
        try:
            model = MODELS.made(loop, source.made_of(reading), lambda: _made(source, reading))
        except (UserError, ImportError, ValueError, TypeError, OSError) as error:
            missing = missing_certificates() if isinstance(error, OSError) else None
            reason = missing or " ".join(str(error).split()) or type(error).__name__
            raise ModelReferenceError(f"{reference}: {reason}") from error
        if configured.replay and configured.fills and not isinstance(source, ReplaySource):
            model = _filling(model, recording_of_process(self.library))
        settings, warnings = source.settings(reading), source.warnings(reading)
        return ResolvedModel(reference, model, settings, warnings, price, limit or context_window(model))

    def _members(self, reference: str) -> list[str]:
        """Return the references in that of an alloy, or the one that ``auto`` stands for; empty for any other.

        A registered name may have a comma, or be ``auto``, too.
        """
        if self._is_registered(reference):
            return []
        members = [reference] if reference == AUTO else members_in(reference)
        return [automatic(self) if each == AUTO and not self._is_registered(each) else each for each in members]

    def _is_registered(self, reference: str) -> bool:
        return RegisteredSource().recognizes(ModelRef(reference, reference))

    def _alloy(self, reference: str, names: Sequence[str], loop: AbstractEventLoop | None) -> ResolvedModel:
        found = {name: self.resolve(name, loop) for name in dict.fromkeys(names)}
        limits = [each.context_limit for each in found.values() if each.context_limit is not None]
        models = [each.model for each in found.values()]
        return ResolvedModel(
            reference,
            held_together(models) if len(models) > 1 else models[0],
            warnings=[warning for each in found.values() for warning in each.warnings],
            context_limit=min(limits, default=None),
            members=tuple(found[name] for name in names),
            choose=self.choose,
        )

    def look_around(self) -> None:
        """Find what only servers and other packages know, and what `offers` has from then on.

        The user's endpoints, and the servers of this machine that are usual, have names or are those of a model with a
        name, are asked for their models, which takes 0.3 s at most, and the packages with models are imported. A key is
        only sent to an address that the user has given. Where a recording answers in place of all models, nothing is
        asked. Raises `RuntimeError` on the thread of the event loop.
        """
        from sessionmagic.models.running import served_offers

        if self._is_replayed(""):
            self._found.clear()
            return
        servers = asked_servers(self.endpoints, self._names.servers)
        self._found[:] = [*self._packages().listed(), *served_offers(servers, self._names.models)]

    def offers(self) -> list[Offer]:
        """Return the references that can be used on this machine, each with a note about it.

        Asks no server and imports no package, see `look_around`.
        """
        named = {name: named_offer(name, each.meaning) for name, each in self._names.models.items()}
        named |= {offer.model: offer for offer in self._found if offer.model in named and offer.kind == "named"}
        found = [offer for offer in self._found if offer.kind != "named"]
        offers = [offer for source in self._sources() for offer in source.offers()]
        return once([*named.values(), self._automatic_offer(), *found, *offers])

    def catalog(self) -> list[Offer]:
        """Return the known models that cannot be used before something is installed or set, which their notes say."""
        return ProviderSource().catalog()

    def with_prices(self, offer: Offer) -> Offer:
        """Return an offer with what the model costs and how much it can read, as far as that is known."""
        named = self._names.models.get(offer.model)
        return priced(offer, named, self.prices, self.context_limits, own={*self.endpoints, *self._names.servers})

    def _automatic_offer(self) -> Offer:
        if self._is_replayed(AUTO):
            return Offer(model=AUTO, kind="named", note=who_answers())
        try:
            note = f"here {automatic(self)}, the first with a key and an SDK"
        except ModelReferenceError as error:
            note = f"not ready: {error}"
        return Offer(model=AUTO, kind="named", note=note)

    def known(self) -> list[str]:
        """Return the references that can be used on this machine, as completion offers them."""
        return [offer.model for offer in self.offers()]

    def _sources(self) -> list[Source]:
        """Return the kinds of model, in the order in which they are tried.

        A registered name comes before everything else, and an endpoint before a provider with the same name. Other
        packages come last, so that none can take a name that is known.
        """
        return [*self._known_sources(), self._packages()]

    def _packages(self) -> PackageSource:
        return PackageSource({name for source in self._known_sources() for name in source.names()})

    def _known_sources(self) -> list[Source]:
        return [
            RegisteredSource(),
            ServerSource(self._names.servers),
            EndpointSource(self.endpoints),
            LocalSource(self._home),
            TestSource(),
            ReplaySource(self.library),
            EndpointSource(usual_endpoints()),
            ProviderSource(),
        ]

    def _find(self, reference: str) -> tuple[Source, ModelRef]:
        sources = self._sources()
        for reading in readings(reference):
            for source in sources:
                if source.recognizes(reading):
                    return source, reading
        names = [AUTO, *self._names.models, *(name for source in sources for name in source.names())]
        raise ModelReferenceError(why_unknown(reference, names))


def _on_server(name: str, named: Named, server: Server) -> tuple[Source, ModelRef]:
    """Return the kind of a named model that has a server of its own, and how its name is read."""
    return ServerSource({name: server}), ModelRef(name, name, named.references[0])


def _filling(model: Model, recording: Recording) -> Model:
    from sessionmagic.models.replay import FillingModel

    return with_wrapped_members(model, lambda each: FillingModel(each, recording))


def _made(source: Source, reading: ModelRef) -> Model:
    with uncollected():  # the SDK may be imported
        model = source.build(reading)
    ask_directly(model)
    learn_keys(model)
    return model
