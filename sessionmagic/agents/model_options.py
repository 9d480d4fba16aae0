"""What becomes of the `provider_opts` of a named model: settings, or fields of each request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.models.settings import NAMES, checked
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.named_models import NamedModel

TAKES_FIELDS = ("anthropic", "groq", "mistral", "openai", "openai-chat", "openai-responses", "openrouter", "vllm")
"""The protocols whose requests take further fields."""
OURS = frozenset({"input", "instructions", "messages", "model", "response_format", "stream", "stream_options", "system",
                  "tool_choice", "tools"})  # fmt: skip
"""The fields of a request that say what is asked, and how it is answered."""


@dataclass(frozen=True, slots=True)
class Options:
    """What becomes of the options of a model."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings by the names of `models.settings`."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of each request."""
    unused: tuple[str, ...] = ()
    """The names of those that have no effect."""

    def note(self, model: str) -> str:
        """Return that some options of a model have no effect; empty if all have one."""
        if not self.unused:
            return ""
        have = "has" if len(self.unused) == 1 else "have"
        return f"{shortened(', '.join(self.unused), 100)} in the provider_opts of the model {model} {have} no effect"


def options_of(file: AgentsFile, model: NamedModel) -> Options:
    """Return what becomes of the `provider_opts` of a model.

    A server of the user's own gets them as they are. A provider gets those that are settings, as it may refuse a
    request with a field that it does not know.
    """
    given = model.provider_opts
    if _has_own_server(file, model):
        fields = {name: value for name, value in given.items() if name not in OURS}
        return Options(fields=fields, unused=tuple(name for name in given if name in OURS))
    settings = {name: value for name, value in given.items() if model.provider and _is_setting(name, value)}
    return Options(settings=settings, unused=tuple(name for name in given if name not in settings))


def _has_own_server(file: AgentsFile, model: NamedModel) -> bool:
    known = file.providers.get(model.provider)
    address = model.base_url or (known.base_url if known else "")
    protocol = (known.provider or "openai") if known else model.provider
    return bool(address) and protocol in TAKES_FIELDS


def _is_setting(name: str, value: Any) -> bool:
    try:
        return name in NAMES and bool(checked({name: value}))
    except UsageError:
        return False
