"""What fills the context of a session's next turn, by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from sessionmagic.turns.context_size import ContextKind, size_of, tokens_by_kind
from sessionmagic.turns.history import history_before

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.conversation.session import Session
    from sessionmagic.models.resolved import ResolvedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """What one kind of content takes of the context, or all of them together."""

    kind: ContextKind | Literal["total"]
    tokens: int
    estimated: bool
    """Whether the tokens are an estimate, and not the provider's count."""
    limit: int | None
    """How many tokens the model can read; None if that is unknown."""
    share: float | None
    """The tokens as a part of this limit; None if it is unknown."""


def context_of(session: Session, model: ResolvedModel | None, others: Mapping[ContextKind, int]) -> list[ContextEntry]:
    """Return what is sent with the next prompt of a session: an entry for each kind, and the total as the last one.

    Providers count the tokens of whole requests. Where there is such a count, the total is exact, and the estimates of
    the kinds are scaled so that their sum is the total.

    Args:
        session: The session.
        model: The model that is asked next, if one can be used.
        others: Estimates for the instructions and the tools.

    Raises `StoreError` when the messages of a turn cannot be read.
    """
    sees_images = model is None or model.sees_images
    messages = history_before(session, session.head, sees_images=sees_images).messages
    counts = tokens_by_kind(messages)
    counts.update(others)
    size = size_of(messages, sum(others.values()))
    limit = model.context_limit if model is not None else None
    shares = _scaled([counts[kind] for kind in get_args(ContextKind)], size.tokens)
    counted = zip(get_args(ContextKind), shares, strict=True)
    kinds = [_entry(kind, tokens, limit, estimated=tokens > 0) for kind, tokens in counted]
    return [*kinds, _entry("total", size.tokens, limit, estimated=size.estimated)]


def _entry(kind: ContextKind | Literal["total"], tokens: int, limit: int | None, *, estimated: bool) -> ContextEntry:
    share = tokens / limit if limit else None
    return ContextEntry(kind=kind, tokens=tokens, estimated=estimated, limit=limit, share=share)


def _scaled(counts: list[int], total: int) -> list[int]:
    """Return the counts scaled so that their sum is `total`."""
    whole = sum(counts)
    if not whole:
        return counts
    ends = [sum(counts[: place + 1]) * total // whole for place in range(len(counts))]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
