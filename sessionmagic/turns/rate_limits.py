"""How long a turn waits for a provider that has too many requests, as when a class shares one key."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic_ai.exceptions import ModelQuotaExceededError, ModelRateLimitError

from sessionmagic.conversation.events import ModelAwaited, Warned
from sessionmagic.models.clients import is_left_to_us
from sessionmagic.turns.failures import still_waiting, waiting, why_waiting, will_ask_again

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 600.0
"""Seconds that a turn without a timeout waits in all."""
FIRST_WAIT = 0.5
"""Seconds before a provider is asked again, if it does not ask for more. Each further wait is twice as long."""
MOST_DOUBLINGS = 6
LONGEST_BACKOFF = 30.0
SPREAD = 0.25
"""The share by which waits are made longer at random, so that not all of a class ask again at the same moment."""


class RateLimits:
    """The waits of one run. A provider that asks for more time than is left is not waited for.

    Args:
        seconds: How long they may take in all: the turn's timeout; None for `LONGEST`.
        emit: Emits an event, as `EventLog.emit` does.
    """

    def __init__(self, seconds: float | None, emit: Callable[..., object]) -> None:
        self._seconds = LONGEST if seconds is None else seconds
        self._emit = emit
        self._waited = 0.0
        self._times = 0
        self._times_in_a_row = 0
        """How often it has waited since the provider answered last."""
        self._told = 0.0
        """How long it had waited when the user was last told."""
        self.why = ""
        """Why the open request waits, or has waited, in words; empty if it has not."""

    def wait_after(self, reference: str, error: Exception) -> float | None:
        """Return the seconds to wait before a request is made again, which the user is told now and then.

        None if it shall not be: the error is another one, credit is used up, or the wait would be too long.

        Args:
            reference: The reference of the model that was asked.
            error: Why the request has failed.
        """
        if not isinstance(error, ModelRateLimitError) or isinstance(error, ModelQuotaExceededError):
            return None
        if getattr(error, "provider_retry_hint", None) is False and not is_left_to_us(error):
            return None
        wanted, left = error.retry_after or 0.0, self._seconds - self._waited
        doublings = min(self._times_in_a_row, MOST_DOUBLINGS)
        wait = max(wanted, min(FIRST_WAIT * 2.0**doublings, LONGEST_BACKOFF))
        wait *= 1 + SPREAD * random.random()  # noqa: S311  not for secrets
        if wait > left:  # wait less than usual, to ask once more just before the time is over
            wait = max(wanted, left - FIRST_WAIT)
        if wait > left or wait < FIRST_WAIT:
            return None
        self._times += 1
        self._times_in_a_row += 1
        self._waited += wait
        self.note(reference, HTTPStatus.TOO_MANY_REQUESTS, wanted)
        self._emit(ModelAwaited, why=will_ask_again(reference, HTTPStatus.TOO_MANY_REQUESTS, wait))
        if self._times == 1:
            self._tell(waiting(reference, HTTPStatus.TOO_MANY_REQUESTS, wait, asked_for=wanted >= FIRST_WAIT))
        elif self._waited >= 2 * self._told:
            self._tell(still_waiting(reference, self._times, self._waited))
        return wait

    def note(self, reference: str, status: int, asked_for: float) -> None:
        """Remember that the open request waits, also if a provider's library does that.

        Args:
            reference: The reference of the model that was asked.
            status: The HTTP status of the provider's answer.
            asked_for: The seconds that the provider has asked to wait; 0 if it has not.
        """
        self.why = why_waiting(reference, status, asked_for)

    def answered(self) -> None:
        """Forget why the request has waited and how often, as it was answered."""
        self.why = ""
        self._times_in_a_row = 0

    def _tell(self, text: str) -> None:
        self._told = self._waited
        self._emit(Warned, text=text)
