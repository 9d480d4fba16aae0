"""What a list of models says about each: the reference to type, what it costs, and how much it can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["named", "recent", "registered", "package", "local", "server", "provider", "catalog"]
"""Why a reference is listed: it has a name, was used lately, is of this process, comes from another package, runs here,
is that of a server, of a provider that can be used, or of one that lacks something. They are listed in this order."""

MOST = 1_000
"""How many models of a server or a package are listed."""
_TYPED = re.compile(r"[^\s,;?$`{}'\"\\]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A reference to choose from."""

    model: str
    """A whole reference, or a provider with its colon."""
    kind: Kind
    mark: str = ""
    """Whether it is the default, the session's current model, or unresolved."""
    context: int | None = None
    """How many tokens it can read, if that is known."""
    input_price: float | None = None
    """Dollars for a million input tokens, if that is known."""
    output_price: float | None = None
    """Dollars for a million output tokens, if that is known."""
    note: str = ""
    """A remark for the user."""

    def fits(self, words: list[str]) -> bool:
        """Return whether each of the words is found in it."""
        text = f"{self.model} {self.kind} {self.mark} {self.note}".lower()
        return all(word.lower() in text for word in words)


def can_be_typed(name: str) -> bool:
    """Return whether a model's name can be typed in a line as it is, after its provider."""
    return bool(_TYPED.fullmatch(name)) and name.isprintable()


def any_model_of(provider: str, kind: Kind) -> Offer:
    """Return the offer of any model of a provider."""
    return Offer(model=f"{provider}:", kind=kind, note="any model of this provider")


def named_offer(name: str, meaning: str, remark: str = "", context: int | None = None) -> Offer:
    """Return the offer of a model that has a name of its own, with a remark on its server."""
    return Offer(model=name, kind="named", context=context, note=f"named: {meaning}{f' ({remark})' if remark else ''}")


def once(offers: Iterable[Offer]) -> list[Offer]:
    """Return offers in the order of their kinds, each reference once: the first of its offers."""
    found: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda each: get_args(Kind).index(each.kind)):
        found.setdefault(offer.model, offer)
    return list(found.values())
