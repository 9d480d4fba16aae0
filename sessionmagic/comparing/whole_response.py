"""A model's response in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.models.function import FunctionModel

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings


async def whole_response(
    model: Model, messages: list[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
) -> ModelResponse:
    """Return the response. A scripted model of pydantic-ai may only be able to stream one."""
    streams_only = isinstance(model, FunctionModel) and model.function is None
    if not streams_only or type(model).request is not FunctionModel.request:
        return await model.request(messages, settings, parameters)
    async with model.request_stream(messages, settings, parameters) as response:
        async for _ in response:
            pass
        return response.get()
