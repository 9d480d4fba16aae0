"""llama.cpp inside this process: weights loaded once, one answer at a time, chunks handed to the loop."""

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
from typing import Any

from pydantic_ai.exceptions import ModelAPIError, ModelContextWindowExceededError

Chat = list[dict[str, str]]

# Tokens of a prompt between two calls of the callback, the only moments at which it can be stopped: a third
# of a second of work, and as fast as bigger batches.
_PROMPT_BATCH = 64
_PROMPT_CACHE_MIB = 128

_engines: dict[tuple[int, Path, int, int], Engine] = {}
_engines_lock = threading.Lock()


def shared_engine(path: Path, threads: int, context_length: int) -> Engine:
    """Return the process's engine for these weights and parameters; loads nothing yet."""
    # A forked child inherits the engine without its threads, so it needs one of its own.
    key = (os.getpid(), path.resolve(), threads, context_length)
    with _engines_lock:
        return _engines.setdefault(key, Engine(*key[1:]))


@atexit.register
def _close_engines() -> None:
    # llama.cpp goes on with its batch after the callback said stop; a process that ends meanwhile crashes.
    for (pid, *_), engine in _engines.items():
        if pid == os.getpid():
            engine.close()


class Generation:
    """One request on its way to an engine, and its chunks on their way back to the loop that made it.

    ``chat`` is in chat-template form, ``body`` the other fields of a llama.cpp chat completion.
    """

    def __init__(self, model_name: str, chat: Chat, body: dict[str, Any]) -> None:
        """Belong to the running event loop."""
        self.model_name = model_name
        self.chat = chat
        self.body = body
        self.over = False  # set by either side, and never unset
        self.left_out = 0
        """How many of the oldest messages did not fit."""
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()

    async def next(self) -> dict[str, Any] | None:
        """Return the next chunk, ``None`` at the end, or raise what went wrong. On the loop."""
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
        """Let the engine stop at its next token, and whoever waits in `next` return at once. On the loop."""
        self.over = True
        self._chunks.put_nowait(None)

    def deliver(self, chunk: dict[str, Any] | Exception | None) -> None:
        """Hand a chunk, an error or the end to the loop. On the engine's thread."""
        try:
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.over = True


class Engine:
    """The weights of one file and the queue of generations that want them."""

    def __init__(self, path: Path, threads: int, context_length: int) -> None:
        """Load nothing: that is for the first generation."""
        self._path = path
        self._threads = threads
        self._context_length = context_length
        self._server: Any = None
        self._waiting: deque[Generation] = deque()
        self._working = False
        self._lock = threading.Lock()

    def submit(self, generation: Generation) -> None:
        """Queue a generation; its chunks arrive when those before it are done. Returns at once."""
        with self._lock:
            self._waiting.append(generation)
            if not self._working:
                # A daemon thread inside llama.cpp aborts the process at exit. This one is waited for; so it
                # lives only while there is work, and stops by itself when the main thread has ended.
                threading.Thread(target=self._work, name=f"llama-{self._path.stem}", daemon=False).start()
                self._working = True

    def close(self) -> None:
        """Wait until llama.cpp has stopped, at most for one batch of a prompt, and forget the weights."""
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
            except Exception as error:  # noqa: BLE001  (whatever it is, it belongs to the one who asked)
                generation.deliver(ModelAPIError(generation.model_name, f"the local model failed: {error}"))

    def _generate(self, generation: Generation) -> None:
        if self._server is None:
            self._server = _load(self._path, self._threads, self._context_length)
        chat = generation.chat
        while surplus := self._attempt(generation, chat):
            chat = _without_oldest(chat, surplus)
            generation.left_out = len(generation.chat) - len(chat)
        generation.deliver(None)

    def _attempt(self, generation: Generation, chat: Chat) -> float:
        """Answer, and return 0; or return which share of the chat is too long for the context."""
        # An answer needs room too, but it alone is no reason to refuse a prompt that fits.
        reserve = min(generation.body["max_tokens"], self._context_length // 4)
        shortenable = len(_without_oldest(chat, 0)) < len(chat)
        surplus = 0.0

        def receive(chunk: dict[str, Any]) -> bool:
            """Take a chunk; True stops llama.cpp."""
            nonlocal surplus
            if _unwanted(generation):
                return True
            error = chunk.get("error")
            tokens = error.get("n_prompt_tokens") if error else chunk.get("prompt_progress", {}).get("total")
            if error and tokens:
                self._context_length = min(self._context_length, error["n_ctx"])
            if shortenable and tokens and tokens > self._context_length - reserve:
                surplus = 1 - (self._context_length - reserve) / tokens
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


def _without_oldest(chat: Chat, surplus: float) -> Chat:
    """Leave out the oldest message and more, up to that share of the text; never system prompt and last."""
    start = end = 1 if chat and chat[0]["role"] == "system" else 0
    excess = surplus * sum(len(message["content"]) for message in chat)
    # An answer without its question goes too: templates want the user to begin.
    while end < len(chat) - 1 and (end == start or excess > 0 or chat[end]["role"] == "assistant"):
        excess -= len(chat[end]["content"])
        end += 1
    return chat[:start] + chat[end:]


def _load(path: Path, threads: int, context_length: int) -> Any:
    """Load the weights, in 0.4 s for 100 MB, and return xllamacpp's ``Server``."""
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.verbosity = -1  # nothing on the standard streams
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    params.n_parallel = 1
    params.n_ctx = context_length
    params.n_batch = params.n_ubatch = _PROMPT_BATCH
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.warmup = False
    params.prefill_assistant = False  # a history that ends in an answer gets a new one, not a longer one
    params.ui = params.endpoint_slots = False
    params.n_threads_http = 1
    params.api_keys = [secrets.token_urlsafe(32)]
    # A server always listens. A socket file that is gone in a moment lets nobody in; where there is no such
    # thing, it is a loopback port that wants a key which nobody knows.
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        params.hostnames = [str(Path(folder) / "s.sock")]
        try:
            return xllamacpp.Server(params)
        except RuntimeError:
            params.hostnames = ["127.0.0.1"]
            return xllamacpp.Server(params)
