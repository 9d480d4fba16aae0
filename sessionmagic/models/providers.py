"""The providers that pydantic-ai knows, and the SDK and key that each needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.clients import check_address, check_key
from sessionmagic.models.references import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The SDK and the key that a provider's models need."""

    module: str
    """The SDK's import name."""
    install: str
    """The requirement with which pip installs the SDK."""
    key: tuple[str, ...] = ()
    """Environment variables with the key, of which one must be set; empty if none is needed."""

    @property
    def installed(self) -> bool:
        """Whether the SDK is installed. It is not imported."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:  # raised when the package that contains it is missing
            return False

    @property
    def lacks(self) -> str:
        """What its models need that is missing here, in a few words; empty if they can be used."""
        if not self.installed:
            return f'pip install "{self.install}"'
        if self.key and not any(os.environ.get(name) for name in self.key):
            return self.key[0]
        try:
            self.check("")
        except ModelReferenceError:
            return f"another {self.key[0]}"
        return ""

    def check(self, reference: str) -> None:
        """Raise `ModelReferenceError` if the SDK or the key that the reference needs is missing."""
        if not self.installed:
            raise ModelReferenceError(
                f'{quoted(reference)} needs an SDK that is not installed; run `pip install "{self.install}"`'
            )
        if self.key and not any(os.environ.get(name) for name in self.key):
            name = self.key[0]
            how = f'import os, getpass; os.environ["{name}"] = getpass.getpass()'
            raise ModelReferenceError(f"{quoted(reference)} needs {name}, which is not set; in the notebook: {how}")
        for name in self.key:
            check_key(reference, name)


def openai_compatible(*key: str) -> Provider:
    """Return the `Provider` of a server that speaks OpenAI's protocol."""
    return Provider(module="openai", install="sessionmagic[openai]", key=key)


def _from_pydantic_ai(extra: str, module: str, *key: str) -> Provider:
    return Provider(module=module, install=f"pydantic-ai-slim[{extra}]", key=key)


PROVIDERS = {
    "openai": openai_compatible("OPENAI_API_KEY"),
    "openai-chat": openai_compatible("OPENAI_API_KEY"),
    "openai-responses": openai_compatible("OPENAI_API_KEY"),
    "anthropic": Provider(module="anthropic", install="sessionmagic[anthropic]", key=("ANTHROPIC_API_KEY",)),
    "google": Provider(module="google.genai", install="sessionmagic[google]", key=("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "ollama": openai_compatible(),
    "openrouter": openai_compatible("OPENROUTER_API_KEY"),
    "deepseek": openai_compatible("DEEPSEEK_API_KEY"),
    "together": openai_compatible("TOGETHER_API_KEY"),
    "fireworks": openai_compatible("FIREWORKS_API_KEY"),
    "vllm": openai_compatible(),
    "groq": _from_pydantic_ai("groq", "groq", "GROQ_API_KEY"),
    "mistral": _from_pydantic_ai("mistral", "mistralai", "MISTRAL_API_KEY"),
    "cohere": _from_pydantic_ai("cohere", "cohere", "CO_API_KEY"),
    "xai": _from_pydantic_ai("xai", "xai_sdk", "XAI_API_KEY"),
    "huggingface": _from_pydantic_ai("huggingface", "huggingface_hub", "HF_TOKEN"),
}


def check_base_url(provider: str) -> None:
    """Raise `ModelReferenceError` if the variable with which an SDK is given another address does not hold one."""
    variable = f"{provider.partition('-')[0].upper()}_BASE_URL"
    if address := os.environ.get(variable):
        check_address(variable, address)
