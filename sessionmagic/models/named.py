"""Models and servers that have names of their own, as an agents file gives them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An address with the protocol of a provider, or an account with one."""

    provider: str = "openai"
    base_url: str = ""
    """Its address; empty for the provider's own."""
    key: str = ""
    """The environment variable with the key. Empty: the provider's usual one, or none for another address."""
    headers: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    """Why it is not asked, and what to do, if the user must allow that first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of a model stands for, and what it adds to that."""

    references: tuple[str, ...]
    """What is asked; several are an alloy. With a server, its name of the model."""
    server: Server | None = None
    first: bool = False
    """Whether only the first reference is meant that can be used here."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of its requests, by the names of `models.settings`."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of its requests, as its server names them."""
    price: Sequence[float] | None = None
    """Dollars for a million tokens: input, output and, where these differ from input, read from and written to the
    cache."""
    sees_images: bool | None = None
    """Whether it can be sent images; None for what is known of the model."""
    refusal: str = ""
    """Why it cannot be asked, and what to do; empty if it can."""

    @property
    def is_alloy(self) -> bool:
        """Whether it stands for several models, of which each request goes to one."""
        return len(self.references) > 1 and not self.first

    @property
    def meaning(self) -> str:
        """What the name stands for, in words."""
        if self.server is not None:
            where = f" at {self.server.base_url}" if self.server.base_url else ""
            return f"{self.server.provider}:{self.references[0]}{where}"
        return f"the first of {', '.join(self.references)}" if self.first else ", ".join(self.references)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The models and servers that have names of their own."""

    models: Mapping[str, Named] = field(default_factory=dict)
    servers: Mapping[str, Server] = field(default_factory=dict)

    def behind(self, reference: str) -> dict[str, Named]:
        """Return the models with names of their own that a reference stands for, by their names."""
        found: dict[str, Named] = {}
        todo = [reference]
        while todo:
            name = todo.pop()
            if name in self.models and name not in found:
                found[name] = self.models[name]
                todo += found[name].references
            elif "," in name and name not in self.models:
                todo += map(str.strip, name.split(","))
        return found

    def without_headers(self) -> Names:
        """Return the names without the headers of their servers, which may hold keys."""
        models = {
            name: replace(each, server=replace(each.server, headers={})) if each.server is not None else each
            for name, each in self.models.items()
        }
        return Names(models=models, servers={name: replace(each, headers={}) for name, each in self.servers.items()})


NO_NAMES = Names()
