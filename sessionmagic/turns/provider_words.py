"""What providers say when they refuse a request, and what it means. Each has its own words for the same thing."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    UnexpectedModelBehavior,
)

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.models.error_body import message_in
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from pydantic_ai.exceptions import ContentFilterError

REASON_LENGTH = 240
"""Characters of the provider's own message that an error quotes."""

CONTEXT_FULL = re.compile(
    r"exceed_context_size|context_length_exceeded|context size|context (length|window|limit)"  # llama.cpp, OpenAI, vLLM
    r"|tokens? to keep from the initial prompt"  # LM Studio
    r"|reduce the length of the (messages|input|prompt)|request too large"  # Groq
    r"|(prompt|input)( \(length \d+\))? is (too long|longer than the maximum)"  # Anthropic, Bedrock, vLLM, SGLang
    r"|prompt too long|exceeded max context|input length exceeds"  # Ollama
    r"|input token count|number of tokens allowed"  # Google
    r"|maximum (context|model|prompt) length|must have less than \d+ tokens|too large for model",  # Mistral, xAI, TGI
    re.IGNORECASE,
)
CONTENT_FILTERED = re.compile(r"content_filter|content_policy_violation|content management policy", re.IGNORECASE)


def is_too_long(error: ModelAPIError) -> bool:
    """Return whether a request was refused because it is longer than the model can read."""
    return isinstance(error, ModelContextWindowExceededError) or _says_context_is_full(error)


def _says_context_is_full(error: ModelAPIError) -> bool:
    status = error.status_code if isinstance(error, ModelHTTPError) else None
    if status is not None and status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return False
    return CONTEXT_FULL.search(_all_words(error)) is not None


def says_content_is_filtered(error: ModelAPIError) -> bool:
    """Return whether the provider's filter refused the prompt."""
    return CONTENT_FILTERED.search(_all_words(error)) is not None


def names_a_model(error: ModelAPIError) -> bool:
    """Return whether "not found" is said of the model. A server says it of an address that it does not know, too."""
    if error.provider_error_code == "model_not_found":
        return True
    name = re.escape(error.model_name)
    return re.search(rf"\bmodels?\b|(?<!\w){name}(?!\w)", _all_words(error), re.IGNORECASE) is not None


def redirection(error: ModelAPIError) -> str | None:
    """Return where the server has redirected a request, if the SDK did not follow; pydantic-ai 2.68 only says "302"."""
    response = getattr(error.__cause__, "response", None)
    if response is None or not getattr(response, "is_redirect", False):
        return None
    return on_one_line(response.headers.get("location", "")) or "another address"


def refusal_of(error: ContentFilterError) -> tuple[bool, str]:
    """Return whether the model itself refused to answer, and the words of the model or the filter."""
    details = _details(error)
    if refusal := details.get("refusal"):
        return True, on_one_line(str(refusal))
    return False, on_one_line(str(details.get("finish_reason") or details.get("block_reason") or "content_filter"))


def _details(error: ContentFilterError) -> dict[str, Any]:
    """Return the provider's details about the response. pydantic-ai keeps it, as JSON, in the body of the error."""
    try:
        return dict(json.loads(error.body or "")[-1]["provider_details"] or {})
    except (ValueError, LookupError, TypeError):
        return {}


def reason_of(error: BaseException) -> str:
    """Return the provider's own message on one line, cut, and without the keys that this process knows."""
    match error:
        case ModelHTTPError():
            status, message = str(error.status_code), message_in(error.body) or _phrase(error.status_code)
            text = f"{status}: {message.strip().removeprefix(f'{status} ')}"  # titles of web pages begin with it
        case ModelConnectionError():
            text = _cause(error)
        case ModelAPIError() | UnexpectedModelBehavior():
            text = re.sub(r"For further information visit \S+", "", error.message)
        case _:
            text = str(error)
    return on_one_line(text) or type(error).__name__


def _all_words(error: ModelAPIError) -> str:
    """Return everything that the provider says about an error: its message, its type and its code."""
    message = message_in(error.body) if isinstance(error, ModelHTTPError) else error.message
    return " ".join(filter(None, [message, error.provider_error_type, error.provider_error_code]))


def _cause(error: ModelConnectionError) -> str:
    """Return what the network said. The SDKs only say "Connection error."."""
    words, cause = error.message, error.__cause__
    while cause is not None:
        words, cause = str(cause) or words, cause.__cause__
    return words


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no message"


def on_one_line(text: str) -> str:
    """Return a provider's words on one line, cut, and without the keys that this process knows."""
    text = re.sub(r"Illegal header value .*", "Illegal header value", text, flags=re.DOTALL)  # it would quote a key
    text = re.sub(r"\s+", " ", without_keys(text)).strip()
    return shortened(printable(text[: REASON_LENGTH + 1]), REASON_LENGTH)
