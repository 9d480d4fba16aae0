"""The models of other packages, which name them as entry points of the group ``sessionmagic.models``."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.abilities import with_profile
from sessionmagic.models.members import with_wrapped_members
from sessionmagic.models.offers import MOST, Offer, any_model_of, can_be_typed
from sessionmagic.models.sources import Source
from sessionmagic.words import printable, shortened, words_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from importlib.metadata import EntryPoint

    from pydantic_ai.models import Model

    from sessionmagic.models.references import ModelRef

GROUP = "sessionmagic.models"
NAME = re.compile(r"[\w.-]+")
"""What a provider may be called, so that its references can be read."""


class PackageSource(Source):
    """The models of the installed packages. A package is imported when one of its models is asked, or all are listed.

    An entry point is a module or another object, with a function ``model(name)``, which returns the pydantic-ai model
    that ``PROVIDER:name`` means, and if it likes ``names()``, which returns the names to list.

    Args:
        taken: The names that others have, and no package can take.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = taken

    def recognizes(self, reference: ModelRef) -> bool:
        provider = reference.provider
        return bool(reference.model) and provider not in self._taken and provider in self._found()

    def names(self) -> Iterable[str]:
        return [name for name in self._found() if name not in self._taken]

    def check(self, reference: ModelRef) -> None:
        """Do nothing: only the package can tell, and it is not imported for that."""

    def build(self, reference: ModelRef) -> Model:
        from pydantic_ai.models import Model

        entry = self._found()[reference.provider]
        try:
            made = entry.load().model(reference.model)
        except ModelReferenceError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelReferenceError(f"{reference.text}: {_blame(entry)} has failed: {_line(error)}") from error
        if not isinstance(made, Model):
            kind = type(made).__name__
            raise ModelReferenceError(f"{reference.text}: {_blame(entry)} returned a {kind}, which is not a Model")
        return with_wrapped_members(made, with_profile)

    def offers(self) -> list[Offer]:
        return [any_model_of(name, "package") for name in self.names()]

    def listed(self) -> list[Offer]:
        """Return the models that the packages list, or why one of them cannot be used. Imports them."""
        return [offer for name in self.names() for offer in _offers_of(name, self._found()[name])]

    def _found(self) -> Mapping[str, EntryPoint]:
        return _entries(_places())


def _offers_of(name: str, entry: EntryPoint) -> list[Offer]:
    """Return the models that a package lists, or why it cannot be used."""
    try:
        provider = entry.load()
        names = [str(each) for each in islice(provider.names(), MOST)] if hasattr(provider, "names") else []
        if not callable(getattr(provider, "model", None)):
            raise TypeError("it has no function model(name)")  # noqa: TRY301  told as every other error is
    except (Exception, SystemExit) as error:  # noqa: BLE001  a package may raise anything
        return [Offer(model=f"{name}:", kind="package", note=f"⚠ {_blame(entry)} has failed: {_line(error)}")]
    listed = [Offer(model=f"{name}:{each}", kind="package") for each in names if can_be_typed(each)]
    return [any_model_of(name, "package"), *listed]


def _blame(entry: EntryPoint) -> str:
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    return f"the entry point {entry.name}{package}"


def _line(error: BaseException) -> str:
    return shortened(printable(" ".join(words_of(error).split())), 200)


def _places() -> tuple[tuple[str, int], ...]:
    """Return where packages are found, and when something was last installed there."""
    found: list[tuple[str, int]] = []
    for place in sys.path:
        with suppress(OSError):
            found.append((place, Path(place).stat().st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=1)
def _entries(_places: Any) -> Mapping[str, EntryPoint]:
    """Return the entry points by name, each of the package that is found first. Takes 5 ms; loads none."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if NAME.fullmatch(entry.name):
            found.setdefault(entry.name, entry)
    return found
