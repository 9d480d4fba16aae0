"""The error for a failed model request: one line that says what failed and what to do."""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic_ai.exceptions import (
    ContentFilterError,
    IncompleteToolCall,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelTimeoutError,
    ModelUnavailableError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)

from sessionmagic.exceptions import ModelRefusedError, SessionMagicError, StoreError, TurnFailedError
from sessionmagic.models.clients import host_of, missing_certificates, proxy_before
from sessionmagic.models.sources import key_variable
from sessionmagic.turns.provider_words import (
    is_too_long,
    names_a_model,
    reason_of,
    redirection,
    refusal_of,
    says_content_is_filtered,
)

if TYPE_CHECKING:
    Failure = tuple[str, SessionMagicError]
    """The error code and the error of a turn."""

EMPTY_ANSWER = "Exceeded maximum output retries"
"""The beginning of pydantic-ai's message for a model that gave an empty answer, also when it was asked again."""
EMPTY_STREAM = "Streamed response ended without content"
"""The beginning of pydantic-ai's message for a stream without any event. The SDKs also read a web page as one."""


def failure(reference: str, error: BaseException, address: str | None = None) -> Failure:
    """Return the error code and the error of a turn that `error` has ended.

    Args:
        reference: The reference of the model.
        error: What was raised.
        address: The address at which the model was asked, if it has one.
    """
    match error:
        case SessionMagicError():
            return _code(StoreError if isinstance(error, StoreError) else type(error)), error
        case ModelConnectionError():
            return _connection_failure(reference, error, address)
        case ModelAPIError():
            return _refusal(reference, error, address)
        case UnexpectedModelBehavior():
            return _unusable_answer(reference, error, address)
        case OSError(filename=None) if wrong := missing_certificates():
            return "certificates", TurnFailedError(f"{reference}: {wrong}")
        case UnicodeEncodeError(encoding="ascii"):  # that of a header
            return _bad_key(reference)
        case UserError():
            return "model_error", TurnFailedError(f"{reference}: {reason_of(error)}")
        case BaseExceptionGroup():
            # A FallbackModel has asked all its models. Each has failed in its own way; the last one says what to do.
            return failure(reference, error.exceptions[-1])  # the address is that of the first one
        case _:
            return "model_error", TurnFailedError(f"{reference}: {type(error).__name__}: {reason_of(error)}")


def unfit(reference: str, type_name: str, problem: str) -> Failure:
    """Return the failure of a turn whose model gave no structured answer that fits, also when it was asked again.

    Args:
        reference: The reference of the model.
        type_name: What the type is called.
        problem: What is wrong with the last answer; empty if it is not a JSON object.
    """
    why = "; ".join(problem.splitlines()) or "it is not a JSON object"
    return "unfit_answer", TurnFailedError(
        f"{reference}: the answer does not fit {type_name}, also when the model was asked again ({why}); change the "
        "prompt or the type, or choose another model"
    )


def cut_short(reference: str) -> Failure:
    """Return the failure of a turn whose structured answer has reached the token limit."""
    return "token_limit", TurnFailedError(
        f"{reference}: the answer reached the token limit before its JSON was complete; raise max_tokens, or "
        "ask for less"
    )


def waiting(reference: str, status: int, seconds: float, *, asked_for: bool = True) -> str:
    """Return a note that a request waits before it is tried again, because the provider has asked for that or not."""
    cause = "too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "the provider is not available"
    # The note stays in the saved answer, so it must also be true after the wait.
    why = ", as the provider requests" if asked_for else ""
    return f"{reference}: {cause} ({status}); asked again after {_seconds(seconds)}{why}"


def will_ask_again(reference: str, status: int, seconds: float) -> str:
    """Return the words of a status line during that wait."""
    has = "has too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "is not available"
    return f"{reference} {has}, asked again in {_seconds(seconds)}"


def why_waiting(reference: str, status: int, asked_for: float) -> str:
    """Return why a turn has waited until its time was over, for the error that tells that.

    Args:
        reference: The reference of the model.
        status: The HTTP status of the provider's latest answer.
        asked_for: The seconds that the provider has asked to wait; 0 if it has not.
    """
    problem = "has too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "is not available"
    wait = f" and asks for a wait of {_seconds(asked_for)}" if asked_for >= 1 else ""
    return f"{reference} {problem} ({status}){wait}"


def still_waiting(reference: str, times: int, seconds: float) -> str:
    """Return a note that a request was made again several times, because the provider has too many."""
    return f"{reference}: still too many requests (429); asked again {times} times within {_seconds(seconds)}"


def _refusal(reference: str, error: ModelAPIError, address: str | None) -> Failure:
    """Return the failure of a request that the provider answered with an error."""
    reason = reason_of(error)
    if is_too_long(error):
        return "context_exceeded", TurnFailedError(
            f"{reference}: the conversation is longer than the model can read; shorten the prompt, let %agent "
            f"compact summarize what was said before, or start a new session with --new ({reason})"
        )
    if says_content_is_filtered(error):
        return "content_filter", TurnFailedError(
            f"{reference}: the provider's content filter refused the request; change the prompt ({reason})"
        )
    return _proxied(reference, error, address) or _refusal_by_kind(reference, error, address)


def _proxied(reference: str, error: ModelAPIError, address: str | None) -> Failure | None:
    """Return the failure of a request that a proxy may have answered instead of the server."""
    is_page = isinstance(error, ModelHTTPError) and isinstance(error.body, str)
    # Through a proxy, an answer to https is that of the server, because the proxy cannot read the connection.
    if is_page and address and address.startswith("http:") and (proxy := proxy_before(address)):
        return "proxy", TurnFailedError(
            f"{reference}: the proxy in {proxy} may have answered instead of {address}; if the server is in your "
            f"network, add {_host(address)} to NO_PROXY ({reason_of(error)})"
        )
    return None


def _refusal_by_kind(reference: str, error: ModelAPIError, address: str | None) -> Failure:
    reason = reason_of(error)
    if address and (place := redirection(error)):
        return "wrong_address", TurnFailedError(
            f"{reference}: the server redirects requests for {address} to {place}; check the base URL"
        )
    match error:
        case ModelNotFoundError() if names_a_model(error):
            return "model_not_found", ModelRefusedError(
                f"{reference}: the provider does not have this model; check its name ({reason})"
            )
        case ModelNotFoundError() | ModelHTTPError(status_code=HTTPStatus.METHOD_NOT_ALLOWED) if address:
            lacks = "" if _has_version(address) else ", which may lack /v1"
            return "wrong_address", TurnFailedError(
                f"{reference}: the server does not know the address {address}; check the base URL{lacks} ({reason})"
            )
        case ModelAuthenticationError():
            return "auth", ModelRefusedError(f"{reference}: {_refused_key(reference)} ({reason})")
        case ModelQuotaExceededError():
            return "quota", TurnFailedError(
                f"{reference}: the quota or credit of the account is used up; check the account's plan ({reason})"
            )
        case ModelRateLimitError():
            return "rate_limited", TurnFailedError(
                f"{reference}: too many requests to the provider; try again {_when(error)} ({reason})"
            )
        case ModelUnavailableError():
            return "unavailable", TurnFailedError(
                f"{reference}: the provider is overloaded or not available; try again {_when(error)} ({reason})"
            )
        case ModelRequestTimeout():
            return _too_slow(reference, reason)
        case ModelHTTPError(status_code=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "model_error", TurnFailedError(
                f"{reference}: the provider failed; try again later, or choose another model ({reason})"
            )
        case _:
            return "model_error", TurnFailedError(f"{reference}: {reason}")


def _connection_failure(reference: str, error: ModelConnectionError, address: str | None) -> Failure:
    reason = reason_of(error)
    if isinstance(error, ModelTimeoutError):
        return _too_slow(reference, reason)
    if "Illegal header" in reason:  # the reason quotes the header, and so the key
        return _bad_key(reference)
    server = address or "the provider"
    if re.search("certificate|ssl", reason, re.IGNORECASE) and (wrong := missing_certificates()):
        return "certificates", TurnFailedError(f"{reference}: the connection to {server} failed: {wrong} ({reason})")
    if address and (proxy := proxy_before(address)):
        return "connection", TurnFailedError(
            f"{reference}: the connection to {server} through the proxy in {proxy} failed or was lost; check the "
            f"proxy, or add {_host(address)} to NO_PROXY ({reason})"
        )
    return "connection", TurnFailedError(
        f"{reference}: the connection to {server} failed or was lost; check that the server can be reached ({reason})"
    )


def _refused_key(reference: str) -> str:
    variable = key_variable(reference)
    if variable and not os.environ.get(variable):
        return f"the provider wants an API key; set {variable}"
    return f"the provider refused the API key; check {variable or 'it'}"


def _bad_key(reference: str) -> Failure:
    return "auth", TurnFailedError(
        f"{reference}: the API key has a line break or another character that cannot be sent; set it again"
    )


def _too_slow(reference: str, reason: str) -> Failure:
    return "timeout", TurnFailedError(f"{reference}: the provider did not answer in time; try again later ({reason})")


def _unusable_answer(reference: str, error: UnexpectedModelBehavior, address: str | None) -> Failure:
    match error:
        case ContentFilterError():
            refused, words = refusal_of(error)
            if refused:
                return "refusal", TurnFailedError(
                    f"{reference}: the model refused to answer; change the prompt ({words})"
                )
            return "content_filter", TurnFailedError(
                f"{reference}: the provider's content filter stopped the answer; change the prompt ({words})"
            )
        case IncompleteToolCall():
            return "token_limit", TurnFailedError(
                f"{reference}: the answer reached the token limit in a tool call; raise max_tokens, or ask for less"
            )
        case OutputTokenLimitExceeded():
            return "token_limit", TurnFailedError(
                f"{reference}: the answer reached the token limit before its first word; raise max_tokens, or ask for "
                "less"
            )
        case _ if error.message.startswith(EMPTY_ANSWER):
            return "empty_answer", TurnFailedError(
                f"{reference}: the answer was empty, also when the model was asked again; change the prompt, or choose "
                "another model"
            )
        case _ if error.message.startswith(EMPTY_STREAM):
            check = f", or check the base URL {address}" if address else ""
            return "empty_answer", TurnFailedError(f"{reference}: the answer was empty; ask again{check}")
        case _:
            return "model_error", TurnFailedError(f"{reference}: {reason_of(error)}")


def _when(error: ModelAPIError) -> str:
    return f"in {_seconds(error.retry_after)}" if error.retry_after and error.retry_after >= 1 else "later"


def _seconds(seconds: float) -> str:
    return f"{ceil(seconds):,} s"


def _host(address: str) -> str:
    return host_of(address) or address


def _has_version(address: str) -> bool:
    """Return whether the path of an address has a version, such as ``/v1``."""
    return re.search(r"/v\d", urlsplit(address).path) is not None


def _code(kind: type[SessionMagicError]) -> str:
    """Return the code of an error class: its name in snake case, such as ``store_error``."""
    return re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()
