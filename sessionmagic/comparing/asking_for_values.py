"""A cell's structured answer: asked for, checked, and asked for again if it does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pydantic_ai import Agent
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
    from collections.abc import Callable, Sequence

    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.conversation.usage import Usage
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.output_type import OutputType


class UnfitValueError(Exception):
    """No answer fits the type."""


@dataclass(slots=True)
class Tries:
    """The requests of one cell, also of one that fails at last.

    Attributes:
        price: What the user says that the model costs, if anything.
        check: Called before each further request with the usage so far. What it raises ends the cell.
        requests: How many were made.
        responses: What the model has answered.
    """

    price: Sequence[float] | None
    check: Callable[[Usage], object]
    requests: int = 0
    responses: list[ModelResponse] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """The usage of all responses."""
        return total(usage_of(response, self.price) for response in self.responses)


class _Whole(WrapperModel):
    """A model that gives whole responses, also if it can only stream them, and counts them."""

    def __init__(self, wrapped: Model, tries: Tries) -> None:
        super().__init__(wrapped)
        self._tries = tries

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        if self._tries.responses:
            self._tries.check(self._tries.usage)
        self._tries.requests += 1
        response = await whole_response(self.wrapped, messages, model_settings or {}, model_request_parameters)
        self._tries.responses.append(response)
        return response


async def ask_for_value(
    model: ResolvedModel, output_type: OutputType, prompt: str, system: str, tries: Tries
) -> CellAnswer:
    """Return the structured answer of a model, whose text is its JSON. It is asked with its settings.

    Its usage is that of all requests, also of those whose answers did not fit; these are added to `tries` as they are
    made. Raises `UnfitValueError`, and whatever the model raises.
    """
    answer = TypedAnswer(output_type)
    asked = with_wrapped_members(model.model, lambda member: TypedModel(_Whole(member, tries), output_type))
    agent = answer.of_agent(
        Agent(asked, instructions=system or None, output_type=answer.taken, retries={"output": answer.retries})
    )
    try:
        await agent.run(prompt, model_settings=cast("ModelSettings", dict(model.settings)))
    except Exception as error:
        if (failure := answer.failure(model.reference, error)) is None:
            raise
        raise UnfitValueError(str(failure[1])) from error
    last = tries.responses[-1]
    assert answer.fitting is not None  # noqa: S101  the run has ended with it
    return CellAnswer(
        text=as_text(answer.fitting.stored.json),
        model=name_of(last) if last.model_name else "",
        usage=tries.usage,
        finish_reason=last.finish_reason,
        requests=tries.requests,
    )
