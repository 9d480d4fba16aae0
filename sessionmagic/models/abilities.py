"""What a model can do: read from its profile, and learned from its provider's refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from sessionmagic.models.members import members_of

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.tools import ToolDefinition

_takes_no_tools: set[tuple[str, str]] = set()
"""The models whose provider has refused a request because it had tools. Kept until the process ends."""
_refused_tools: set[tuple[tuple[str, str], str]] = set()
"""The tools that a model's provider has refused, with their schemas. Kept until the process ends."""
_refused_ways: set[tuple[tuple[str, str], str]] = set()
"""The ways to ask for a structured answer that a model's provider has refused. Kept until the process ends."""


def takes_tools(model: Model) -> bool:
    """Return whether the model can call tools."""
    learned = {_key(each) for each in members_of(model)} & _takes_no_tools
    return _has(model, "supports_tools") and not learned


def sees_images(model: Model) -> bool:
    """Return whether the model can be sent images."""
    return _has(model, "supports_image_input")


def streams(model: Model) -> bool:
    """Return whether the model can stream its responses. A model of the user's own may only give whole ones."""
    from pydantic_ai.models import Model
    from pydantic_ai.models.function import FunctionModel

    member = members_of(model)[0]
    if isinstance(member, FunctionModel) and member.stream_function is None:
        return type(member).request_stream is not FunctionModel.request_stream
    return type(member).request_stream is not Model.request_stream


def makes_room(model: Model) -> bool:
    """Return whether the model leaves out old messages itself when its context is full, as the embedded one does."""
    return any(str(each.system) == "local" for each in members_of(model))


def context_window(model: Model) -> int | None:
    """Return how many tokens the model can read, according to its profile, if that is known."""
    windows = [window for each in members_of(model) if (window := profile_of(each).get("context_window"))]
    return min(windows, default=None)


def profile_of(model: Model) -> Mapping[str, Any]:
    """Return the model's profile, or an empty one if it has none."""
    try:
        profile: Any = model.profile
    except Exception:  # noqa: BLE001  a model of the user's own may raise anything
        return {}
    return profile if isinstance(profile, Mapping) else {}


def with_profile(model: Model) -> Model:
    """Return the model itself, or if it has no profile, one like it with pydantic-ai's default profile."""
    from pydantic_ai.models.wrapper import WrapperModel
    from pydantic_ai.profiles import DEFAULT_PROFILE

    if profile_of(model):
        return model
    profiled = copy(model)
    if isinstance(profiled, WrapperModel):
        profiled.wrapped = with_profile(profiled.wrapped)
    profile = property(lambda _: DEFAULT_PROFILE)
    profiled.__class__ = type(type(model).__name__, (type(model),), {"profile": profile})
    return profiled


def provider_of(model: Model, reference: str) -> tuple[str, str]:
    """Return the provider that a model asks first, and its address; its reference if it has no address."""
    first = members_of(model)[0]
    return str(first.system), address_of(first) or reference


def address_of(model: Model) -> str | None:
    """Return the address at which the model is asked, if it has one."""
    try:
        address: Any = model.base_url
    except Exception:  # noqa: BLE001
        return None
    return address if isinstance(address, str) else None


def without_retries(model: Model) -> dict[str, Any]:
    """Return the setting that keeps SDKs from asking again on their own, unless the model does not know it."""
    members = members_of(model)
    return {} if any("max_retries" in each.unsupported_settings for each in members) else {"max_retries": 0}


def learn_no_tools(model: Model) -> None:
    """Remember that the model takes no tools."""
    _takes_no_tools.add(_key(model))


def learn_refused_tool(model: Model, tool: ToolDefinition) -> None:
    """Remember that the model's provider refuses this tool."""
    _refused_tools.add((_key(model), _signature(tool)))


def refuses_tool(model: Model, tool: ToolDefinition) -> bool:
    """Return whether the model's provider has refused this tool before."""
    return (_key(model), _signature(tool)) in _refused_tools


def learn_refused_way(model: Model, way: str) -> None:
    """Remember that the model's provider refuses this way to ask for a structured answer."""
    _refused_ways.add((_key(model), way))


def refuses_way(model: Model, way: str) -> bool:
    """Return whether the model's provider has refused this way to ask for a structured answer before."""
    return (_key(model), way) in _refused_ways


def forget() -> None:
    """Forget everything that was learned."""
    _takes_no_tools.clear()
    _refused_tools.clear()
    _refused_ways.clear()


def _has(model: Model, ability: str) -> bool:
    return all(profile_of(each).get(ability, True) for each in members_of(model))


def _key(model: Model) -> tuple[str, str]:
    """Return what tells models of this process apart. A reference is resolved to a new object for each turn."""
    return address_of(model) or str(model.system), str(model.model_name)


def _signature(tool: ToolDefinition) -> str:
    return json.dumps([tool.name, tool.parameters_json_schema], sort_keys=True, default=str)
