"""A model that is ready to be used, as a reference names it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.models.abilities import address_of, makes_room, provider_of, sees_images, takes_tools
from sessionmagic.models.settings import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_ai.models import Model

    from sessionmagic.models.named import Named


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
    """What the user says that it costs, in dollars for a million tokens; see `Named.price`."""
    context_limit: int | None = None
    """How many tokens the model can read; None if that is unknown. For an alloy, what each member can read."""
    members: tuple[ResolvedModel, ...] = ()
    """The models of an alloy, of which each request asks one; empty for a single model."""
    choose: Callable[[Sequence[Any]], Any] = random.choice
    """Chooses the member for a request."""
    fallbacks: tuple[ResolvedModel, ...] = ()
    """The models that are asked instead when this one fails, in this order."""
    named_settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that come with the model's name in an agents file, by the names of `models.settings`."""
    shown_images: bool | None = None
    """Whether it can be sent images, if that is said with its name."""

    @property
    def own(self) -> tuple[ResolvedModel, ...]:
        """The models that requests go to unless they fail: the members of an alloy, else the model itself."""
        return self.members or (self,)

    @property
    def each(self) -> tuple[ResolvedModel, ...]:
        """The models that requests may go to: the model's own, and those of its fallbacks."""
        return (*self.own, *(each for fallback in self.fallbacks for each in fallback.own))

    def chosen(self) -> ResolvedModel:
        """Return the model that the next request goes to: a member of an alloy, else the model itself."""
        return self.choose(self.members) if self.members else self

    def with_settings(self, change: Callable[[ResolvedModel], Mapping[str, Any]]) -> ResolvedModel:
        """Return the model with other settings of its requests.

        Args:
            change: Returns the settings of a single model, which may be a member of an alloy or a fallback.
        """
        fallbacks = tuple(each.with_settings(change) for each in self.fallbacks)
        if self.members:
            members = tuple(each.with_settings(change) for each in self.members)
            return replace(self, members=members, fallbacks=fallbacks)
        return replace(self, settings=change(self), fallbacks=fallbacks)

    def with_added(self, named: Named) -> ResolvedModel:
        """Return the model, or each member of it, with what a name of it adds."""
        fields = {**self.settings.get("extra_body", {}), **named.fields}
        return replace(
            self,
            settings={**self.settings, "extra_body": fields} if named.fields else self.settings,
            members=tuple(each.with_added(named) for each in self.members),
            named_settings=merged(self.named_settings, named.settings),
            price=self.price if named.price is None else named.price,
            shown_images=self.shown_images if named.sees_images is None else named.sees_images,
        )

    @property
    def provider(self) -> tuple[str, str]:
        """What identifies the provider that the model asks, by its name and its address. An alloy has one of its own.

        A model without an address has a provider of its own, too.
        """
        if len(self.members) > 1:
            return "alloy", self.reference
        return provider_of(self.model, self.own[0].reference)

    @property
    def identity(self) -> str:
        """What tells the model from others, also from what its name stands for after its agents file has changed."""
        asked = (" at ".join(filter(None, [each.model.model_name, address_of(each.model)])) for each in self.own)
        return " ".join(dict.fromkeys([self.reference, *asked]))

    @property
    def is_local(self) -> bool:
        """Whether the model, or a member of it, runs in this process, one request at a time."""
        return any(each.provider[0] == "local" for each in self.each)

    @property
    def is_replay(self) -> bool:
        """Whether a recording answers in place of the model, which is not asked for anything."""
        from sessionmagic.models.replay import is_replay

        return all(is_replay(each.model) for each in self.own)

    @property
    def takes_tools(self) -> bool:
        """Whether the model can call tools. A member of an alloy that cannot is asked without them."""
        return any(takes_tools(each.model) for each in self.each)

    @property
    def sees_images(self) -> bool:
        """Whether the model can be sent images, whichever member of it is asked."""
        return all(sees_images(each.model) if each.shown_images is None else each.shown_images for each in self.own)

    @property
    def makes_room(self) -> bool:
        """Whether the model leaves out old messages itself when its context is full."""
        return makes_room(self.model)
