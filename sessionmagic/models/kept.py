"""Models that were made, kept as long as what they were made of stays the same."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sessionmagic.models.members import members_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    from pydantic_ai.models import Model

Key = tuple[str, ...]

KEPT = 64
"""How many models are kept for each event loop."""


class KeptModels:
    """Models by what they were made of. Thread-safe.

    A model is kept for one event loop, because pydantic-ai's providers must not be used on two at the same time, and
    as long as the environment stays the same, because SDKs read keys, addresses and certificates from there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: WeakKeyDictionary[AbstractEventLoop, OrderedDict[Key, Model]] = WeakKeyDictionary()
        self._environment: Mapping[Any, Any] = {}

    def made(self, loop: AbstractEventLoop | None, key: Key | None, make: Callable[[], Model]) -> Model:
        """Return the model that `make` makes, or the one that was made for the same key before.

        Args:
            loop: The loop on which the model is asked; None for a new model.
            key: What the model is made of, besides the environment; None if that is not known.
            make: Makes the model.
        """
        if loop is None or key is None:
            return make()
        raw: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)  # comparing these takes a microsecond
        with self._lock:
            if raw != self._environment:
                self._of.clear()
                self._environment = dict(raw)
            environment = self._environment
            kept = self._of.setdefault(loop, OrderedDict())
            if (known := kept.get(key)) is not None:
                return known
        model = make()
        if not _can_be_kept(model):
            return model
        with self._lock:
            if environment is self._environment:
                model = kept.setdefault(key, model)
                while len(kept) > KEPT:
                    kept.popitem(last=False)
        return model


def _can_be_kept(model: Model) -> bool:
    """Return whether no provider of a model has a client of its own, which pydantic-ai closes with each run."""
    return all(getattr(each.provider, "_own_http_client", None) is None for each in members_of(model))


MODELS = KeptModels()
"""Those of this process."""
