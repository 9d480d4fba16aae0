"""Settings of model requests: their names, the check of their values, and the settings that a model ignores."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pydantic import TypeAdapter
    from pydantic_ai.models import Model

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "default", "flex", "priority")
CHOICES = {"effort": EFFORTS, "service_tier": TIERS, "parallel_tool_calls": ("true", "false")}
"""The values of the settings that take one of a few words."""
NAMES = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "effort",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "parallel_tool_calls",
    "service_tier",
)
OTHER_NAMES = {"thinking": "effort", "reasoning_effort": "effort", "stop_sequences": "stop"}
"""Names of pydantic-ai and OpenAI that are accepted too."""
NAMES_OF_LIBRARY = {"effort": "thinking", "stop": "stop_sequences"}
"""The names in pydantic-ai's `ModelSettings` that differ from ours."""
TEXTS = frozenset({"effort", "service_tier", "stop"})
"""The settings whose values are usually words, and therefore not read as JSON."""

SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias"})
"""The settings that OpenAI's models refuse while they reason."""
UNSENT: dict[str, dict[str, Callable[[Any], bool]]] = {
    "TestModel": dict.fromkeys((NAMES_OF_LIBRARY.get(name, name) for name in NAMES), lambda _: True),
    "AnthropicModel": {"service_tier": lambda tier: tier in ("flex", "priority")},
    "CerebrasModel": {"thinking": lambda level: level is not False},
}
"""For each class of pydantic-ai 2.68, which values it drops without declaring that in `unsupported_settings`."""


def parsed(words: Iterable[str]) -> dict[str, Any]:
    """Return the settings that words like ``temperature=0`` give.

    A value is JSON where possible, else text. An empty value is None. Raises `UsageError`.
    """
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(
                f"{shortened(word)!r} is not NAME=VALUE; write for example temperature=0, "
                "and put quotes around a text with spaces"
            )
        found[known_name(name)] = _value(known_name(name), text.strip())
    return checked(found)


def _value(name: str, text: str) -> Any:
    brackets = text[:1] in ("[", "{")
    if not text or (name in TEXTS and not brackets):
        return {"": None, "true": True, "false": False}.get(text, text) if name == "effort" else text or None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if brackets:
            example = f"""'{name}={'{"50256": -100}' if name == "logit_bias" else '["END"]'}'"""
            raise UsageError(
                f"the value of {name} is not valid JSON; put single quotes around all of it, as in {example}"
            ) from None
        return text


def known_name(name: object) -> str:
    """Return the name of a setting as it is stored. Raises `UsageError` with a suggestion if there is none."""
    found = OTHER_NAMES.get(name, name) if isinstance(name, str) else ""
    if found in NAMES:
        return str(found)
    if name in ("timeout", "request_timeout"):
        raise UsageError(f"{name} is not a setting of a model; give the turn a --timeout")
    word = name if isinstance(name, str) else repr(name)
    advice = suggestion(word, [*NAMES, *OTHER_NAMES], f"the settings are {', '.join(NAMES)}")
    raise UsageError(f"{shortened(word)!r} is not a setting{advice}")


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are stored: with known names, and values that can be written as JSON.

    None as the value takes a setting of a farther level away. Raises `UsageError` for an unknown name, a value of a
    wrong type, and a value out of range.
    """
    if not hasattr(settings, "items"):
        raise UsageError(f"settings is of type {type(settings).__name__}; give a dict")
    return {known_name(name): _checked_value(known_name(name), value) for name, value in settings.items()}


def _checked_value(name: str, value: Any) -> Any:
    from pydantic import ValidationError

    if value is None:
        return None
    if name == "stop" and isinstance(value, str):
        value = [value]
    if name == "effort" and value is False:
        value = "none"
    try:
        valid = _types()[name].dump_python(_types()[name].validate_python(value, strict=True), mode="json")
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        shown = shortened(repr(value))
        raise UsageError(f"{name}={shown} is not valid; {problem[:1].lower()}{problem[1:]}") from None
    return value if type(value) is int else valid  # 0 is shown as it was typed, and not as 0.0


@cache
def _types() -> dict[str, TypeAdapter[Any]]:
    """Return the type of each setting. Integers are those that can be stored, which have 64 bits."""
    from pydantic import Field, StringConstraints, TypeAdapter

    number = Annotated[float, Field(allow_inf_nan=False)]
    count = Annotated[int, Field(ge=1, lt=2**53)]
    penalty = Annotated[number, Field(ge=-2, le=2)]
    types: dict[str, Any] = {
        "temperature": Annotated[number, Field(ge=0, le=2)],
        "top_p": Annotated[number, Field(ge=0, le=1)],
        "top_k": count,
        "max_tokens": count,
        "seed": Annotated[int, Field(ge=-(2**63), lt=2**63)],
        "effort": Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", True],
        "stop": Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1)],
        "presence_penalty": penalty,
        "frequency_penalty": penalty,
        "logit_bias": dict[str, Annotated[int, Field(ge=-100, le=100)]],
        "parallel_tool_calls": bool,
        "service_tier": Literal["auto", "default", "flex", "priority"],
    }
    return {name: TypeAdapter(kind) for name, kind in types.items()}


def merged(*levels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of several levels, the nearest last. A None stays, because it takes away a model's own."""
    return {name: value for level in levels for name, value in level.items()}


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value."""
    return {name: value for name, value in settings.items() if value is not None}


def as_typed(settings: Mapping[str, Any]) -> str:
    """Return settings as a user types them, such as ``temperature=0 effort=low``."""
    written = {
        name: shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).removesuffix(".0"))
        for name, value in given(settings).items()
    }
    return " ".join(
        f"{name}={value}" if value.isprintable() and not set(value) & set(" \"'") else f"'{name}={value}'"
        for name, value in written.items()
    )


def for_model(model: Model, own: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `ModelSettings` of pydantic-ai for the requests of a turn.

    Settings that the model ignores are left out: pydantic-ai would issue a Python warning about some of them with
    every request.

    Args:
        model: The model that is asked.
        own: The settings that the model was registered with, which the others override.
        settings: The settings of the turn.
    """
    named = in_words_of_library(model, own, settings)
    of_turn = {NAMES_OF_LIBRARY.get(name, name) for name in given(settings)}
    dropped_by_all = set.intersection(*(_dropped_by(leaf, named) for leaf in _leaves(model)))
    return {name: value for name, value in named.items() if name not in of_turn & dropped_by_all}


def in_words_of_library(model: Model, own: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as pydantic-ai names them, also those that the model ignores. Arguments as for `for_model`."""
    named = {NAMES_OF_LIBRARY.get(name, name): value for name, value in merged(own, settings).items()}
    if named.get("thinking") == "none":
        named["thinking"] = False
    if named.get("thinking") is not None and _has_unknown_models(model):
        level = named.pop("thinking")
        named["openai_reasoning_effort"] = {True: "medium", False: "none"}.get(level, level)
    return given(named)


def _has_unknown_models(model: Model) -> bool:
    """Return whether a model is asked by OpenAI's protocol on a server whose models pydantic-ai cannot know.

    pydantic-ai 2.68 tells from a model's name whether it reasons, and drops the effort for any other. On a server that
    is not OpenAI's, that name may be anything. The user who gives an effort knows that the model takes one.
    """
    [*leaves] = _leaves(model)
    return (
        len(leaves) == 1
        and _is_a(leaves[0], "OpenAIChatModel")
        and not _reasons(leaves[0])
        and "api.openai.com" not in (leaves[0].base_url or "")
    )


def ignored(model: Model, own: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that the model's library does not send to its provider.

    For a model made of several, these are the settings that at least one of them ignores. Arguments as for `for_model`.
    """
    sent = in_words_of_library(model, own, settings)
    dropped = {name for leaf in _leaves(model) for name in _dropped_by(leaf, sent)}
    return [name for name in NAMES if settings.get(name) is not None and NAMES_OF_LIBRARY.get(name, name) in dropped]


def _dropped_by(model: Model, sent: Mapping[str, Any]) -> set[str]:
    """Return which settings a model drops: those that pydantic-ai declares, and those that follow from the profile."""
    profile = _profile(model)
    dropped = {*model.unsupported_settings, *profile.get("openai_unsupported_model_settings", ())}
    if sent.get("thinking") and not _reasons(model):
        dropped.add("thinking")
    if profile.get("anthropic_disallows_sampling_settings"):
        dropped |= {"temperature", "top_p", "top_k"}
    if _is_a(model, "OpenAIChatModel", "OpenAIResponsesModel") and _reasons_now(profile, sent):
        dropped |= SAMPLING
    for kind, values in UNSENT.items():
        if _is_a(model, kind):
            dropped |= {name for name, unsent in values.items() if name in sent and unsent(sent[name])}
    return dropped


def _reasons(model: Model) -> bool:
    """Return whether pydantic-ai sends an effort to the model."""
    profile = _profile(model)
    return bool(profile.get("supports_thinking") or profile.get("thinking_always_enabled"))


def _profile(model: Model) -> Mapping[str, Any]:
    try:
        return model.profile or {}
    except Exception:  # noqa: BLE001  a model of the user's own may have none
        return {}


def _reasons_now(profile: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Return whether a model of OpenAI reasons with these settings, as pydantic-ai 2.68 decides it."""
    if not profile.get("openai_supports_reasoning"):
        return False
    efforts = profile.get("openai_reasoning_efforts")
    can_be_off = profile.get("openai_supports_reasoning_effort_none") if efforts is None else "none" in efforts
    if not can_be_off:
        return True
    if effort := sent.get("openai_reasoning_effort"):
        return bool(effort != "none")
    if (thinking := sent.get("thinking")) is not None:
        return thinking is not False or bool(profile.get("thinking_always_enabled"))
    return bool(profile.get("thinking_enabled_by_default"))


def _leaves(model: Model) -> Iterator[Model]:
    """Return the models that are asked in the end: those inside wrappers and fallbacks, else the model itself."""
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.wrapper import WrapperModel

    match model:
        case WrapperModel():
            yield from _leaves(model.wrapped)
        case FallbackModel():
            for each in model.models:
                yield from _leaves(each)
        case _:
            yield model


def _is_a(model: Model, *names: str) -> bool:
    """Return whether a model is of one of these classes. Importing the classes would need their SDKs."""
    return not {kind.__name__ for kind in type(model).__mro__}.isdisjoint(names)
