"""One local model for all kernels of a machine: the server that holds the weights, and how kernels find it.

The server is llama.cpp's own, inside a process of ``sessionmagic serve``. It answers one request at a time; the others
wait for their turn. Kernels find it by a small file with its address and its key.
"""

from __future__ import annotations

import json
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.home import default_home
from sessionmagic.words import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIABLE = "SESSIONMAGIC_LOCAL_SERVER"
"""The environment variable with the path of the file, where it is another one than that in the home."""
START = "sessionmagic serve"
"""The command that starts a server."""
ALIVE_SECONDS = 0.3
"""How long a server is waited for that may have ended. It answers this from another thread than requests."""
READ_SECONDS = 600.0
"""How long an answer may pause, for example because the requests of others are answered first."""
CLOCK_SECONDS = 60.0
"""By how much the stated beginning of a process may differ after the machine's clock was set."""


@dataclass(frozen=True, slots=True)
class SharedServer:
    """A server that holds the weights of a model for other processes.

    Attributes:
        address: Its address on this machine.
        key: What it must be sent with each request.
        weights: The path of its weights.
        context_length: How many tokens the model reads.
        process: The id of its process.
        began: When that process began, in seconds since 1970.
    """

    address: str
    key: str = field(repr=False)
    weights: str
    context_length: int
    process: int
    began: float

    @property
    def is_alive(self) -> bool:
        """Whether its process runs, and answers.

        After a crash, a process of another user may have the port. Nothing is sent to it.
        """
        began = _began_at(self.process)
        if began is None or abs(began - self.began) > CLOCK_SECONDS:
            return False
        with suppress(Exception), self._client(ALIVE_SECONDS) as client:
            return bool(client.get("/health").is_success)
        return False

    def handle_chat_completions(self, body: dict[str, Any], receive: Callable[[dict[str, Any]], bool]) -> None:
        """Send a request, and call `receive` with each chunk of the answer until it returns True.

        This is the method of xllamacpp's own server. Raises `RuntimeError` if the server does not answer.
        """
        from httpx2 import HTTPError

        try:
            with (
                self._client(READ_SECONDS) as client,
                client.stream("POST", "/v1/chat/completions", json=body) as response,
            ):
                if not response.is_success:
                    receive(_error_of(response.read()))
                    return
                for chunk in _chunks(response.iter_lines()):
                    if receive(chunk):
                        return
        except HTTPError as error:
            raise RuntimeError(
                f"the shared server at {self.address} does not answer ({type(error).__name__}); `{START}` starts it"
            ) from error

    def _client(self, seconds: float) -> Any:
        from httpx2 import Client, Timeout

        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # with that of HTTPX, a client takes 50 ms and 10 MB
        timeout = Timeout(ALIVE_SECONDS if seconds == ALIVE_SECONDS else 10.0, read=seconds)
        headers = {"Authorization": f"Bearer {self.key}"}
        return Client(base_url=self.address, headers=headers, timeout=timeout, trust_env=False, verify=no_tls)


def _began_at(process: int) -> float | None:
    """Return when a process began, in seconds since 1970; None if it does not run."""
    import psutil

    with suppress(psutil.Error):
        return float(psutil.Process(process).create_time())
    return None


def _error_of(content: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        if isinstance(answer := json.loads(content), dict) and isinstance(answer.get("error"), dict):
            return answer
    return {"error": {"message": "the shared server has refused the request"}}


def _chunks(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield the chunks of an event stream, also one that is an error."""
    for line in lines:
        kind, _, data = line.partition(": ")
        if kind in {"data", "error"} and data != "[DONE]":
            chunk = json.loads(data)
            yield {"error": chunk} if kind == "error" else chunk


def file_of(home: Path | None = None) -> Path:
    """Return the path of the file by which kernels find the server."""
    return Path(os.environ.get(VARIABLE) or (home or default_home()) / "models" / "server.json")


def shared_server(home: Path | None = None, *, file: Path | None = None) -> SharedServer | None:
    """Return the server that runs on this machine; None if there is none.

    Args:
        home: The store's home; None for the default one.
        file: The file with its address; None for that in the home, or that which the environment names.

    Raises `ModelReferenceError` if the environment names a server that does not run. Otherwise each kernel would load
    the weights itself.
    """
    path = file or file_of(home)
    if (found := read_server(path)) is not None and found.is_alive:
        return found
    if file is None and os.environ.get(VARIABLE):
        raise ModelReferenceError(f"the shared local model of {path}, which {VARIABLE} names, {_reason(path)}")
    return None


def _reason(path: Path) -> str:
    """Return in words why the server of a file cannot be used, and what to do."""
    if _is_kept_from_us(path):
        return f"cannot be used, as you may not read that file; whoever starts `{START}` adds --everyone"
    return f"does not run; start it with `{START} --file {typed(str(path))}`, and --everyone if it is for all users"


def _is_kept_from_us(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def read_server(path: Path) -> SharedServer | None:
    """Return the server that a file names, which may have ended; None if it names none."""
    try:
        stated = json.loads(path.read_bytes()[:10_000])
        found = SharedServer(**stated)
    except (OSError, ValueError, TypeError):
        return None
    texts = (found.address, found.key, found.weights)
    numbers = (found.context_length, found.process)
    is_whole = (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) for number in numbers)
        and isinstance(found.began, float)
    )
    return found if is_whole and found.address.startswith("http://127.0.0.1:") else None
