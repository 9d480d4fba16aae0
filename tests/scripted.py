"""Models that say what a test tells them to."""

import asyncio
import json
import time
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel


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


def acts(*steps, profile=None):
    """A model that takes one of these steps at each request, and the last of them from then on.

    A step is a text, or a list of the calls that it makes in one response, each `(tool, arguments)` or
    `(tool, arguments, call id)`; a text in the list is said before the calls. Arguments are written as JSON unless
    they are a text already. `sent` has the messages of each request, `offered` its tools by name.
    """

    async def stream(messages, info):
        step = steps[min(len(model.sent), len(steps) - 1)]
        model.sent.append(deepcopy(messages))
        model.offered.append({tool.name: tool for tool in info.function_tools})
        for place, part in enumerate([step] if isinstance(step, str) else step):
            if isinstance(part, str):
                yield part
                continue
            tool, arguments, call_id = (*part, f"call-{len(model.sent)}-{place}")[:3]
            written = arguments if isinstance(arguments, str) else json.dumps(arguments)
            half = len(written) // 2
            yield {place: DeltaToolCall(tool, written[:half], tool_call_id=call_id)}
            yield {place: DeltaToolCall(json_args=written[half:])}

    model = FunctionModel(stream_function=stream, profile=profile)
    model.sent, model.offered = [], []
    return model
