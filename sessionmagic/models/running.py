"""Which models the servers that run now can be asked for, by their own lists."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from httpx2 import AsyncClient

from sessionmagic.json_bytes import loads
from sessionmagic.loop import in_thread, loop_thread
from sessionmagic.models.clients import is_loopback
from sessionmagic.models.connections import shared_client, tls
from sessionmagic.models.named import NO_NAMES
from sessionmagic.models.offers import MOST, Offer, any_model_of, can_be_typed, named_offer
from sessionmagic.models.usual_servers import asked_about
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from sessionmagic.models.named import Named
    from sessionmagic.models.usual_servers import Asked

SECONDS = 0.3
"""How long a server may take for its whole answer."""
BYTES = 4_000_000
"""The longest list that is read."""
CONTEXTS = ("max_model_len", "context_length", "max_context_length", "n_ctx", "n_ctx_train")
"""How servers name what a model can read: vLLM, OpenRouter, LM Studio and llama.cpp."""
NOT_RUNNING = "not running"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists."""

    name: str
    context: int | None = None
    """How many tokens it can read, if the server says so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered."""

    models: tuple[ServedModel, ...] = ()
    problem: str = ""
    """Why it lists no models, in words; empty if it lists them."""
    left_out: int = 0
    """How many of its models are left out, because there are too many, or their names cannot be typed."""

    @property
    def remark(self) -> str:
        """What the user should know, in words; empty if nothing."""
        return self.problem or (f"{counted(self.left_out, 'model')} left out" if self.left_out else "")


def served_offers(servers: Mapping[str, Asked], named: Mapping[str, Named] = NO_NAMES.models) -> list[Offer]:
    """Return the models that servers list, and what is wrong with those that list none, asked at the same time.

    This takes at most `SECONDS`. Raises `RuntimeError` on the thread of the event loop.

    Args:
        servers: The servers by name.
        named: The models with names of their own. If one has a server on this machine, that is asked about it.
    """
    own = asked_about(named)
    places = list(dict.fromkeys([*servers.values(), *own.values()]))

    async def ask_all() -> list[Answer]:
        return await asyncio.gather(*(ask(server.url, server.key) for server in places))

    shared_client()  # what is imported for it would take the time in which the servers can answer
    answers = dict(zip(places, loop_thread().run_sync(ask_all), strict=True))
    offers = [offer for name, server in servers.items() for offer in _offers(name, answers[server])]
    return [*offers, *(_about(name, named[name], answers[server]) for name, server in own.items())]


def _about(name: str, named: Named, answer: Answer) -> Offer:
    """Return the offer of a model that has a server of its own, with what that says of it."""
    listed = next((model for model in answer.models if model.name == named.references[0]), None)
    remark = answer.problem or ("" if listed or answer.left_out else "its server does not list it")
    return named_offer(name, named.meaning, remark, listed.context if listed else None)


def _offers(name: str, answer: Answer) -> Iterator[Offer]:
    server = any_model_of(name, "server")
    yield replace(server, note=answer.remark) if answer.remark else server
    for model in answer.models:
        yield Offer(model=f"{name}:{model.name}", kind="server", context=model.context)


async def ask(address: str, key_variable: str = "") -> Answer:
    """Return what the server at a base URL says about its models.

    Args:
        address: The base URL.
        key_variable: The environment variable with its key; empty to send none.
    """
    key = os.environ.get(key_variable, "") if key_variable else ""
    headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        async with asyncio.timeout(SECONDS):
            status, body = await _read(f"{address.rstrip('/')}/models", headers)
    except TimeoutError:
        return Answer(problem=f"no answer within {SECONDS:g} s")
    except Exception:  # noqa: BLE001  an address of the user's may be wrong in any way
        return Answer(problem=NOT_RUNNING)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Answer(problem="it refuses the key" if key else f"it wants a key; set {key_variable or 'one'}")
    return _listed(body) if status == HTTPStatus.OK else Answer(problem=f"it answers HTTP {status}")


async def _read(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Return the status of an answer and its body, which is longer than `BYTES` if it is not whole."""
    async with (
        _client(url) as client,
        client.stream("GET", url, headers=headers, follow_redirects=False) as response,
    ):
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > BYTES:
                break
        return response.status_code, bytes(body)


@asynccontextmanager
async def _client(url: str) -> AsyncGenerator[AsyncClient]:
    """Give the client that asks an address. A server on this machine is asked without the proxy."""
    if is_loopback(url) or not getproxies():
        yield shared_client()
        return
    async with AsyncClient(verify=await in_thread(tls)) as client:
        yield client


def _listed(body: bytes) -> Answer:
    try:
        content = loads(body) if len(body) <= BYTES else None
    except json.JSONDecodeError:
        content = None
    entries = content.get("data") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        return Answer(problem="it has no list of models")
    found = {model.name: model for each in entries if (model := _model(each)) is not None}
    models = tuple(found.values())[:MOST]
    return Answer(models, left_out=len(entries) - len(models))


def _model(entry: Any) -> ServedModel | None:
    match entry:
        case {"id": str(name)} if can_be_typed(name):
            more = entry.get("meta")
            facts = {**(more if isinstance(more, dict) else {}), **entry}
            limits = [facts[key] for key in CONTEXTS if type(facts.get(key)) is int and facts[key] > 0]
            return ServedModel(name, limits[0] if limits else None)
    return None
