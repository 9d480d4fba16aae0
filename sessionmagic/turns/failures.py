"""The error for a failed model request: one line that says what failed and what to do."""

from __future__ import annotations

import re

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)

from sessionmagic.exceptions import ModelRefusedError, SessionMagicError, StoreError, TurnFailedError
from sessionmagic.keys import without_keys
from sessionmagic.words import printable, shortened

REASON_LENGTH = 240
"""Characters of the provider's own message that an error quotes."""


def failure(reference: str, error: BaseException, address: str | None = None) -> tuple[str, SessionMagicError]:
    """Return the error code and the error of a turn that `error` has ended.

    Args:
        reference: The reference of the model.
        error: What was raised.
        address: The address at which the model was asked, if it has one.
    """
    if isinstance(error, SessionMagicError):
        return _code(StoreError if isinstance(error, StoreError) else type(error)), error
    reason = _reason(error)
    match error:
        case ModelNotFoundError():
            return "model_not_found", ModelRefusedError(
                f"{reference}: the provider does not have this model; check its name ({reason})"
            )
        case ModelAuthenticationError():
            return "auth", ModelRefusedError(f"{reference}: the provider refused the API key; check it ({reason})")
        case ModelRateLimitError():
            return "rate_limited", TurnFailedError(
                f"{reference}: too many requests to the provider; try again later ({reason})"
            )
        case ModelContextWindowExceededError():
            return "context_exceeded", TurnFailedError(
                f"{reference}: the conversation is longer than the model can read; shorten the prompt, or start a new "
                f"session with --new ({reason})"
            )
        case ModelTimeoutError():
            return "timeout", TurnFailedError(
                f"{reference}: the provider did not answer in time; try again later ({reason})"
            )
        case ModelConnectionError():
            return "connection", TurnFailedError(
                f"{reference}: the connection to {address or 'the provider'} failed or was lost; check that the server "
                f"can be reached ({reason})"
            )
        case ModelAPIError() | UnexpectedModelBehavior() | UserError():
            return "model_error", TurnFailedError(f"{reference}: {reason}")
        case _:
            return "model_error", TurnFailedError(f"{reference}: {type(error).__name__}: {reason}")


def _code(kind: type[SessionMagicError]) -> str:
    """Return the code of an error class: its name in snake case, such as ``store_error``."""
    return re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()


def _reason(error: BaseException) -> str:
    """Return the provider's own message on one line, cut, and without the keys that this process knows."""
    text = str(error)
    if isinstance(error, ModelHTTPError):
        text = f"{error.status_code}: {_body_message(error.body) or text}"
    text = re.sub(r"\s+", " ", without_keys(text)).strip() or type(error).__name__
    return shortened(printable(text[: REASON_LENGTH + 1]), REASON_LENGTH)


def _body_message(body: object) -> str | None:
    while isinstance(body, dict) and ("error" in body or "message" in body):
        body = body.get("message", body.get("error"))
    return body if isinstance(body, str) else None
