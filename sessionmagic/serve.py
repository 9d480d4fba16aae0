"""``sessionmagic serve``: hold the weights of the local model for all kernels of the machine."""

from __future__ import annotations

import json
import secrets
import signal
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.models.shared import SharedServer, file_of, read_server, shared_server
from sessionmagic.models.weights import check_installed, check_weights, find_weights
from sessionmagic.storage.atomic import make_private_directory, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = 2048
OPEN_FILE = 0o644
OPEN_DIRECTORY = 0o755


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
    import psutil

    from sessionmagic.models.llama import load

    check_installed()
    weights, path = find_weights(model), Path(file) if file else file_of()
    check_weights(weights)
    if (other := shared_server(file=path)) is not None:
        raise UsageError(f"a server of {Path(other.weights).name} runs already at {other.address}; stop it first")
    if path.exists() and read_server(path) is None:
        raise UsageError(f"{path} is not the file of a server; remove it, or name another file with --file")
    key = secrets.token_urlsafe(32)
    try:
        with _ended_at_once():
            _say(f"loading {weights.name}")
            engine = load(weights, threads, context_length, key=key)
    except RuntimeError as error:
        raise UsageError(
            f"{weights.name} cannot be loaded with a context of {context_length:,} tokens: {error}"
        ) from None
    this = psutil.Process()
    server = SharedServer(engine.listening_address, key, str(weights), context_length, this.pid, this.create_time())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _announce(server, path, everyone=everyone)
        _say(f"{weights.name} answers --model local in all kernels that find {path}; Ctrl-C ends it")
        if everyone and (closed := _closed_folder(path)) is not None:
            _say(f"other users may not find it, as {closed} is closed to them; name a file elsewhere with --file")
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        _say("ended")
    finally:
        if read_server(path) == server:  # and not one that was started at the same time
            with suppress(OSError):
                path.unlink()
        del engine


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process without Python, which llama.cpp may keep waiting while it loads weights."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _say(line: str) -> None:
    print(line, flush=True)


def _announce(server: SharedServer, path: Path, *, everyone: bool) -> None:
    """Write the file by which kernels find the server. Raises `UsageError`."""
    try:
        if everyone:
            _make_open_directory(path.parent)
        else:
            make_private_directory(path.parent)
        replace_file(path, json.dumps(asdict(server)).encode())
        if everyone:
            path.chmod(OPEN_FILE)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; name another file with --file") from error


def _make_open_directory(path: Path) -> None:
    """Create the directory and its missing parents, and let all users into the new ones, whatever the umask is."""
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(OPEN_DIRECTORY)


def _closed_folder(path: Path) -> Path | None:
    """Return the folder that keeps other users from a file; None if they can reach it."""
    return next((folder for folder in path.absolute().parents if not folder.stat().st_mode & stat.S_IXOTH), None)
