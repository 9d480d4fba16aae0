"""A real kernel, with the messages that a cell makes it send and the times at which they arrive."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from benchmarks.subjects import Subject

WIDGETS = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Message:
    """An iopub message, with the bytes of its content and buffers, and those of all its frames."""

    at: float
    kind: str
    content: dict[str, Any]
    content_bytes: int
    wire_bytes: int


@dataclass
class Run:
    """The execution of one cell, from the request to the idle message, in seconds since the epoch."""

    sent_at: float
    idle_at: float = 0.0
    messages: list[Message] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return self.idle_at - self.sent_at

    @property
    def content_bytes(self) -> int:
        return sum(message.content_bytes for message in self.messages)

    @property
    def wire_bytes(self) -> int:
        return sum(message.wire_bytes for message in self.messages)

    @property
    def stdout(self) -> str:
        return "".join(message.content["text"] for message in self.messages if message.kind == "stream")


def environment(home: str) -> dict[str, str]:
    """Return an environment in which no file of the user is read or written, and loopback bypasses a proxy."""
    return {
        **os.environ,
        "SESSIONMAGIC_HOME": str(Path(home, "sessionmagic")),
        "IPYTHONDIR": str(Path(home, "ipython")),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONWARNINGS": "ignore",
    }


class Kernel:
    """A kernel of this Python in which the subject's setup cell has run. It ends with the context."""

    def __init__(self, url: str, subject: Subject | None = None) -> None:
        self._url = url
        self.subject = subject

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            home = tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True)
            manager = KernelManager(kernel_name="python3")
            manager.start_kernel(env=environment(stack.enter_context(home)), stderr=DEVNULL)
            stack.callback(manager.shutdown_kernel, now=True)
            self._client = manager.client()
            self._client.start_channels()
            stack.callback(self._client.stop_channels)
            self._client.wait_for_ready(timeout=60)
            if self.subject is not None:
                self.run(self.subject.setup(self._url))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def ask(self, model: str, timeout: float = 300) -> Run:
        """Run the cell with which the subject asks a model of the scripted server."""
        assert self.subject is not None
        return self.run(self.subject.ask(model), timeout)

    def run(self, code: str, timeout: float = 300) -> Run:
        """Execute a cell, with stdin allowed as in a notebook. Raises `RuntimeError` when it fails."""
        client, frames = self._client, []
        run = Run(time.time())
        socket, session = client.iopub_channel.socket, client.session
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        request = session.msg("execute_request", content, metadata={"cellId": "measured"})
        request["msg_id"] = request["header"]["msg_id"] = str(uuid.uuid4())  # as a page does, not as a console
        wanted = request["msg_id"].encode()
        client.shell_channel.send(request)
        deadline = time.monotonic() + timeout
        while not run.idle_at:
            if not socket.poll(max(0, deadline - time.monotonic()) * 1000):
                raise RuntimeError(f"no answer in {timeout} s: {code}")
            received = socket.recv_multipart()
            at = time.time()
            _, parts = session.feed_identities(received)
            if wanted in parts[2]:
                frames.append((at, received, parts))  # decoded later, so that reading stays fast
                if b"idle" in parts[4] and b'"status"' in parts[1]:
                    run.idle_at = at
        for at, received, parts in frames:
            message = session.deserialize(parts)
            content_bytes = sum(len(part) for part in parts[4:])
            wire_bytes = sum(len(part) for part in received)
            run.messages.append(Message(at, message["msg_type"], message["content"], content_bytes, wire_bytes))
        reply = client.get_shell_msg(timeout=30)["content"]
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')} in {code}")
        return run
