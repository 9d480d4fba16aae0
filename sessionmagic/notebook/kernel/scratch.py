"""Scratch kernels: for each session a process in which a model's code cannot touch the user's variables."""

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
from typing import Any

from sessionmagic.exceptions import ScratchError
from sessionmagic.keys import names_a_key
from sessionmagic.notebook.kernel.outputs import Kept, Ran

OUTPUT_LIMIT = 10_000_000
"""Characters of output after which code is stopped."""
MESSAGE_COST = 1_000
"""Characters for which each message counts, besides its own."""
MESSAGE_LIMIT = 32 * 2**20
"""Bytes of a message that is read."""
START_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long interrupted code has to end, and late output to come."""
POLL_SECONDS = 0.1

_PROCESS = Path(__file__).with_name("scratch_process.py")
_ARGV = [sys.executable, str(_PROCESS), "-f", "{connection_file}", "--HistoryManager.enabled=False"]


class ScratchKernels:
    """The scratch kernels of this process: one for each session that has asked for one, all on one event loop."""

    def __init__(self) -> None:
        self._kernels: dict[str, _ScratchKernel] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closed = False

    async def run(self, session_id: str, code: str, timeout: float) -> Ran:
        """Run code in the session's kernel, after what that runs already, and return all that came of it.

        Code that takes longer than `timeout` seconds or prints too much, or whose caller is cancelled, is
        interrupted, and its kernel killed if that does not help. The call after a kernel's end has a new one.
        Raises `ScratchError` when no kernel can be started.
        """
        output = _Output()
        try:
            return await asyncio.shield(self._run(session_id, code, timeout, output))
        except asyncio.CancelledError:
            output.stop("it was cancelled")
            raise

    async def end(self, session_id: str) -> None:
        """End the session's kernel, with the code that runs in it."""
        if session_id in self._kernels:
            self._kernels[session_id].kill()
        async with self._locks[session_id]:
            await self._drop(session_id)

    def close(self) -> None:
        """End all kernels, for good. Works in any thread, also when the event loop is gone."""
        self._closed = True
        for kernel in list(self._kernels.values()):
            kernel.kill()

    async def _run(self, session_id: str, code: str, timeout: float, output: _Output) -> Ran:
        async with self._locks[session_id]:
            if session_id in self._kernels and not await self._kernels[session_id].is_alive():
                output.note("the scratch kernel has ended since the last call; its variables are gone")
                await self._drop(session_id)
            if not output.stopped.done() and session_id not in self._kernels:
                await self._start(session_id)
            if not output.stopped.done() and not await self._kernels[session_id].execute(code, timeout, output):
                output.note("its variables are gone; the next call starts a new scratch kernel")
                await self._drop(session_id)
            return output.ran

    async def _start(self, session_id: str) -> None:
        try:
            self._kernels[session_id] = kernel = _ScratchKernel()
        except ImportError as error:
            raise ScratchError("a scratch kernel needs ipykernel; run pip install ipykernel") from error
        if self._closed:
            kernel.kill()  # `close` may not have found it
        try:
            await kernel.start()
        except Exception as error:
            await self._drop(session_id)
            raise ScratchError(f"the scratch kernel did not start: {error}") from error

    async def _drop(self, session_id: str) -> None:
        if session_id in self._kernels:
            await self._kernels.pop(session_id).end()


class _ScratchKernel:
    """One process, from its start to its end. Raises `ImportError` without ipykernel."""

    def __init__(self) -> None:
        import ipykernel  # noqa: F401  needed in the process
        import zmq.asyncio
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        self._context = zmq.asyncio.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT)
        native = KernelSpecManager(kernel_dirs=[])
        self._manager = AsyncKernelManager(context=self._context, kernel_spec_manager=native)
        spec: Any = self._manager.kernel_spec
        spec.argv = _ARGV
        self._killed = False
        _not_collected.add(self)

    async def start(self) -> None:
        """Start the process, and wait until it listens."""
        env = {name: value for name, value in os.environ.items() if not names_a_key(name)}
        env["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        if not self._killed:
            await self._manager.start_kernel(env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self._killed:
            self.kill()  # the first time, there was no process yet
            raise RuntimeError("it was shut down")
        self._client = self._manager.client(context=self._context)
        self._client.start_channels(stdin=False, hb=False, control=False)
        await self._client.wait_for_ready(START_SECONDS)

    async def is_alive(self) -> bool:
        """Whether the process is there."""
        return bool(await self._manager.is_alive())

    async def execute(self, code: str, timeout: float, output: _Output) -> bool:
        """Run code until it is done or there is a reason to stop it; whether the kernel can run more."""
        timer = asyncio.get_running_loop().call_later(timeout, output.stop, f"it took longer than {timeout:g} s")
        # An ipykernel 6 goes on to abort what comes for a moment after an error, if errors are to stop the rest.
        request = self._client.execute(code, store_history=False, stop_on_error=False)
        reading = asyncio.ensure_future(self._read(request, output))
        ends: set[asyncio.Future[Any]] = {reading, output.stopped}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if not reading.done():
            output.fail(f"stopped: {output.stopped.result()}")
        for _ in range(2):  # the first may come before the code has begun
            if not reading.done():
                await self._manager.interrupt_kernel()
                await asyncio.wait({reading}, timeout=GRACE_SECONDS / 2)
        if not reading.done():
            reading.cancel()
            output.fail("it did not stop when interrupted, so its kernel was killed")
            return False
        return reading.result()

    async def _read(self, call: str, output: _Output) -> bool:
        """Read all that comes of a call; whether the kernel can run more."""
        replied, late = False, 0.0
        while late < GRACE_SECONDS:
            try:
                message = await self._client.get_iopub_msg(POLL_SECONDS)
            except Empty:
                if not await self.is_alive():
                    output.fail("the scratch kernel died")
                    return False
                late += POLL_SECONDS * replied
                while not replied and await self._client.shell_channel.msg_ready():
                    replied = _belongs(await self._client.get_shell_msg(), call)
                continue
            if _belongs(message, call) and message["content"].get("execution_state") == "idle":
                return True
            output.take(message, keep=_belongs(message, call))
        output.fail("its output was too large to read, so its kernel was killed")  # zmq has hung up
        return False

    async def end(self) -> None:
        """End the process, and give back what it took here."""
        await self._manager.shutdown_kernel(now=True)
        self._context.destroy(linger=0)
        _not_collected.discard(self)

    def kill(self) -> None:
        """End the process and what it has started. Works in any thread."""
        self._killed = True
        process = getattr(self._manager.provisioner, "process", None)
        if process is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
                process.wait(GRACE_SECONDS)
        self._manager.cleanup_connection_file()


class _Output:
    """What came of a call so far, in bounded size, and whether that is enough."""

    def __init__(self) -> None:
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Has the reason for which the call is to end."""
        self._kept = Kept()
        self._notes: list[str] = []
        self._error: ScratchError | None = None
        self._received = 0

    @property
    def ran(self) -> Ran:
        text = "\n".join(filter(None, [self._kept.text, *self._notes]))
        return Ran(text, self._kept.shown, self._error)

    def stop(self, reason: str) -> None:
        """Have the call end."""
        if not self.stopped.done():
            self.stopped.set_result(reason)

    def take(self, message: dict[str, Any], *, keep: bool) -> None:
        """Note what a message says, if it is of this call, and its size in any case."""
        content = message["content"]
        texts = [content.get("text"), *content.get("data", {}).values()]
        self._received += MESSAGE_COST + sum(len(text) for text in texts if isinstance(text, str))
        if self._received > OUTPUT_LIMIT:
            self.stop(f"it printed more than {OUTPUT_LIMIT:,} characters")
        if not keep:
            return
        if "name" in content and "text" in content:
            self._kept.write(content["text"])
        elif "traceback" in content:
            self._kept.write_line("\n".join(content["traceback"]))
            self._failed(f"{content['ename']}: {content['evalue']}"[:MESSAGE_COST])
        else:
            self._kept.take(message)

    def fail(self, reason: str) -> None:
        """Say that the call failed, and why."""
        self._failed(reason)
        self.note(reason)

    def note(self, text: str) -> None:
        """Say what the code does not say itself."""
        self._notes.append(f"[{text}]")

    def _failed(self, text: str) -> None:
        self._error = self._error or ScratchError(text)


_not_collected: set[_ScratchKernel] = set()
"""Kernels that have not given back all: collecting one whose event loop is closed would block in zmq for ever."""


def _belongs(message: dict[str, Any], call: str) -> bool:
    return bool(message["parent_header"].get("msg_id") == call)
