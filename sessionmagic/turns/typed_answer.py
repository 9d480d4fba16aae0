"""The answer of one run: text, or a structured answer that is checked, and asked for again if it does not fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import IncompleteToolCall, ModelRetry, OutputTokenLimitExceeded, UnexpectedModelBehavior
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

from sessionmagic.turns.failures import EMPTY_ANSWER, cut_short, unfit
from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.turns.messages import to_json
from sessionmagic.turns.output_type import UnfitAnswerError
from sessionmagic.turns.typed_model import OUTPUT_RETRIES, Written, WrittenValue
from sessionmagic.turns.written_answer import as_texts

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage

    from sessionmagic.turns.failures import Failure
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.output_type import Fitting, OutputType


class TypedAnswer:
    """The answer of a run.

    Args:
        type_: The type of a structured answer; None for text.

    Attributes:
        taken: What pydantic-ai takes for an answer.
        retries: How often it asks again for one that it cannot use.
        fitting: The structured answer, once it fits.
    """

    def __init__(self, type_: OutputType | None) -> None:
        self._type = type_
        self._problem = ""
        """Why the latest answer does not fit; empty if it was not even a JSON object."""
        self.taken: Any = str if type_ is None else WrittenValue if type_.is_wrapped else Written
        self.retries = 1 if type_ is None else OUTPUT_RETRIES
        self.fitting: Fitting | None = None

    def of_agent(self, agent: Agent[None, Any]) -> Agent[None, Any]:
        """Return an agent whose answers are checked."""
        if self._type is not None:
            agent.output_validator(self.check)
        return agent

    async def check(self, written: Written) -> Written:
        """Keep what the model wrote as a value of the type. Raises `ModelRetry`, so that the model is asked again."""
        assert self._type is not None  # noqa: S101  for the type checker
        self.fitting, self._problem = None, ""
        content = written.model_extra or {}
        await ready_for(json.dumps(content, default=str))
        try:
            self.fitting = await self._type.fitting(content)
        except UnfitAnswerError as error:
            self._problem = str(error)
            raise ModelRetry(f"The answer does not fit the schema:\n{error}") from None
        return written

    def ends_with(self, message: ModelMessage) -> bool:
        """Return whether a run ends with this message: a whole response in words, unless a value is asked for."""
        return (
            self._type is None
            and isinstance(message, ModelResponse)
            and message.state == "complete"
            and any(isinstance(part, TextPart) and part.content for part in message.parts)
            and not any(isinstance(part, ToolCallPart) for part in message.parts)
        )

    def stored(self, messages: list[ModelMessage]) -> Messages:
        """Return the messages of the run as they are stored."""
        return to_json(messages if self._type is None else as_texts(messages))

    def failure(self, reference: str, error: Exception) -> Failure | None:
        """Return the failure of a run whose last answer did not fit or was cut off; None if it failed in another way.

        Args:
            reference: The reference of the model.
            error: What has ended the run.
        """
        if self._type is None:
            return None
        match error:
            case IncompleteToolCall() | OutputTokenLimitExceeded():
                return cut_short(reference)
            case UnexpectedModelBehavior() if error.message.startswith(EMPTY_ANSWER):
                return unfit(reference, self._type.name, self._problem)
            case _:
                return None
