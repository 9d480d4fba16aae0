"""How a model's server is reached: keys, certificates, proxies, and the waits that a provider asks for."""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.keys.known import KNOWN
from sessionmagic.models.members import members_of
from sessionmagic.models.references import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpx2 import AsyncClient, Response
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider

ProviderT = TypeVar("ProviderT", bound="Provider[Any]")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""The variables that name the certificates by which servers are recognized."""
SHORT_WAIT = 1.0
"""Seconds of a wait that is not worth telling."""
LONGEST_WAIT = 120.0
"""Seconds of the longest wait that is left to an SDK. OpenAI's would accept no longer one, and Anthropic's any."""
_LEFT_TO_US = "x-sessionmagic-waits"

on_wait: ContextVar[Callable[[int, float], None]] = ContextVar("on_wait")
"""Called with the HTTP status and the seconds when the SDK waits, as the provider has asked, before it tries again."""


def check_key(reference: str, variable: str) -> None:
    """Raise `ModelReferenceError` if the key in an environment variable cannot be sent in an HTTP header."""
    key = os.environ.get(variable, "")
    if key.isascii() and key.isprintable() and key == key.strip():
        return
    if {"\n", "\r"} & set(key):
        what = "a line break"
    else:
        what = "a blank before or after the key" if key != key.strip() else "a character that no key has"
    raise ModelReferenceError(f"{quoted(reference)} cannot use {variable}, which contains {what}; set it again")


def missing_certificates() -> str | None:
    """Return what is wrong if an environment variable names certificates that do not exist, and what to do."""
    for variable in CERTIFICATES:
        path = os.environ.get(variable)
        if path and not Path(path).exists():
            return f"{variable} is {path!r}, which does not exist; correct or unset it"
    return None


def proxy_before(address: str) -> str | None:
    """Return the environment variable of the proxy through which an address is asked; None if there is none."""
    host = host_of(address)
    if not host or is_loopback(address) or proxy_bypass(host):
        return None
    for scheme in (urlsplit(address).scheme, "all"):
        if getproxies().get(scheme):
            name = f"{scheme}_proxy"
            return name if name in os.environ else name.upper()
    return None


def host_of(address: str) -> str:
    """Return the host of an address; empty if it has none, or if the text is not an address."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # brackets without an IPv6 address
        return ""


def check_address(what: str, address: str) -> None:
    """Raise `ModelReferenceError` if a text cannot be the address of a server. The error says what has this text."""
    if not address.lower().startswith(("http://", "https://")):
        raise ModelReferenceError(f"{what} is {quoted(address)}; write it with http:// or https://")
    try:
        has_host = bool(urlsplit(address).hostname)
        urlsplit(address).port  # noqa: B018  raises for what is not a port
    except ValueError as error:
        problem = f"is not an address ({error})"
    else:
        problem = "" if has_host else "names no host"
    if problem:
        raise ModelReferenceError(f"{what} is {quoted(address)}, which {problem}; correct it")


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine."""
    host = host_of(address)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def connected(make: Callable[..., ProviderT], base_url: str = "") -> ProviderT:
    """Return the provider that `make` makes, whose connections stay open for the next turn.

    Behind a proxy, it has a client of its own, as only that reads the environment. A server on this machine is asked
    without the proxy.

    Args:
        make: Makes the provider; takes the argument `http_client`.
        base_url: The server's address; empty if only the provider knows it.
    """
    if getproxies() and not is_loopback(base_url):
        return make()
    from sessionmagic.models.connections import shared_client, tls

    provider = make(http_client=shared_client())
    if provider.base_url.startswith("https:"):
        tls()  # here and not on the event loop, and missing certificates are told before the turn
    return provider


def known_provider(name: str) -> Provider[Any]:
    """Return pydantic-ai's provider of a name, connected."""
    from pydantic_ai.providers import infer_provider_class

    return connected(infer_provider_class(name))


def ask_directly(model: Model) -> None:
    """Have a server on this machine asked without the proxy that the environment names.

    A proxy cannot reach it, and few users set ``NO_PROXY``. A client that the user made is left as it is.
    """
    from httpx2 import AsyncClient

    for each in members_of(model):
        provider: Any = each.provider
        own = getattr(provider, "_own_http_client", None)
        if isinstance(own, AsyncClient) and is_loopback(provider.base_url) and getproxies():
            # pydantic-ai 2.68 has no setting for a client that a provider closes and replaces. Its gateway does this.
            provider._own_http_client = client = _direct_client()  # noqa: SLF001
            provider._http_client_factory = _direct_client  # noqa: SLF001
            provider._set_http_client(client)  # noqa: SLF001


def learn_keys(model: Model) -> None:
    """Make known the keys that a user's own code has handed to the providers of a model, as no variable holds them."""
    for each in members_of(model):
        for holder in (getattr(each, "client", None), each.provider, getattr(each.provider, "client", None)):
            for name in ("api_key", "auth_token", "_api_key"):
                KNOWN.add(getattr(holder, name, None), "the key of a provider")


def _direct_client() -> AsyncClient:
    from httpx2 import AsyncHTTPTransport
    from pydantic_ai.models import create_async_httpx2_client

    return create_async_httpx2_client(transport=AsyncHTTPTransport())  # with a transport, HTTPX reads no proxies


def report_waits(model: Model) -> None:
    """Have `on_wait` called when the SDK of a model waits before it tries again, and leave some waits to the turn.

    These are long waits, and those for a provider that has too many requests.

    The SDKs of OpenAI and Anthropic wait inside of one call, so only their HTTP client sees it.
    """
    for each in members_of(model):
        sdk = getattr(each, "client", None)
        client = getattr(sdk, "_client", None)
        hooks = getattr(client, "event_hooks", None)
        if client is None or not isinstance(hooks, dict):
            continue
        hook = _WaitHook(getattr(sdk, "max_retries", 0))
        if hook not in hooks.get("response", ()):
            client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), hook]}


@dataclass(frozen=True, slots=True)
class _WaitHook:
    """A response hook of an HTTP client that reports when the response makes the SDK wait and try again.

    The SDK fails at once if the wait is longer than `LONGEST_WAIT`, or if the provider has too many requests, because
    only the turn knows how long it can wait for that.
    """

    max_retries: int

    async def __call__(self, response: Response) -> None:
        from pydantic_ai.exceptions import ModelHTTPError

        tell = on_wait.get(None)
        status = response.status_code
        if tell is None or not (status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR):
            return
        tried = int(response.request.headers.get("x-stainless-retry-count", self.max_retries))
        error = ModelHTTPError(status, "", headers=dict(response.headers))
        wait = error.retry_after or 0.0
        if tried >= self.max_retries or error.provider_retry_hint is False or wait < SHORT_WAIT:
            return
        if status != HTTPStatus.TOO_MANY_REQUESTS and wait <= LONGEST_WAIT:
            tell(status, wait)
        else:
            response.headers.update({"x-should-retry": "false", _LEFT_TO_US: "true"})


def is_left_to_us(error: Exception) -> bool:
    """Return whether an SDK has failed only because the wait was left to the turn."""
    return _LEFT_TO_US in (getattr(error, "headers", None) or {})
