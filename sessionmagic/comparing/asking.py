"""One cell's model request: without an agent, without streaming, and without keys."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from sessionmagic.comparing.cells import CellAnswer
from sessionmagic.conversation.usage import Usage, total
from sessionmagic.exceptions import ModelReferenceError, ModelRefusedError, TurnLimitError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import loop_thread
from sessionmagic.models.abilities import address_of, without_retries
from sessionmagic.models.catalog import Models
from sessionmagic.models.members import members_of
from sessionmagic.models.named import NO_NAMES
from sessionmagic.models.settings import for_model, merged
from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.models.named import Names
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.output_type import OutputType

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})
FailureKind = Literal["refused", "failed", "denied", "unusable", "final"]
"""Why there is no answer: too many requests, a provider that fails or cannot be reached, an account without credit, a
model that does not exist or whose key is wrong, or what asking the same again will not change."""


@dataclass(frozen=True, slots=True)
class CellFailure:
    """A request of a cell that got no answer."""

    kind: FailureKind
    error: str
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""
    may_have_cost: bool = False
    """Whether the provider may have worked on the request."""
    usage: Usage | None = None
    """What was used, if it is known."""
    requests: int = 1
    """How many model requests were made."""


CellOutcome = CellAnswer | CellFailure


class Asker:
    """Asks one contestant. Used as a context, it opens and closes the connections of the contestant's model.

    Args:
        model: The model.
        settings: The contestant's settings.
        system: The instructions, without keys.
        output_type: The type of structured answers; None for texts. The text of an answer is then its JSON.
        defaults: Settings for models whose names have no others.

    Attributes:
        model: The model, with the settings as they are sent.
    """

    def __init__(
        self,
        model: ResolvedModel,
        settings: Mapping[str, Any],
        system: str,
        output_type: OutputType | None = None,
        *,
        defaults: Mapping[str, Any] = NO_SETTINGS,
    ) -> None:
        from pydantic_ai.messages import InstructionPart
        from pydantic_ai.models import ModelRequestParameters

        self._settings, self._defaults = settings, defaults
        self.model = model.with_settings(lambda each: for_model(each.model, each.settings, self.settings_of(each)))
        self._system = system
        self._output_type = output_type
        parts = [InstructionPart(system)] if system else None
        self._parameters = ModelRequestParameters(instruction_parts=parts)
        self._stack = AsyncExitStack()

    def settings_of(self, model: ResolvedModel) -> dict[str, Any]:
        """Return the settings of a single model: the defaults, those of its name, and the contestant's."""
        return merged(self._defaults, model.named_settings, self._settings)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.model.model)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, prompt: str, check: Callable[[Usage], object] = lambda _: None) -> CellOutcome:
        """Ask the model once. Never raises, whatever the model does, unless it is cancelled.

        Args:
            prompt: What to ask, without keys.
            check: Raises `TurnLimitError` if a structured answer that does not fit may not be asked for again, because
                of what the cell has used so far.
        """
        from pydantic_ai.messages import ModelRequest, UserPromptPart

        from sessionmagic.comparing.replayed_verdicts import asking_with
        from sessionmagic.comparing.whole_response import whole_response

        asked = self.model.chosen()
        settings = {**asked.settings, **without_retries(asked.model)}
        if self._output_type is not None:
            return await self._ask_for_value(replace(asked, settings=settings), self._output_type, prompt, check)
        began = time.monotonic()
        try:
            with asking_with(prompt):
                response = await whole_response(
                    asked.model,
                    [ModelRequest(parts=[UserPromptPart(prompt)])],
                    cast("ModelSettings", settings),
                    self._parameters,
                )
            return await _answer(response, asked.price, time.monotonic() - began)
        except Exception as error:  # noqa: BLE001  a model may fail in any way
            return await _failure(asked, error)

    async def _ask_for_value(
        self, asked: ResolvedModel, output_type: OutputType, prompt: str, check: Callable[[Usage], object]
    ) -> CellOutcome:
        """Ask for a structured answer, and again if it does not fit. What did not fit was paid for, too."""
        from sessionmagic.comparing.asking_for_values import Tries, UnfitValueError, ask_for_value

        began, tries = time.monotonic(), Tries(asked.price, check)
        try:
            answer = await ask_for_value(asked, output_type, prompt, self._system, tries)
        except (UnfitValueError, TurnLimitError) as error:
            failed = CellFailure("final", without_keys(str(error)))
        except Exception as error:  # noqa: BLE001  a model may fail in any way
            failed = await _failure(asked, error)
        else:
            return replace(answer, seconds=time.monotonic() - began)
        if not tries.responses:
            return replace(failed, requests=max(tries.requests, 1))
        last = [Usage(unmeasured_requests=1)] if failed.may_have_cost else []
        used = total([tries.usage, *last])
        return replace(failed, requests=tries.requests, may_have_cost=True, usage=used)


async def _answer(response: ModelResponse, price: Sequence[float] | None, seconds: float) -> CellAnswer:
    from sessionmagic.turns.model_requests import name_of, usage_of

    text = response.text or ""
    await ready_for(text)
    return CellAnswer(
        text=without_keys(text),
        model=name_of(response) if response.model_name else "",
        usage=usage_of(response, price),
        seconds=seconds,
        finish_reason=response.finish_reason,
    )


async def _failure(model: ResolvedModel, error: Exception) -> CellFailure:
    from sessionmagic.turns.failures import failure
    from sessionmagic.turns.model_requests import may_have_been_answered

    await ready_for(words_of(error))
    _, told = failure(model.reference, error, address_of(model.model))
    kind, retry_after = _kind_of(error)
    if len(members_of(model.model)) > 1:
        kind = "final" if kind == "denied" else kind  # the next request may go to another member, with another key
    elif isinstance(told, ModelRefusedError):
        kind = "unusable"
    return CellFailure(kind, without_keys(str(told)), retry_after, may_have_been_answered(error))


def _kind_of(error: BaseException) -> tuple[FailureKind, float | None]:
    """Return why a request failed, and the seconds that the provider asks to wait, if it does."""
    from pydantic_ai.exceptions import (
        ModelConnectionError,
        ModelHTTPError,
        ModelQuotaExceededError,
        ModelRateLimitError,
    )

    match error:
        case BaseExceptionGroup():  # all models of a fallback have failed
            return _kind_of(error.exceptions[-1])
        case ModelQuotaExceededError() | ModelHTTPError(status_code=HTTPStatus.UNAUTHORIZED):
            return "denied", None
        case ModelRateLimitError():
            return "refused", error.retry_after
        case ModelHTTPError(status_code=HTTPStatus.TOO_MANY_REQUESTS):
            return "refused", error.retry_after
        case ModelHTTPError() if _is_passing(error.status_code) and error.provider_retry_hint is not False:
            return "failed", error.retry_after
        case ModelConnectionError() if "certificate" not in str(error).lower():
            return "failed", None
        case _:
            return "final", None


def _is_passing(status: int) -> bool:
    """Return whether a provider may answer the same request later."""
    return status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Errand:
    """How a worker of an executor asks a contestant. It can be pickled, and has no keys.

    Attributes:
        reference: The reference of the model.
        settings: The contestant's settings.
        system: The instructions, without keys.
        endpoints: The names and base URLs of the user's own servers.
        prices: What the user says that the model, or members of it, cost, by reference.
        output_type: The type of structured answers. Its class must be importable in the workers.
        defaults: Settings for models whose names have no others.
        names: The models and servers that have names of their own.
    """

    reference: str
    settings: Mapping[str, Any]
    system: str
    endpoints: Mapping[str, str]
    prices: Mapping[str, Sequence[float]]
    output_type: OutputType | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    names: Names = NO_NAMES

    @property
    def key(self) -> str:
        """What tells it from other errands."""
        asked = self.output_type.fingerprint if self.output_type is not None else ""
        prices, endpoints = dict(self.prices), dict(self.endpoints)
        settings = [dict(self.settings), dict(self.defaults)]
        return json.dumps([self.reference, *settings, self.system, endpoints, prices, asked, repr(self.names)])


def ask_in_worker(errand: Errand, prompt: str, call: str) -> CellOutcome:  # noqa: ARG001  see `call`
    """Ask a model in a worker of an executor. Keys are those of the worker's environment.

    Args:
        errand: How to ask.
        prompt: What to ask, without keys.
        call: A text that no other call has. A Dask client runs equal calls only once.
    """
    return loop_thread().submit(_ask_here(errand, prompt)).result()


async def _ask_here(errand: Errand, prompt: str) -> CellOutcome:
    try:
        asker = _askers.get(errand.key)
        if asker is None:
            models = Models(endpoints=errand.endpoints, prices=errand.prices).within(errand.names)
            model = models.resolve(errand.reference)
            asker = Asker(model, errand.settings, errand.system, errand.output_type, defaults=errand.defaults)
            _askers[errand.key] = await asker.__aenter__()
    except ModelReferenceError as error:
        return CellFailure("final", str(error))  # other workers may know the model
    return await asker.ask(prompt)


_askers: dict[str, Asker] = {}
"""The askers of this worker, by their errands. They are used until it ends, all on its loop thread."""
