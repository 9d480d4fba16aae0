"""Scratch kernels: one process for each session, in which a model's code cannot touch the user's variables."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ScratchError
from sessionmagic.home import default_home
from sessionmagic.notebook.kernel.outputs import CallResult, CapturedOutput
from sessionmagic.notebook.kernel.surroundings import kernel_environment, working_directory
from sessionmagic.supervisor import supervised

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT_LIMIT = 10_000_000
"""Characters of output after which a call is stopped."""
MESSAGE_COST = 1_000
"""Characters added to the size of each message, so that empty messages are limited too."""
MESSAGE_LIMIT = 32 * 2**20
"""Bytes of the largest message that is read."""
START_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long interrupted code may take to end, and how long output is awaited after the reply."""
POLL_SECONDS = 0.1

_PROCESS = Path(__file__).with_name("scratch_process.py")
_ARGV = [sys.executable, str(_PROCESS), "-f", "{connection_file}", "--HistoryManager.enabled=False"]


class ScratchKernels:
    """The scratch kernels of this process, each started by its session's first call. All calls use one event loop.

    Args:
        store: Returns the directory of the store, which the processes are not told.
    """

    def __init__(self, store: Callable[[], Path] = default_home) -> None:
        self._store = store
        self._kernels: dict[str, _ScratchKernel] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closed = False

    async def run(
        self, session_id: str, code: str, timeout: float, captured: CapturedOutput | None = None
    ) -> CallResult:
        """Run code in the session's kernel, after its earlier calls, capture its output, and return the result.

        Code is interrupted when it takes longer than `timeout` seconds, when it prints too much, and when the caller
        is cancelled. If it does not end then, its kernel is killed, and the next call starts a new one. Raises
        `ScratchError` when no kernel can be started.
        """
        output = _Output(captured or CapturedOutput())
        try:
            # The shield lets the call end in order when the caller is cancelled, so that the kernel can be used again.
            return await asyncio.shield(self._run(session_id, code, timeout, output))
        except asyncio.CancelledError:
            output.stop("it was cancelled")
            raise

    async def end(self, session_id: str) -> None:
        """End the session's kernel and the code that runs in it."""
        if session_id in self._kernels:
            self._kernels[session_id].kill()
        async with self._locks[session_id]:
            await self._drop(session_id)

    def close(self) -> None:
        """End all kernels for good. Works on any thread, even after the event loop is closed."""
        self._closed = True
        for kernel in list(self._kernels.values()):
            kernel.kill()

    async def _run(self, session_id: str, code: str, timeout: float, output: _Output) -> CallResult:
        async with self._locks[session_id]:
            if session_id in self._kernels and not await self._kernels[session_id].is_alive():
                output.note("the scratch kernel has ended since the last call; its variables are gone")
                await self._drop(session_id)
            if not output.stopped.done() and session_id not in self._kernels:
                await self._start(session_id)
            if not output.stopped.done() and not await self._kernels[session_id].execute(code, timeout, output):
                output.note("its variables are gone; the next call starts a new scratch kernel")
                await self._drop(session_id)
            return output.result

    async def _start(self, session_id: str) -> None:
        try:
            self._kernels[session_id] = kernel = _ScratchKernel()
        except ImportError as error:
            raise ScratchError("a scratch kernel needs ipykernel; run pip install ipykernel") from error
        if self._closed:
            kernel.kill()  # `close` may have run before the kernel was in the dictionary
        try:
            await kernel.start(self._store())
        except Exception as error:
            await self._drop(session_id)
            raise ScratchError(f"the scratch kernel did not start: {error}") from error

    async def _drop(self, session_id: str) -> None:
        if session_id in self._kernels:
            await self._kernels.pop(session_id).end()


class _ScratchKernel:
    """One process, from its start to its end. Creating it raises `ImportError` when ipykernel is not installed."""

    def __init__(self) -> None:
        import ipykernel  # noqa: F401  the process needs it
        import zmq.asyncio
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        self._context = zmq.asyncio.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT)
        # Without kernel directories there is only this Python's own spec, whatever kernels the user has installed.
        specs = KernelSpecManager(kernel_dirs=[])
        self._manager = AsyncKernelManager(context=self._context, kernel_spec_manager=specs)
        spec: Any = self._manager.kernel_spec
        spec.argv = supervised(_ARGV, grace=0)
        self._killed = False
        _undisposed.add(self)

    async def start(self, store: Path) -> None:
        """Start the process, and wait until it accepts requests. It is not told where the `store` is."""
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if not self._killed:
            await self._manager.start_kernel(env=kernel_environment(store), cwd=working_directory(store), **streams)
        if self._killed:
            self.kill()  # the earlier `kill` found no process yet
            raise RuntimeError("it was shut down")
        self._client = self._manager.client(context=self._context)
        self._client.start_channels(stdin=False, hb=False, control=False)
        await self._client.wait_for_ready(START_SECONDS)

    async def is_alive(self) -> bool:
        """Return whether the process is running."""
        return bool(await self._manager.is_alive())

    async def execute(self, code: str, timeout: float, output: _Output) -> bool:
        """Run code until it ends or has to be stopped; return whether the kernel can run more."""
        timer = asyncio.get_running_loop().call_later(timeout, output.stop, f"it took longer than {timeout:g} s")
        # With stop_on_error, ipykernel 6 would abort a request that comes right after one that failed.
        request = self._client.execute(code, store_history=False, stop_on_error=False)
        reading = asyncio.ensure_future(self._read(request, output))
        either: set[asyncio.Future[Any]] = {reading, output.stopped}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if not reading.done():
            output.fail(f"stopped: {output.stopped.result()}")
        for _ in range(2):  # the first interrupt may come before the code has started, and is then ignored
            if not reading.done():
                await self._manager.interrupt_kernel()
                await asyncio.wait({reading}, timeout=GRACE_SECONDS / 2)
        if not reading.done():
            reading.cancel()
            output.fail("it did not stop when interrupted, so its kernel was killed")
            return False
        return reading.result()

    async def _read(self, request: str, output: _Output) -> bool:
        """Read all output of a request; return whether the kernel can run more.

        The output ends with the idle message on iopub. zmq disconnects over a message beyond `MESSAGE_LIMIT`, and
        may lose the idle message then; so output is not awaited long after the reply on the shell channel.
        """
        replied, waited = False, 0.0
        while waited < GRACE_SECONDS:
            try:
                message = await self._client.get_iopub_msg(POLL_SECONDS)
            except Empty:
                if not await self.is_alive():
                    output.fail("the scratch kernel died")
                    return False
                waited += POLL_SECONDS * replied
                while not replied and await self._client.shell_channel.msg_ready():
                    replied = _answers(await self._client.get_shell_msg(), request)
                continue
            if _answers(message, request) and message["content"].get("execution_state") == "idle":
                return True
            output.handle(message, keep=_answers(message, request))
        output.fail("its output was too large to read, so its kernel was killed")
        return False

    async def end(self) -> None:
        """End the process and its descendants, and release its sockets and files."""
        await asyncio.to_thread(self.kill)
        await self._manager.shutdown_kernel(now=True)
        self._context.destroy(linger=0)
        _undisposed.discard(self)

    def kill(self) -> None:
        """End the process and, except on Windows, its descendants. Works on any thread."""
        self._killed = True
        process = getattr(self._manager.provisioner, "process", None)
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            if process.poll() is None:  # the supervisor is stopped or hangs
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
                    process.wait(GRACE_SECONDS)
        self._manager.cleanup_connection_file()


class _Output:
    """The output of a running call so far, in bounded size, and the reason to stop the call, once there is one."""

    def __init__(self, captured: CapturedOutput) -> None:
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done when the call has to be stopped; its result is the reason."""
        self._captured = captured
        self._notes: list[str] = []
        self._error: ScratchError | None = None
        self._received = 0

    @property
    def result(self) -> CallResult:
        """The call's result, once it has ended."""
        text = "\n".join(filter(None, [self._captured.text, *self._notes]))
        return CallResult(text, self._captured.shown, self._error)

    def stop(self, reason: str) -> None:
        """Stop the call. The first reason counts."""
        if not self.stopped.done():
            self.stopped.set_result(reason)

    def handle(self, message: dict[str, Any], *, keep: bool) -> None:
        """Count the size of a message; with `keep`, add the message to the output.

        A message that is not kept comes from elsewhere, such as a thread that an earlier call has started.
        """
        content = message["content"]
        texts = [content.get("text"), *content.get("data", {}).values()]
        self._received += MESSAGE_COST + sum(len(text) for text in texts if isinstance(text, str))
        if self._received > OUTPUT_LIMIT:
            self.stop(f"it printed more than {OUTPUT_LIMIT:,} characters")
        if not keep:
            return
        if "name" in content and "text" in content:
            self._captured.write(content["text"])
        elif "traceback" in content:
            self._captured.write_line("\n".join(content["traceback"]))
            self._set_error(f"{content['ename']}: {content['evalue']}"[:MESSAGE_COST])
        else:
            self._captured.handle(message)

    def fail(self, reason: str) -> None:
        """Mark the call as failed, and note the reason."""
        self._set_error(reason)
        self.note(reason)

    def note(self, text: str) -> None:
        """Add a note to the output."""
        self._notes.append(f"[{text}]")

    def _set_error(self, text: str) -> None:
        self._error = self._error or ScratchError(text)


_undisposed: set[_ScratchKernel] = set()
"""Kernels whose `end` has not run. Collecting one whose event loop is closed would block in zmq for ever."""


def _answers(message: dict[str, Any], request: str) -> bool:
    return bool(message["parent_header"].get("msg_id") == request)
