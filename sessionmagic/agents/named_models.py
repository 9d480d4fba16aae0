"""The models and the providers that an agents file names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.nodes import fail
from sessionmagic.agents.readers import (
    anything_named,
    dict_of,
    flag,
    listed,
    number,
    one_of,
    reference,
    references,
    text,
    whole,
)
from sessionmagic.agents.records import Record, key, read_record, record
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.models.blends import members_in
from sessionmagic.models.settings import EFFORTS
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from sessionmagic.agents.nodes import Node
    from sessionmagic.agents.records import Reading

API_TYPES = ("openai_chatcompletions", "openai_responses")
ADAPTIVE = ("adaptive", *(f"adaptive/{effort}" for effort in EFFORTS if effort != "none"))
"""Thinking budgets that leave the amount to the model."""
DYNAMIC = -1
"""The thinking budget in tokens that leaves the amount to the model."""
TOKENS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_768}
"""The thinking budget in tokens up to which an effort is meant."""
SETTINGS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "parallel_tool_calls")
"""The keys of a model that are settings, under the names of `models.settings`."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LONGEST_NAME = 40
"""Characters of the longest small-letter name of a variable. A key of that form may be longer."""


def variable_name(reading: Reading, node: Node, path: str) -> str:
    """Return the name of an environment variable; `LEFT_OUT` if it is a key, which is neither kept nor shown."""
    name = text(reading, node, path)
    if name.startswith("$"):
        fail(reading.where, node.line, f"{path} is {shortened(name)!r}; give the variable's name alone, without $")
    is_name = _VARIABLE.fullmatch(name) and (name.isupper() or len(name) <= _LONGEST_NAME)
    if not is_name and LEFT_OUT not in name:
        reading.warn(node.line, f"{path} {LEFT_OUT_TEXT}")
    return name if is_name else LEFT_OUT


LEFT_OUT_TEXT = "holds a key or a password, which was left out; name an environment variable instead"


def thinking(reading: Reading, node: Node, path: str) -> int | str:
    """Return a thinking budget: a number of tokens, an effort, or an adaptive effort."""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return int(whole(DYNAMIC)(reading, node, path))
    if node.text not in {*EFFORTS, *ADAPTIVE}:
        reading.wrong(node, path, f"a number of tokens, {listed(EFFORTS)}")
    return node.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Record):
    """Prices in dollars for a million tokens."""

    input: float = key(number(0), 0.0)
    output: float = key(number(0), 0.0)
    cache_read: float | None = key(number(0), None)
    cache_write: float | None = key(number(0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities(Record):
    """Which attachments a model takes; None where nothing is said."""

    image: bool | None = key(flag, None)
    pdf: bool | None = key(flag, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProvider(Record):
    """A server, or an account with a provider."""

    name: str
    provider: str = key(text)
    api_type: str = key(one_of(API_TYPES))
    base_url: str = key(text)
    token_key: str = key(variable_name)
    """The environment variable with the key."""
    headers: dict[str, str] = key(dict_of(text), dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel(Record):
    """A model with its settings: one of a provider, an alloy, or the first of several that can be used."""

    name: str
    provider: str = key(text)
    model: str = key(text)
    """The provider's name of the model. Without a provider: a reference, or several joined by commas (an alloy)."""
    first_available: tuple[str, ...] = key(references, ())
    base_url: str = key(text)
    token_key: str = key(variable_name)
    """The environment variable with the key."""
    temperature: float | None = key(number(0, 2), None)
    top_p: float | None = key(number(0, 1), None)
    frequency_penalty: float | None = key(number(-2, 2), None)
    presence_penalty: float | None = key(number(-2, 2), None)
    max_tokens: int | None = key(whole(1), None)
    parallel_tool_calls: bool | None = key(flag, None)
    thinking_budget: int | str | None = key(thinking, None)
    provider_opts: dict[str, Any] = key(anything_named, dict)
    cost: Cost | None = key(record(Cost), None)
    capabilities: Capabilities | None = key(record(Capabilities), None)
    title_model: str = key(reference)
    compaction_model: str = key(reference)

    @property
    def references(self) -> tuple[str, ...]:
        """The references of what is asked: of the provider's model, the alloy's members, or the candidates."""
        if self.provider:
            return (f"{self.provider}/{self.model}",)
        return self.first_available or members(self.model)

    @property
    def models(self) -> tuple[str, ...]:
        """The references that may be the names of other models of the file."""
        return () if self.provider else tuple(each for reference in self.references for each in members(reference))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by the names of `models.settings`."""
        given = {name: getattr(self, name) for name in SETTINGS}
        return {name: value for name, value in {**given, "effort": self.effort}.items() if value is not None}

    @property
    def effort(self) -> str | bool | None:
        """The thinking budget as an effort; True where the model decides."""
        match self.thinking_budget:
            case None:
                return None
            case str() as word:
                return word.partition("/")[2] or (word if word in EFFORTS else True)
            case 0:
                return "none"
            case tokens if tokens < 0:
                return True
            case tokens:
                return next((effort for effort, most in TOKENS.items() if tokens <= most), "max")


def members(joined: str) -> tuple[str, ...]:
    """Return the references that commas join, without blanks around them; none for ``""``."""
    return tuple(members_in(joined) or filter(None, [joined.strip()]))


def read_model(reading: Reading, node: Node, path: str) -> NamedModel:
    """Return a model of the file."""
    model = read_record(NamedModel, reading, node, path, name=path.partition(".")[2])
    others = [name for name in node.value if name not in {"first_available", "title_model", "compaction_model"}]
    if model.first_available and others:
        fail(reading.where, node.line, f"{path} has first_available and {others[0]}; give one of them")
    if model.provider and not model.model:
        fail(reading.where, node.line, f"{path} has a provider and no model; name the provider's model")
    if model.model and not model.provider:
        reference(reading, node.value["model"], f"{path}.model")
    if not model.references:
        fail(reading.where, node.line, f"{path} names no model; give provider and model, or first_available")
    return model


def read_provider(reading: Reading, node: Node, path: str) -> NamedProvider:
    """Return a provider of the file."""
    provider = read_record(NamedProvider, reading, node, path, name=path.partition(".")[2])
    if "/" in provider.name:
        fail(reading.where, node.line, f"the provider {provider.name!r} has a / in its name; use another name")
    if not (provider.base_url or provider.provider):
        fail(reading.where, node.line, f"{path} has no base_url; give the address of its server")
    return provider
