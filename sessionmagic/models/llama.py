"""Run llama.cpp inside this process: one engine for each file of weights, one answer at a time."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import secrets
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ModelAPIError, ModelContextWindowExceededError

if TYPE_CHECKING:
    from sessionmagic.models.shared import SharedServer

Chat = list[dict[str, str]]

# llama.cpp can only be stopped between two batches of a prompt. A batch of 64 tokens takes a third of a second, and
# the prompt is read as fast as with bigger batches.
_PROMPT_BATCH = 64
_PROMPT_CACHE_MIB = 128
# The share of the room for a prompt that is used again after messages were left out. llama.cpp keeps what it has read
# as long as the beginning of the prompt stays the same, so a quarter is left out at once instead of a little each turn.
_KEPT_SHARE = 0.75

SERVED_AT_ONCE = 100
"""Connections that a server for other processes holds. Each request waits on one for its turn."""

_engines: dict[tuple[int, Path, int, int, str], Engine] = {}
_engines_lock = threading.Lock()


def shared_engine(path: Path, threads: int, context_length: int, server: SharedServer | None = None) -> Engine:
    """Return this process's engine for these weights and parameters. Does not load the weights.

    With a server, that holds the weights.
    """
    # A forked child inherits the engines without their threads, so it needs engines of its own.
    key = (os.getpid(), path.resolve(), threads, context_length, server.address if server else "")
    with _engines_lock:
        return _engines.setdefault(key, Engine(*key[1:4], server))


@atexit.register
def _close_engines() -> None:  # pragma: no cover  runs at exit, when coverage is no longer measured
    # llama.cpp finishes its batch even after the callback has stopped it; a process that exits before that crashes.
    for (pid, *_), engine in _engines.items():
        if pid == os.getpid():
            engine.close()


class Generation:
    """One request to an engine. Its chunks are delivered to the event loop on which it was created.

    Args:
        model_name: The model's name, for errors.
        chat: The messages, in chat-template form.
        body: The other fields of a llama.cpp chat completion.
        left_out: The number of the oldest messages that the last answer in the chat was given without.
    """

    def __init__(self, model_name: str, chat: Chat, body: dict[str, Any], left_out: int = 0) -> None:
        """Bind the generation to the running event loop."""
        self.model_name = model_name
        self.chat = chat
        self.body = body
        self.over = False  # set by the loop or the engine, and never unset
        self.left_out = left_out
        """The number of the oldest messages that are left out because they do not fit. Final with the first chunk."""
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()

    async def next(self) -> dict[str, Any] | None:
        """Return the next chunk, or None at the end; raises the error of the engine. Call it on the loop."""
        if self.over:
            return None
        chunk = await self._chunks.get()
        if isinstance(chunk, dict):
            return chunk
        self.over = True
        if chunk is not None:
            raise chunk
        return None

    def abandon(self) -> None:
        """Stop the engine at its next token, and end a waiting `next` at once. Call it on the loop."""
        self.over = True
        self._chunks.put_nowait(None)

    def deliver(self, chunk: dict[str, Any] | Exception | None) -> None:
        """Pass a chunk, an error or the end to the event loop. Call it on the engine's thread."""
        try:
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
        except RuntimeError:  # the loop is closed, so nobody waits for the chunk
            self.over = True


class Engine:
    """The weights of one file, and the generations that wait for their turn."""

    def __init__(self, path: Path, threads: int, context_length: int, server: SharedServer | None = None) -> None:
        """Make an engine without loading the weights; the first generation loads them if no server holds them."""
        self._path = path
        self._threads = threads
        self._context_length = context_length
        self._server: Any = server
        self._waiting: deque[Generation] = deque()
        self._working = False
        self._lock = threading.Lock()

    def submit(self, generation: Generation) -> None:
        """Queue a generation, which starts when those before it have ended. Returns at once."""
        with self._lock:
            self._waiting.append(generation)
            if not self._working:
                # A daemon thread inside llama.cpp aborts the process at exit, so this thread is not a daemon and
                # Python waits for it. It therefore ends with its work, or once the main thread has ended.
                threading.Thread(target=self._work, name=f"llama-{self._path.stem}", daemon=False).start()
                self._working = True

    def close(self) -> None:  # pragma: no cover  called at exit
        """Release the weights, once llama.cpp has stopped; that takes at most one batch of a prompt."""
        self._server = None

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._working = False
                    return
                generation = self._waiting.popleft()
            if _unwanted(generation):
                continue
            try:
                self._generate(generation)
            except Exception as error:  # noqa: BLE001  (any error goes to the caller)
                generation.deliver(ModelAPIError(generation.model_name, f"the local model failed: {error}"))

    def _generate(self, generation: Generation) -> None:
        if self._server is None:
            self._server = load(self._path, self._threads, self._context_length)
        chat = _continued(generation.chat, generation.left_out)
        generation.left_out = len(generation.chat) - len(chat)
        while surplus := self._attempt(generation, chat):
            chat = _without_oldest(chat, surplus)
            generation.left_out = len(generation.chat) - len(chat)
        generation.deliver(None)

    def _attempt(self, generation: Generation, chat: Chat) -> float:
        """Answer the chat and return 0; if it does not fit the context, return the share of it to leave out."""
        # Messages are left out to reserve space for the answer. A prompt that fits is never refused because of this
        # reserve.
        reserve = min(generation.body["max_tokens"], self._context_length // 4)
        shortenable = len(_without_oldest(chat, 0)) < len(chat)
        surplus = 0.0

        def receive(chunk: dict[str, Any]) -> bool:
            """Handle a chunk; return True to stop llama.cpp."""
            nonlocal surplus
            if _unwanted(generation):
                return True
            error = chunk.get("error")
            tokens = error.get("n_prompt_tokens") if error else chunk.get("prompt_progress", {}).get("total")
            if error and tokens:
                self._context_length = min(self._context_length, error["n_ctx"])
            if shortenable and tokens and tokens > self._context_length - reserve:
                surplus = 1 - _KEPT_SHARE * (self._context_length - reserve) / tokens
                return True
            generation.deliver(_as_exception(generation.model_name, error) if error else chunk)
            return bool(error)

        self._server.handle_chat_completions({**generation.body, "messages": chat}, receive)
        return surplus


def _unwanted(generation: Generation) -> bool:
    return generation.over or not threading.main_thread().is_alive()


def _as_exception(model_name: str, error: dict[str, Any]) -> ModelAPIError:
    if error.get("type") == "exceed_context_size_error":
        needed, available = error["n_prompt_tokens"], error["n_ctx"]
        return ModelContextWindowExceededError(
            model_name,
            f"the prompt is too long for {model_name}: it has {needed} tokens, the model reads {available}",
        )
    return ModelAPIError(model_name, f"the local model failed: {error.get('message', error)}", body=error)


def _continued(chat: Chat, left_out: int) -> Chat:
    """Leave out as many of the oldest messages as the last answer was given without.

    The prompt then begins as that answer's did, and llama.cpp reads only what is new. Nothing is left out if the chat
    cannot begin there, because its history was changed.
    """
    start = _first(chat)
    if not 0 < left_out < len(chat) - start or chat[start + left_out]["role"] == "assistant":
        return chat
    return chat[:start] + chat[start + left_out :]


def _first(chat: Chat) -> int:
    """Return the index of the first message after the system prompt."""
    return 1 if chat and chat[0]["role"] == "system" else 0


def _without_oldest(chat: Chat, surplus: float) -> Chat:
    """Leave out the oldest messages: at least one, and at least the share `surplus` of the text.

    The system prompt and the last message always stay.
    """
    start = end = _first(chat)
    excess = surplus * sum(len(message["content"]) for message in chat)
    # An answer whose question is left out is left out too, because chat templates expect the user to begin.
    while end < len(chat) - 1 and (end == start or excess > 0 or chat[end]["role"] == "assistant"):
        excess -= len(chat[end]["content"])
        end += 1
    return chat[:start] + chat[end:]


def load(path: Path, threads: int, context_length: int, *, key: str = "") -> Any:
    """Load the weights (100 MB take 0.4 s) and return xllamacpp's ``Server``.

    Args:
        path: The file of the weights.
        threads: The number of threads that llama.cpp uses.
        context_length: The context in tokens.
        key: What other processes must send to be answered, at a port of this machine; empty for none.
    """
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.verbosity = -1  # write nothing to the standard streams
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    params.n_parallel = 1
    params.n_ctx = context_length
    params.n_batch = params.n_ubatch = _PROMPT_BATCH
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.warmup = False
    params.prefill_assistant = False  # after an answer, start a new one instead of continuing it
    params.ui = params.endpoint_slots = False
    params.api_keys = [key or secrets.token_urlsafe(32)]
    if key:
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.n_threads_http = SERVED_AT_ONCE
        return xllamacpp.Server(params)
    params.n_threads_http = 1
    # The server always listens, although it is not needed. It uses a socket file, which is deleted at once. On a
    # platform without socket files, it uses a loopback port that requires a random key.
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        params.hostnames = [str(Path(folder) / "s.sock")]
        try:
            return xllamacpp.Server(params)
        except RuntimeError:
            params.hostnames = ["127.0.0.1"]
            return xllamacpp.Server(params)
