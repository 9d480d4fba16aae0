"""A cell's structured answer: asked for, checked, and asked for again if it does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic_ai import Agent, capture_run_messages
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.comparing.cells import CellAnswer
from sessionmagic.comparing.whole_response import whole_response
from sessionmagic.conversation.usage import total
from sessionmagic.conversation.value import as_text
from sessionmagic.models.members import with_wrapped_members
from sessionmagic.turns.model_requests import name_of, usage_of
from sessionmagic.turns.typed_answer import TypedAnswer
from sessionmagic.turns.typed_model import TypedModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.conversation.usage import Usage
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turns.output_type import OutputType


class UnfitValueError(Exception):
    """No answer fits the type. `usage` is that of all requests."""

    def __init__(self, why: str, usage: Usage) -> None:
        super().__init__(why)
        self.usage = usage


class _Whole(WrapperModel):
    """A model that gives whole responses, also if it can only stream them."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        return await whole_response(self.wrapped, messages, model_settings or {}, model_request_parameters)


async def ask_for_value(
    model: ResolvedModel, output_type: OutputType, prompt: str, system: str, settings: Mapping[str, Any]
) -> CellAnswer:
    """Return the structured answer of a model, whose text is its JSON.

    Its usage is that of all requests, also of those whose answers did not fit. Raises `UnfitValueError`, and whatever
    the model raises.
    """
    answer = TypedAnswer(output_type)
    asked = with_wrapped_members(model.model, lambda member: TypedModel(_Whole(member), output_type))
    agent = answer.of_agent(
        Agent(asked, instructions=system or None, output_type=answer.taken, retries={"output": answer.retries})
    )
    with capture_run_messages() as messages:
        try:
            await agent.run(prompt, model_settings=cast("ModelSettings", dict(settings)))
        except Exception as error:
            if (failure := answer.failure(model.reference, error)) is None:
                raise
            raise UnfitValueError(str(failure[1]), _usage(messages, model)) from error
    last = next(message for message in reversed(messages) if isinstance(message, ModelResponse))
    assert answer.fitting is not None  # noqa: S101  the run has ended with it
    return CellAnswer(
        text=as_text(answer.fitting.stored.json),
        model=name_of(last) if last.model_name else "",
        usage=_usage(messages, model),
        finish_reason=last.finish_reason,
    )


def _usage(messages: Sequence[ModelMessage], model: ResolvedModel) -> Usage:
    return total(usage_of(message, model.price) for message in messages if isinstance(message, ModelResponse))
