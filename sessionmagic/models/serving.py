"""Models of the servers and accounts that an agents file names."""

from __future__ import annotations

import inspect
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_ai.models import infer_model
from pydantic_ai.providers import infer_provider_class

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.clients import connected
from sessionmagic.models.providers import PROVIDERS
from sessionmagic.models.sources import SHARING

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider

    from sessionmagic.models.named import Server

RESPONSES = "openai-responses"


def served(name: str, model: str, server: Server) -> Model:
    """Return a model of a server or an account.

    Args:
        name: What the server is called. It is the provider's name in the answers of a server that speaks chat
            completions, as with the user's own endpoints.
        model: The server's name of the model.
        server: The server.

    Raises `ModelReferenceError` if the provider takes no other address, or no key from another variable.
    """
    key = os.environ.get(server.key) if server.key else None
    module = PROVIDERS[server.provider].module
    if module == "openai" and server.base_url and server.provider != RESPONSES:
        from sessionmagic.models.compatible import endpoint, ollama

        if server.provider == "ollama":
            return ollama(model, server.base_url)
        return endpoint(name, model, server.base_url, key)
    provider = _provider(name, server, key)
    made = infer_model(f"{server.provider}:{model}", lambda _: provider)
    if module not in SHARING:
        return made
    from sessionmagic.models.compatible import with_mended_streams

    return with_mended_streams(made)


def _provider(name: str, server: Server, key: str | None) -> Provider[Any]:
    kind = infer_provider_class(server.provider)
    given = {"base_url": server.base_url, "api_key": key or ("not-needed" if server.base_url else None)}
    given = {argument: value for argument, value in given.items() if value}
    if missing := set(given) - set(inspect.signature(kind).parameters):
        what = "base_url" if "base_url" in missing else "token_key"
        raise ModelReferenceError(f"{name}: the provider {server.provider} takes no {what}; leave it out")
    make: Any = partial(kind, **given)
    is_shared = PROVIDERS[server.provider].module in SHARING
    return connected(make, server.base_url) if is_shared else make()
