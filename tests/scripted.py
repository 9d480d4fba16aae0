"""Models that say what a test tells them to."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from pydantic_ai.models.function import DeltaThinkingPart, FunctionModel


def says(*chunks, delay=0.0):
    """A model that answers with these chunks, `delay` seconds before each."""

    async def stream(messages, info):
        for chunk in chunks:
            await asyncio.sleep(delay)
            yield chunk

    return FunctionModel(stream_function=stream)


def thinks(reasoning, answer):
    """A model that reasons, and then answers."""

    async def stream(messages, info):
        yield {0: DeltaThinkingPart(content=reasoning)}
        yield answer

    return FunctionModel(stream_function=stream)


def hangs(*chunks, mark=None):
    """A model that says these chunks and then nothing more, for ever; the file `mark` is there from then on."""

    async def stream(messages, info):
        for chunk in chunks:
            yield chunk
        if mark:
            Path(mark).touch()
        await asyncio.Event().wait()
        yield ""

    return FunctionModel(stream_function=stream)


def fails(error, *chunks):
    """A model that says these chunks and then raises."""

    async def stream(messages, info):
        for chunk in chunks:
            yield chunk
        raise error
        yield ""

    return FunctionModel(stream_function=stream)


def recalls():
    """A model that answers with the prompts and answers that it was sent, one a line."""

    async def stream(messages, info):
        parts = [part for message in messages for part in message.parts]
        yield "\n".join(f"{part.part_kind}: {part.content}" for part in parts)

    return FunctionModel(stream_function=stream)


def lists_prompts():
    """A model that answers with the prompts that it was sent, one a line."""

    async def stream(messages, info):
        prompts = [part.content for message in messages for part in message.parts if part.part_kind == "user-prompt"]
        yield "\n".join(prompts)

    return FunctionModel(stream_function=stream)


class Gate:
    """A model that says a word and waits until `open` is set before it says another."""

    def __init__(self):
        self.open = asyncio.Event()
        self.model = FunctionModel(stream_function=self._stream)

    async def _stream(self, messages, info):
        yield "before "
        await self.open.wait()
        yield "after"


def tails(path, end="\x04", reasoning="", name=None):
    """A model that says what is written to a file while it is written, until the file ends in `end`."""

    async def stream(messages, info):
        said = 0
        if reasoning:
            yield {0: DeltaThinkingPart(content=reasoning)}
        while True:
            text = Path(path).read_text() if Path(path).exists() else ""
            fresh = text.removesuffix(end)[said:]
            if fresh:
                said += len(fresh)
                yield fresh
            if text.endswith(end):
                return
            await asyncio.sleep(0.02)

    return FunctionModel(stream_function=stream, model_name=name)


def dictated(end="\x04"):
    """`tails`, of the file that the prompt names."""

    async def stream(messages, info):
        path = messages[-1].parts[-1].content.strip()
        async for chunk in tails(path, end).stream_function(messages, info):
            yield chunk

    return FunctionModel(stream_function=stream)


def ignores_cancel(*chunks, seconds=1.5):
    """A model that says these chunks and then hears nothing, not even that it should stop, for so many seconds."""

    async def stream(messages, info):
        for chunk in chunks:
            yield chunk
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(deadline - time.monotonic())
        yield ""

    return FunctionModel(stream_function=stream)


def blocks(*chunks, mark, seconds=1.5):
    """A model that says these chunks and then holds up the whole loop; the file `mark` is there from then on."""

    async def stream(messages, info):
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0.3)
        Path(mark).touch()
        time.sleep(seconds)
        yield ""

    return FunctionModel(stream_function=stream)
