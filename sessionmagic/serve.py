"""``sessionmagic serve``: hold the weights of the local model for all kernels of the machine."""

from __future__ import annotations

import json
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sessionmagic.exceptions import UsageError
from sessionmagic.models.shared import SharedServer, file_of, read_server, shared_server
from sessionmagic.models.weights import check_installed, check_weights, find_weights
from sessionmagic.storage.atomic import replace_file

CONTEXT = 2048
EVERYONE = 0o644


def serve(
    model: str = "",
    *,
    file: str = "",
    threads: int = 1,
    context_length: int = CONTEXT,
    everyone: bool = False,
) -> None:
    """Load the weights, let kernels find the server, and wait for Ctrl-C or a SIGTERM.

    Args:
        model: The name or the path of the weights; empty for the demo model.
        file: The file by which kernels find the server; empty for the one in the home.
        threads: The number of threads that llama.cpp uses.
        context_length: The context in tokens.
        everyone: Whether all users of the machine may use the server.

    Raises `ModelReferenceError` for weights that cannot be used, and `UsageError` if a server runs already, the weights
    cannot be loaded, or the file cannot be written or is not that of a server.
    """
    from sessionmagic.models.llama import load

    check_installed()
    weights, path = find_weights(model), Path(file) if file else file_of()
    check_weights(weights)
    if (other := shared_server(file=path)) is not None:
        raise UsageError(f"a server of {Path(other.weights).name} runs already at {other.address}; stop it first")
    if path.exists() and read_server(path) is None:
        raise UsageError(f"{path} is not the file of a server; remove it, or name another file with --file")
    _say(f"loading {weights.name}")
    key = secrets.token_urlsafe(32)
    try:
        engine = load(weights, threads, context_length, key=key)
    except RuntimeError as error:
        raise UsageError(
            f"{weights.name} cannot be loaded with a context of {context_length:,} tokens: {error}"
        ) from None
    server = SharedServer(engine.listening_address, key, str(weights), context_length)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _announce(server, path, everyone=everyone)
        _say(f"{weights.name} answers --model local in all kernels that find {path}; Ctrl-C ends it")
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        _say("ended")
    finally:
        if read_server(path) == server:  # and not one that was started at the same time
            with suppress(OSError):
                path.unlink()
        del engine


def _say(line: str) -> None:
    print(line, flush=True)


def _announce(server: SharedServer, path: Path, *, everyone: bool) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, json.dumps(asdict(server)).encode())
        if everyone:
            path.chmod(EVERYONE)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; name another file with --file") from error
