"""Model references as text, and what can be said of one without importing an SDK or asking the network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.words import did_you_mean, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What a provider's models need on this machine."""

    module: str
    """The SDK's import name."""
    install: str
    """What pip installs to get it."""
    key: tuple[str, ...] = ()
    """Environment variables of which one must be set; none for a server of one's own."""


def _openai_compatible(*key: str) -> Provider:
    return Provider(module="openai", install="sessionmagic[openai]", key=key)


def _from_pydantic_ai(extra: str, module: str, *key: str) -> Provider:
    return Provider(module=module, install=f"pydantic-ai-slim[{extra}]", key=key)


PROVIDERS = {
    "openai": _openai_compatible("OPENAI_API_KEY"),
    "openai-chat": _openai_compatible("OPENAI_API_KEY"),
    "openai-responses": _openai_compatible("OPENAI_API_KEY"),
    "anthropic": Provider(module="anthropic", install="sessionmagic[anthropic]", key=("ANTHROPIC_API_KEY",)),
    "google": Provider(module="google.genai", install="sessionmagic[google]", key=("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "ollama": _openai_compatible(),
    "openrouter": _openai_compatible("OPENROUTER_API_KEY"),
    "deepseek": _openai_compatible("DEEPSEEK_API_KEY"),
    "together": _openai_compatible("TOGETHER_API_KEY"),
    "fireworks": _openai_compatible("FIREWORKS_API_KEY"),
    "vllm": _openai_compatible("VLLM_BASE_URL"),
    "groq": _from_pydantic_ai("groq", "groq", "GROQ_API_KEY"),
    "mistral": _from_pydantic_ai("mistral", "mistralai", "MISTRAL_API_KEY"),
    "cohere": _from_pydantic_ai("cohere", "cohere", "CO_API_KEY"),
    "xai": _from_pydantic_ai("xai", "xai_sdk", "XAI_API_KEY"),
    "huggingface": _from_pydantic_ai("huggingface", "huggingface_hub", "HF_TOKEN"),
}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A reference taken apart. ``local`` and ``test`` are providers that need no model name."""

    text: str
    """As typed."""
    provider: str
    model: str = ""


def parse_reference(text: str, providers: Iterable[str]) -> ModelRef:
    """Take a reference apart; raises `ModelReferenceError` when it names no provider that is known."""
    known = [*providers, "local", "test"]
    if "," in text:
        raise ModelReferenceError(f"{_shown(text)} names several models; a turn asks one")
    if text in {"local", "test"}:
        return ModelRef(text, text)
    for separator in ":/":
        provider, _, model = text.partition(separator)
        if provider in known and model:
            return ModelRef(text, provider, model)
    provider, _, model = text.partition(":" if ":" in text else "/")
    if not model:
        raise ModelReferenceError(
            f"{_shown(text)} is not a model reference: write provider:model, for example openai:gpt-5.2, local, or the "
            "name of a model that is registered in this kernel." + did_you_mean(text, known)
        )
    hint = did_you_mean(provider, known) or " %agent models lists those that there are"
    raise ModelReferenceError(f"unknown provider {_shown(provider)} in {_shown(text)}.{hint}")


def _shown(text: str) -> str:
    return repr(shortened(text))


def check_provider(reference: ModelRef, provider: Provider) -> None:
    """Raise `ModelReferenceError` when the provider's SDK or key is missing on this machine."""
    if not _importable(provider.module):
        raise ModelReferenceError(f'{_shown(reference.text)} needs an SDK: pip install "{provider.install}"')
    if provider.key and not any(os.environ.get(name) for name in provider.key):
        name = provider.key[0]
        raise ModelReferenceError(
            f"{_shown(reference.text)} needs {name}, which is not set; in the notebook: "
            f'import os, getpass; os.environ["{name}"] = getpass.getpass()'
        )


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
