"""Which model is asked next when one has failed. The rules follow docker-agent's fallbacks.

An SDK would try failed requests again by itself. Here it must not, because the retries would multiply, and because it
would also wait for a provider that refuses requests as too many while another model could answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
)

from sessionmagic.conversation.events import ModelFellBack, Warned
from sessionmagic.exceptions import ModelRefusedError, SessionMagicError, TurnFailedError
from sessionmagic.models.abilities import address_of
from sessionmagic.models.clients import LONGEST_WAIT, SHORT_WAIT
from sessionmagic.turns.failures import failure, waiting
from sessionmagic.turns.provider_words import is_too_long, reason_of
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.messages import ModelResponse

    from sessionmagic.agents.definition import Fallback
    from sessionmagic.models.cooldowns import Cooldowns, Rest
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.rate_limits import RateLimits

Action: TypeAlias = Literal["retry", "next", "stop"]
"""What follows a failed request: the same model is asked again, the next one is asked, or the turn fails."""

FIRST_WAIT = 0.2
"""Seconds before a model is asked again. Each further wait is twice as long."""
LONGEST_BACKOFF = 2.0
"""Seconds of the longest such wait, and of the longest wait that a provider may ask for while another model is left."""
JITTER = 0.1
"""The share by which such a wait is made longer or shorter, at random."""


class EmptyAnswerError(UnexpectedModelBehavior):
    """A model has answered with nothing at all.

    Args:
        response: What it has answered.
    """

    def __init__(self, response: ModelResponse) -> None:
        why = "" if response.finish_reason in (None, "stop") else f" ({response.finish_reason})"
        super().__init__(f"the answer was empty{why}")
        self.response = response


def action_after(error: Exception) -> Action:
    """Return what follows a model request that has failed before the model said anything.

    A provider that is unwell for the moment is asked again. What it refuses, another one may take. An error of our own,
    such as a spent budget, holds for all models.
    """
    match error:
        case SessionMagicError():
            return "stop"
        case ModelHTTPError(status_code=HTTPStatus.REQUEST_TIMEOUT):
            return "retry"
        case ModelRateLimitError() | ModelQuotaExceededError() | ModelRequestRejectedError():
            return "next"
        case ModelAPIError() if is_too_long(error):
            return "next"
        case ModelHTTPError(provider_retry_hint=False):
            return "next"
        case ModelConnectionError() | ModelRequestTimeout() | ModelServerError() | ModelUnavailableError():
            return "retry"
        case ModelHTTPError(status_code=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "retry"
        case _:
            return "next"


def wait_before(retry: int, chance: float) -> float:
    """Return the seconds to wait before a model is asked again.

    Args:
        retry: Which time it is, from 1.
        chance: A number from 0 to 1 that makes the wait shorter or longer.
    """
    return min(FIRST_WAIT * 2.0 ** (retry - 1), LONGEST_BACKOFF) * (1 + JITTER * (2 * chance - 1))


def in_short(error: Exception) -> str:
    """Return why a request failed in a few words, such as ``HTTP 503``."""
    match error:
        case ModelHTTPError(status_code=status):
            return f"HTTP {status}"
        case ModelTimeoutError() | ModelRequestTimeout():
            return "no answer in time"
        case ModelConnectionError():
            return "connection failed or lost"
        case _:
            return shortened(reason_of(error).partition("; ")[0])


@dataclass(frozen=True, slots=True)
class FallbackRules:
    """How the models of a turn fall back.

    Attributes:
        fallback: The numbers; its models are those of the turn's `ResolvedModel.fallbacks`.
        cooldowns: The models that are left out.
        named: Whether the user has named the model in this turn for the first time. If its provider then does not have
            it, or refuses the key, the turn fails, as the user must know that.
        told: The models of which the user was told in this turn that they have failed.
    """

    fallback: Fallback
    cooldowns: Cooldowns
    named: bool = False
    told: set[str] = field(default_factory=set)


class Chain:
    """The models that may be asked in one run, in order, and how far the open model request has come in it.

    Args:
        agent: The agent's name.
        model: The model of the run, with its fallbacks.
        rules: How they fall back.
        emit: Emits an event, as `EventLog.emit` does.
        rate_limits: How long a provider is waited for that has too many requests, if no other model is left.

    Attributes:
        asked: The single model that the open request goes to.
    """

    def __init__(
        self,
        agent: str,
        model: ResolvedModel,
        rules: FallbackRules,
        emit: Callable[..., object],
        rate_limits: RateLimits,
    ) -> None:
        self._agent = agent
        self._rate_limits = rate_limits
        self._models = (model, *model.fallbacks)
        self._rules = rules
        self._emit = emit
        self._requests = 0
        self._left: list[ResolvedModel] = []
        """The models after the one that is asked."""
        self._current = self.asked = model
        """The model of the chain that is asked, which may be an alloy, and the member of it that is."""
        self._times = 0
        """How often it was asked for this request."""
        self._why: list[str] = []
        """For each model that does not answer this request, why."""

    def begin(self) -> ResolvedModel:
        """Return the model that a new model request goes to: the first that is not left out.

        Raises `TurnFailedError` if all are left out.
        """
        self._requests += 1
        self._left, self._why = list(self._models), []
        asked = self._next()
        first = self._models[0].reference
        rest = self._rest_of(self._models[0])
        if rest is not None and first not in self._rules.told:
            self._rules.told.add(first)
            self._tell(first, f"{rest.reason}, left out for {_seconds(rest.seconds)} more", 0)
        return asked

    def after(self, error: Exception) -> tuple[ResolvedModel, float]:
        """Return the model to ask after the request has failed, and the seconds to wait before.

        Raises the error if no other model shall be asked, and `TurnFailedError` if none is left.
        """
        action = action_after(error)
        if action == "stop" or self._names_a_wrong_model(error):
            raise error
        wanted = getattr(error, "retry_after", None) or 0.0
        wait = max(wanted, wait_before(self._times, random.random()))  # noqa: S311  not for secrets
        patience = LONGEST_BACKOFF * (1 + JITTER) if self._has_another() else LONGEST_WAIT
        if action == "retry" and self._times <= self._rules.fallback.retries and wait <= patience:
            self._times += 1
            if wait > SHORT_WAIT and wanted and isinstance(error, ModelHTTPError):
                self._emit(Warned, text=waiting(self.asked.reference, error.status_code, wait))
            return self.asked, wait
        limited = None if self._has_another() else self._rate_limits.wait_after(self.asked.reference, error)
        if limited is not None:
            return self.asked, limited
        self._move(error, max(wanted, self._rules.fallback.cooldown))
        return self.asked, 0.0

    def _move(self, error: Exception, cooldown: float) -> None:
        """Take the next model in place of the one that has failed, and leave that one out for a while."""
        failed, asked, times, reason = self._current, self.asked, self._times, in_short(error)
        again = f", asked {counted(times, 'time')}" if times > 1 else ""
        self._why.append(f"{asked.reference} ({reason_of(error)}{again})")
        self._next()
        self._rules.cooldowns.leave_out(self._agent, failed.identity, cooldown, reason)
        self._rules.told.add(failed.reference)
        self._tell(asked.reference, reason, times)

    def _next(self) -> ResolvedModel:
        """Return the next model that is not left out; raise `TurnFailedError` if there is none."""
        while self._left:
            model = self._left.pop(0)
            rest = self._rest_of(model)
            if rest is None:
                self._current, self.asked, self._times = model, model.chosen(), 1
                return self.asked
            self._why.append(f"{model.reference} ({rest.reason}, left out for {_seconds(rest.seconds)} more)")
        raise TurnFailedError(
            f"no model has answered: {'; '.join(self._why)}; try again later, or name another model with --model"
        )

    def _has_another(self) -> bool:
        return any(self._rest_of(each) is None for each in self._left)

    def _rest_of(self, model: ResolvedModel) -> Rest | None:
        return self._rules.cooldowns.rest_of(self._agent, model.identity)

    def _tell(self, failed: str, reason: str, attempt: int) -> None:
        self._emit(ModelFellBack, failed=failed, fallback=self.asked.reference, reason=reason, attempt=attempt)

    def _names_a_wrong_model(self, error: Exception) -> bool:
        """Return whether the user has just named a model that its provider does not have, or refuses the key for."""
        if not self._rules.named or self._requests > 1 or self._current is not self._models[0]:
            return False
        _, told = failure(self.asked.reference, error, address_of(self.asked.model))
        return isinstance(told, ModelRefusedError)


def chain_of(
    agent: str,
    model: ResolvedModel,
    rules: FallbackRules | None,
    emit: Callable[..., object],
    rate_limits: RateLimits,
) -> Chain | None:
    """Return the models that may be asked in a run; None if only the one is."""
    return None if rules is None else Chain(agent, model, rules, emit, rate_limits)


def _seconds(seconds: float) -> str:
    return f"{ceil(seconds):,} s"
