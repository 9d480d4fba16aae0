"""What a failed model request means, in one line that says what to do."""

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

REASON_LENGTH = 240


def failure(reference: str, error: BaseException, address: str | None = None) -> tuple[str, SessionMagicError]:
    """Return the code and the error that a turn which failed so ends with; `address` is where the model was asked."""
    if isinstance(error, SessionMagicError):
        return _code(StoreError if isinstance(error, StoreError) else type(error)), error
    reason = _reason(error)
    match error:
        case ModelNotFoundError():
            return "model_not_found", ModelRefusedError(f"{reference}: the provider knows no such model ({reason})")
        case ModelAuthenticationError():
            return "auth", ModelRefusedError(f"{reference}: the provider refuses the key ({reason})")
        case ModelRateLimitError():
            return "rate_limited", TurnFailedError(f"{reference}: too many requests, try again later ({reason})")
        case ModelContextWindowExceededError():
            return "context_exceeded", TurnFailedError(
                f"{reference}: it is more than the model can read; shorten the prompt, or go on with --new ({reason})"
            )
        case ModelTimeoutError():
            return "timeout", TurnFailedError(f"{reference}: the provider did not answer in time ({reason})")
        case ModelConnectionError():
            return "connection", TurnFailedError(
                f"{reference}: the connection to {address or 'the provider'} failed or was cut ({reason})"
            )
        case ModelAPIError() | UnexpectedModelBehavior() | UserError():
            return "model_error", TurnFailedError(f"{reference}: {reason}")
        case _:
            return "model_error", TurnFailedError(f"{reference}: {type(error).__name__}: {reason}")


def _code(kind: type[SessionMagicError]) -> str:
    """Return the name of an error of ours as a code: ``store_error``."""
    return re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()


def _reason(error: BaseException) -> str:
    """The provider's own words on one line, cut, without any key that this process knows."""
    text = str(error)
    if isinstance(error, ModelHTTPError):
        text = f"{error.status_code}: {_body_message(error.body) or text}"
    text = re.sub(r"\s+", " ", without_keys(text)).strip() or type(error).__name__
    text = "".join(character if character.isprintable() else "�" for character in text[: REASON_LENGTH + 1])
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"


def _body_message(body: object) -> str | None:
    while isinstance(body, dict) and ("error" in body or "message" in body):
        body = body.get("message", body.get("error"))
    return body if isinstance(body, str) else None
