"""The models and servers of an agents file, as references find them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.agents.model_options import options_of
from sessionmagic.agents.powers import how_to_confirm, sending
from sessionmagic.agents.use import lack_of
from sessionmagic.agents.variables import provider_filled_in, variables_in
from sessionmagic.exceptions import AgentsFileError
from sessionmagic.models.named import Named, Names, Server

if TYPE_CHECKING:
    from collections.abc import Collection

    from sessionmagic.agents.contents import AgentsFile
    from sessionmagic.agents.named_models import Cost, NamedModel, NamedProvider

PROTOCOLS = {"": "", "openai_chatcompletions": "openai-chat", "openai_responses": "openai-responses"}
"""The provider whose protocol each `api_type` is."""
RUNNERS = {"dmr": "openai"}
"""The provider whose protocol each runner of models speaks."""
MODEL_RUNNER = Server(base_url="http://127.0.0.1:12434/engines/v1")
"""Docker's Model Runner on this machine, whose name is ``dmr``."""


def names_of(file: AgentsFile, confirmed: Collection[str]) -> Names:
    """Return the models and servers of a file.

    Args:
        file: The file.
        confirmed: The powers that the user has confirmed, in words. A server to which a key would be sent without
            that is not asked.
    """
    servers = {name: _server_of(file, provider, confirmed) for name, provider in file.providers.items()}
    models = {name: _named(file, model, confirmed) for name, model in file.models.items()}
    own = {"dmr": MODEL_RUNNER} if any(_is_of_runner(file)) else {}
    return Names(models=models, servers={**own, **servers})


def _is_of_runner(file: AgentsFile) -> list[bool]:
    references = [each for agent in file.agents.values() for each in agent.references]
    references += [each for model in file.models.values() for each in model.references]
    return [each.startswith(("dmr/", "dmr:")) for each in references]


def _named(file: AgentsFile, model: NamedModel, confirmed: Collection[str]) -> Named:
    has_own_server = bool(model.provider and (model.base_url or model.token_key))
    options = options_of(file, model)
    asked = (f"{model.provider}:{model.model}",) if model.provider else model.references
    return Named(
        references=(model.model,) if has_own_server else asked,
        server=_own_server(file, model, confirmed) if has_own_server else None,
        first=bool(model.first_available),
        settings={**options.settings, **model.settings},
        fields=options.fields,
        price=_price(model.cost) if model.cost else None,
        sees_images=model.capabilities.image if model.capabilities else None,
        refusal=lack_of(file, model),
    )


def _own_server(file: AgentsFile, model: NamedModel, confirmed: Collection[str]) -> Server:
    """Return the server of a model that has an address or a key of its own."""
    known = file.providers.get(model.provider)
    if known is None:
        server = Server(
            provider=RUNNERS.get(model.provider, model.provider), base_url=model.base_url, key=model.token_key
        )
        return _allowed(file, server, [model.token_key], confirmed)
    own = replace(known, base_url=model.base_url or known.base_url, token_key=model.token_key or known.token_key)
    return _server_of(file, own, confirmed)


def _server_of(file: AgentsFile, provider: NamedProvider, confirmed: Collection[str]) -> Server:
    server = Server(
        provider=PROTOCOLS[provider.api_type] or provider.provider or "openai",
        base_url=provider.base_url,
        key=provider.token_key,
    )
    if lack := lack_of(file, provider):
        return replace(server, refusal=lack)
    try:
        headers = provider_filled_in(provider, os.environ).headers
    except AgentsFileError as error:
        return replace(server, refusal=f"cannot be asked: {error}")
    return _allowed(
        file, replace(server, headers=headers), [provider.token_key, *variables_in(provider.headers)], confirmed
    )


def _allowed(file: AgentsFile, server: Server, variables: list[str], confirmed: Collection[str]) -> Server:
    """Return a server, which refuses if variables would be sent to it that the user has not confirmed."""
    for power in sending(variables, server.base_url):
        if power not in confirmed:
            return replace(server, refusal=f"would {power}; {how_to_confirm(file)}")
    return server


def _price(cost: Cost) -> tuple[float, ...]:
    if cost.cache_read is None and cost.cache_write is None:
        return cost.input, cost.output
    read = cost.input if cost.cache_read is None else cost.cache_read
    return cost.input, cost.output, read, cost.input if cost.cache_write is None else cost.cache_write
