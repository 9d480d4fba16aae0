"""A model that is asked for a structured answer in a way that its provider takes."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import InstructionPart, ModelRequest, RetryFeedbackPart, UserPromptPart
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.conversation.value import VALUE
from sessionmagic.models.abilities import learn_refused_way, profile_of, refuses_way, takes_tools
from sessionmagic.turns.output_type import OUTPUT_TOOL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

    from sessionmagic.turns.output_type import OutputType

Way: TypeAlias = Literal["profile", "prompted", "text"]
"""How a structured answer is asked for: as the model's profile says, which is the call of a tool or a format that the
provider keeps to; in words, with a hint to the provider that it shall be JSON; or in words alone."""

OUTPUT_RETRIES = 3
"""How often a model is asked again for an answer that did not fit."""
REFUSING = (400, 404, 405, 415, 422, 500, 501)
"""The HTTP statuses with which servers refuse a request because of the way in which it asks."""
ABOUT_THE_WAY = re.compile(
    r"tool|function|response_?format|json_?(schema|object|mode)|structured|grammar|schema|text\.format", re.IGNORECASE
)
FEEDBACK = re.compile("<pyai:(validation_errors|retry_feedback)")
"""What pydantic-ai writes around what it says of an answer that did not fit."""
IN_WORDS = "Answer with one JSON object that fits this JSON schema, and write nothing before or after it.\n{}"


class Written(BaseModel):
    """Any JSON object. pydantic-ai takes an answer in this form; `OutputType` then says whether it fits."""

    model_config = ConfigDict(extra="allow", title=OUTPUT_TOOL)


class WrittenValue(Written):
    """A JSON object with a value, or only the value, as models write a list that they are asked for in words."""

    @model_validator(mode="before")
    @classmethod
    def _as_object(cls, written: Any) -> Any:
        return written if isinstance(written, dict) else {VALUE: written}


class TypedModel(WrapperModel):
    """A model that is told the schema of a structured answer. It is asked as it is for any other answer.

    If the provider refuses the way in which it is asked, it is asked in a simpler one, and the process remembers that
    (`models.abilities`). A model that has answered with words in place of the tool is then asked in words, too, as some
    servers ignore tools without a word.

    Args:
        wrapped: The model.
        type_: The type of the answer; None for text.
        warn: Called with each warning.
    """

    def __init__(
        self, wrapped: Model, type_: OutputType | None, warn: Callable[[str], object] = lambda _: None
    ) -> None:
        super().__init__(wrapped)
        self._type = type_
        self._warn = warn

    def prepare_request(
        self, model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> tuple[ModelSettings | None, ModelRequestParameters]:
        """Return what the wrapped model makes of a request. pydantic-ai asks it how the answer is given."""
        parameters = self._asked(model_request_parameters, self._ways(model_request_parameters)[0])
        return self.wrapped.prepare_request(model_settings, parameters)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request, and return the response."""
        ways = self._ways(model_request_parameters, messages)
        for way, simpler in zip(ways, [*ways[1:], None], strict=True):
            try:
                parameters = self._asked(model_request_parameters, way)
                response = await self.wrapped.request(messages, model_settings, parameters)
            except ModelAPIError as error:
                if not self._may_take(simpler, error):
                    raise
            else:
                self._learn(ways, way)
                return response
        raise AssertionError

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, and stream the response."""
        ways = self._ways(model_request_parameters, messages)
        async with AsyncExitStack() as stack:
            for way, simpler in zip(ways, [*ways[1:], None], strict=True):
                parameters = self._asked(model_request_parameters, way)
                ask = partial(self.wrapped.request_stream, messages, model_settings, parameters, run_context)
                try:
                    stream = await stack.enter_async_context(ask())
                except ModelAPIError as error:
                    if not self._may_take(simpler, error):
                        raise
                else:
                    break
            self._learn(ways, way)
            yield stream

    def _ways(self, parameters: ModelRequestParameters, messages: list[ModelMessage] | None = None) -> list[Way]:
        """Return the ways in which the answer can be asked for, the best one first."""
        if self._type is None or parameters.output_object is None:
            return ["text"]
        profile = profile_of(self.wrapped)
        ways: list[Way] = ["prompted", "text"] if profile.get("supports_json_object_output", False) else ["text"]
        mode = profile.get("default_structured_output_mode", "tool")
        if (mode == "native" and profile.get("supports_json_schema_output", False)) or (
            mode == "tool" and takes_tools(self.wrapped) and not _answered_in_words(messages)
        ):
            ways.insert(0, "profile")
        return [way for way in ways if not refuses_way(self.wrapped, way)] or ["text"]

    def _asked(self, parameters: ModelRequestParameters, way: Way) -> ModelRequestParameters:
        """Return the parameters of a request that asks for the answer in this way."""
        if self._type is None or parameters.output_object is None:
            return parameters
        schema = self._type.schema
        about = self._type.schema.get("description") or f"Give your answer, of the type {self._type.name}, at the end."
        tools = [
            replace(tool, description=about, parameters_json_schema=schema, outer_typed_dict_key=None)
            for tool in parameters.output_tools
        ]
        wanted = replace(parameters.output_object, json_schema=schema, name=OUTPUT_TOOL, description=None)
        typed = replace(parameters, output_tools=tools, output_object=wanted, prompted_output_template=False)
        if way == "profile":
            return typed
        part = InstructionPart(IN_WORDS.format(json.dumps(schema, ensure_ascii=False)))
        in_words = replace(typed, instruction_parts=[*(parameters.instruction_parts or []), part])
        if way == "prompted":
            return replace(in_words, output_mode="prompted", allow_text_output=True)
        return replace(in_words, output_mode="text", output_object=None, output_tools=[], allow_text_output=True)

    def _may_take(self, simpler: Way | None, error: ModelAPIError) -> bool:
        """Return whether the provider may have refused only the way in which it was asked."""
        if simpler is None or (isinstance(error, ModelHTTPError) and error.status_code not in REFUSING):
            return False
        return ABOUT_THE_WAY.search(str(error)) is not None

    def _learn(self, ways: list[Way], taken: Way) -> None:
        """Remember which ways the provider has refused, now that it has taken a simpler one."""
        for way in ways[: ways.index(taken)]:
            learn_refused_way(self.wrapped, way)
        if taken != ways[0]:
            what = "a tool" if ways[0] == "profile" else "a format"
            self._warn(f"the provider refuses {what} for the answer, so the model was asked for JSON in words")


def _answered_in_words(messages: list[ModelMessage] | None) -> bool:
    """Return whether the model has just answered with words, which did not fit."""
    last = messages[-1] if messages else None
    return isinstance(last, ModelRequest) and any(
        isinstance(part, RetryFeedbackPart) or (isinstance(part, UserPromptPart) and FEEDBACK.search(str(part.content)))
        for part in last.parts
    )
