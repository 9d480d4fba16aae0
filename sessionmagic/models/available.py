"""The first of several models that can be used here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from sessionmagic.exceptions import ModelReferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTO = "auto"
"""The reference of the first model of `CANDIDATES` that can be used here, else of the embedded model."""
CANDIDATES = (
    "anthropic:claude-sonnet-5-5",
    "openai:gpt-6-luna",
    "google:gemini-3.8-flash",
    "mistral:mistral-small-latest",
    "groq:openai/gpt-oss-120b",
    "xai:grok-4.3",
    "deepseek:deepseek-flash",
)
"""What ``auto`` may stand for, in the order in which it is tried: a model for everyday work of each provider."""
EMBEDDED = "local"


class Checking(Protocol):
    """What can tell whether a reference can be used, as `Models` can."""

    def check(self, reference: str) -> None:
        """Raise `ModelReferenceError` if the reference cannot be used."""


def first_available(models: Checking, references: Sequence[str]) -> str:
    """Return the first reference that can be used here: its provider is known, its SDK is installed, its key is set.

    Raises `ModelReferenceError`, which says why for each of them, if there is none.
    """
    reasons = []
    for reference in references:
        try:
            models.check(reference)
        except ModelReferenceError as error:
            reasons.append(str(error))
        else:
            return reference
    raise ModelReferenceError(f"none of these models can be used here: {'; '.join(reasons) or 'none is named'}")


def automatic(models: Checking) -> str:
    """Return the reference that ``auto`` stands for here; raises `ModelReferenceError` if there is none."""
    with suppress(ModelReferenceError):
        return first_available(models, CANDIDATES)
    try:
        models.check(EMBEDDED)
    except ModelReferenceError as error:
        providers = ", ".join(reference.partition(":")[0] for reference in CANDIDATES)
        raise ModelReferenceError(
            f"{AUTO} finds neither a key and an SDK of {providers}, nor the embedded model; set a key, or: {error}"
        ) from error
    return EMBEDDED
