"""The scanner of keys is loaded when a text needs it, and never on the loop, where it would hold up all turns."""

import asyncio
import random
import string
import threading

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.conversation.attachment import Attachment
from sessionmagic.keys import cleaning
from sessionmagic.keys.shapes import may_contain_keys, scanner
from sessionmagic.testing import ScriptedModel, call, think
from sessionmagic.turns.messages import prompt_message
from tests.turns import on_a_loop

SHAPED = "gsk_" + "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=52))
PLACES = ["prompt", "attachment", "answer", "reasoning", "arguments", "result", "error", "steering", "description"]


@pytest.fixture
def loading(monkeypatch, request):
    """The threads in which the scanner is loaded; it is not loaded yet."""
    import kingfisher_sdk

    threads, real = [], kingfisher_sdk.Scanner
    loaded = None if "goes_on" in request.node.name else scanner()

    def load(**options):
        threads.append(threading.current_thread())
        return loaded or real(**options)

    scanner.cache_clear()
    monkeypatch.setattr(kingfisher_sdk, "Scanner", load)
    monkeypatch.setattr(cleaning, "_clean", cleaning._Clean())
    return threads


async def turn_with(text, place):
    def at(wanted, otherwise="plain"):
        return f"it is {text}." if place == wanted else otherwise

    model = ScriptedModel(
        [think(at("reasoning")), call("act", text=at("arguments"))],
        ModelHTTPError(400, "m", {"error": {"message": at("error")}}) if place == "error" else at("answer"),
        name="acts",
    )
    register_model("acts", model)
    manager = SessionManager(MemoryStore(), Models("acts"))

    async def act(text: str) -> str:  # noqa: ARG001
        await manager.turns.say("chat", "steer", at("steering"))
        if place == "error":
            raise ValueError(at("error"))
        return at("result")

    act.__doc__ = f"Act.\n\n{at('description')}"
    notes = [Attachment(name="notes", content=at("attachment"))]
    turn = await manager.run(at("prompt"), session="chat", attachments=notes, tools=[act], yes=True)
    result = await turn.result()
    return f"{result!r} {manager.sessions.load('chat')!r} {model.sent!r} {[event async for event in turn.events()]!r}"


@pytest.mark.parametrize("place", PLACES)
@on_a_loop
async def test_scanner_is_loaded_in_a_worker_thread_wherever_a_key_comes_from(place, loading):
    everything = await turn_with(SHAPED, place)
    assert SHAPED not in everything
    assert loading
    assert threading.current_thread() not in loading


@on_a_loop
async def test_scanner_is_not_loaded_for_ordinary_texts(loading):
    await turn_with("KernelTools.inspect_variable of additionalProperties and so on", "prompt")
    assert loading == []


@on_a_loop
async def test_history_of_another_process_is_looked_at_in_a_worker_thread(loading):
    register_model("acts", ScriptedModel("One.", "Two.", name="acts"))
    store = MemoryStore()
    manager = SessionManager(store, Models("acts"))
    await (await manager.run("Hi", session="chat")).result()
    [session] = store._sessions.values()
    object.__setattr__(session.turns[0], "messages", prompt_message(f"it is {SHAPED}"))
    await (await manager.run("Hi", session="chat")).result()
    assert loading
    assert threading.current_thread() not in loading


@on_a_loop
async def test_other_work_goes_on_while_the_scanner_is_loaded(loading, monkeypatch):
    import kingfisher_sdk

    rounds, during, load = 0, [], kingfisher_sdk.Scanner

    def counting(**options):
        before = rounds
        loaded = load(**options)
        during.append(rounds - before)
        return loaded

    async def count():
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    monkeypatch.setattr(kingfisher_sdk, "Scanner", counting)
    counting_rounds = asyncio.create_task(count())
    await turn_with(SHAPED, "answer")
    counting_rounds.cancel()
    assert loading
    assert during[0] > 20


def test_values_of_variables_are_left_out_where_there_is_no_scanner(monkeypatch):
    monkeypatch.setattr("sys.platform", "emscripten")
    monkeypatch.setenv("LAB_API_KEY", "hunter2-but-longer")
    monkeypatch.setattr(cleaning, "_clean", cleaning._Clean())
    scanner.cache_clear()
    try:
        said = cleaning.without_keys(f"The lab has {SHAPED} and LAB_API_KEY=hunter2-but-longer")
    finally:
        scanner.cache_clear()
    assert SHAPED in said
    assert "hunter2" not in said


MODELS = [
    "openai:gpt-4o-mini-2024-07-18",
    "claude-3-5-sonnet-20241022",
    "claude-sonnet-4-5-20250929",
    "gemini-2.5-flash-preview-05-20",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "Qwen/Qwen2.5-72B-Instruct",
    "accounts/fireworks/models/llama-v3p1-405b-instruct",
]


@pytest.mark.parametrize("name", MODELS)
def test_name_of_a_model_needs_no_scanner(name):
    assert not may_contain_keys(f"new session 'chat', answered by {name}")


@pytest.mark.parametrize(
    "key",
    [
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "xoxs-4949-840-727-bbfe",
        "xapp-3-0F9-8549-ifq9",
        "A3-7KQ2MB-8XWT4D-R2HJP-9VCN3-Z6FGL",
        "gpt-4o-mini-2024-07-18-kq2mb8xwt4dr2hjp",
        "sk-proj-4o-mini-8XWT4DR2HJP9VCN3",
    ],
    ids=["UUID", "Slack", "Slack app", "1Password", "behind a name", "OpenAI"],
)
def test_key_with_short_parts_is_not_taken_for_a_name(key):
    assert may_contain_keys(f"it is {key}.")


def test_long_run_of_short_parts_is_looked_at_in_no_time():
    assert may_contain_keys("v1-" * 100_000 + "8XWT4DR2HJP9VCN3")
