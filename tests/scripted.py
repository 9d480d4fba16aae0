"""Scripted models and steps that only the tests need; `sessionmagic.testing` has the others."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sessionmagic.testing import ScriptedModel, call, hang, pause, script, think

END = "\x04"


def acts(*steps, profile=None):
    """Return a model with these steps. A call is written `(tool, arguments)` or `(tool, arguments, call id)`."""
    return ScriptedModel(*(_step(step) for step in steps), profile=profile)


def _step(step):
    return step if isinstance(step, str) else [part if isinstance(part, str) else _call(*part) for part in step]


def _call(tool, arguments, call_id=None):
    return call(tool, arguments, call_id=call_id)


def recalls(messages):
    """Answer with the prompts and answers of the request, one a line."""
    parts = [part for message in messages for part in message.parts]
    return "\n".join(f"{part.part_kind}: {part.content}" for part in parts)


def lists_prompts(messages):
    """Answer with the prompts of the request, one a line."""
    parts = [part for message in messages for part in message.parts]
    return "\n".join(part.content for part in parts if part.part_kind == "user-prompt")


class Gate:
    """A model that says one word, and another one after `open` is set."""

    def __init__(self, name="gate"):
        self.open = asyncio.Event()
        script(name, self._step)

    async def _step(self, _messages):
        yield "before "
        await self.open.wait()
        yield "after"


def tails(path, reasoning=""):
    """Return a step that streams what is appended to a file, until the file ends with `END`."""

    async def step(_messages):
        said = 0
        if reasoning:
            yield think(reasoning)
        while True:
            text = Path(path).read_text() if Path(path).exists() else ""
            fresh = text.removesuffix(END)[said:]
            if fresh:
                said += len(fresh)
                yield fresh
            if text.endswith(END):
                return
            yield pause(0.02)

    return step


def dictated(messages):
    """Stream the file that the prompt names, as `tails` does."""
    return tails(messages[-1].parts[-1].content.strip())(messages)


def hangs(*chunks, mark):
    """Return a step that says these chunks, creates the file `mark`, and hangs."""

    async def step(_messages):
        for chunk in chunks:
            yield chunk
        Path(mark).touch()
        yield hang()

    return step


def ignores_cancel(*chunks, folder="."):
    """Return a step that says these chunks, creates the file `deaf`, and ignores cancellation.

    It ends when there is a file `may_end` in the same folder; after a minute at the latest.
    """

    async def step(_messages):
        for chunk in chunks:
            yield chunk
        Path(folder, "deaf").touch()
        for _ in _until_it_may_end(folder):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)

    return step


def blocks(*chunks, folder="."):
    """Do the same as `ignores_cancel`, but create the file `blocked`, and block the event loop."""

    async def step(_messages):
        for chunk in chunks:
            yield chunk
            yield pause(0.3)
        Path(folder, "blocked").touch()
        for _ in _until_it_may_end(folder):
            time.sleep(0.02)  # noqa: ASYNC251  blocking the loop is the purpose

    return step


def _until_it_may_end(folder):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not Path(folder, "may_end").exists():
        yield


class Pausing(ScriptedModel):
    """A model whose first responses ask to be continued."""

    def __init__(self, pauses, *steps):
        super().__init__(*steps)
        self.pauses = pauses

    @asynccontextmanager
    async def request_stream(self, *arguments):
        async with super().request_stream(*arguments) as stream:
            if self.pauses:
                self.pauses -= 1
                stream.state = "suspended"
            yield stream
