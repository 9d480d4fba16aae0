"""An override that turns out wrong when the model is first asked."""

import asyncio
import threading

import pytest

from sessionmagic.conversation.events import Warned
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import ModelRefusedError
from sessionmagic.models import sources
from tests.provider import ScriptedProvider, answers, refuses
from tests.turns import ask, events_of, on_a_loop


def override(manager):
    return manager.sessions.load("chat").agent_model_overrides.get("assistant")


def asked(manager):
    return [turn.model for turn in manager.sessions.load("chat").turns]


@pytest.mark.parametrize("refusal", [refuses(401, "Invalid key."), refuses(404, "No such model.")], ids=["401", "404"])
@pytest.mark.parametrize("before", ["", "recalls"])
@on_a_loop
async def test_new_override_that_the_provider_refuses_is_taken_back(manager, refusal, before):
    with ScriptedProvider(refusal) as provider:
        manager.models.endpoints["lab"] = provider.url
        await ask(manager, "First", model=before)
        turn = await manager.run("Second", session="chat", model="lab:some-model")
        events = await events_of(turn)
        result = await turn.result()
    assert isinstance(result.error, ModelRefusedError)
    [warning] = [event.text for event in events if isinstance(event, Warned)]
    assert warning == f"session 'chat' was switched back to {before or 'the default model'}"
    session = manager.sessions.load("chat")
    assert session.agent_model_overrides.get("assistant") == (before or None)
    assert session.custom_models_used == []
    assert session.turns[1].status == "failed"
    assert session.head == "1"
    await ask(manager, "Third")
    assert asked(manager) == [before or "calm", "lab:some-model", before or "calm"]


@on_a_loop
async def test_old_override_that_the_provider_refuses_stays(manager):
    with ScriptedProvider(answers("Yes"), refuses(401, "Invalid key.")) as provider:
        manager.models.endpoints["lab"] = provider.url
        await ask(manager, model="lab:some-model")
        for model in ("", "lab:some-model"):
            turn = await manager.run("Again", session="chat", model=model)
            assert not [event for event in await events_of(turn) if isinstance(event, Warned)]
            assert isinstance((await turn.result()).error, ModelRefusedError)
    assert override(manager) == "lab:some-model"
    assert manager.sessions.load("chat").custom_models_used == ["lab:some-model"]


@on_a_loop
async def test_override_stays_when_the_provider_is_only_unwell(manager):
    with ScriptedProvider(refuses(500, "Out of order.")) as provider:
        manager.models.endpoints["lab"] = provider.url
        assert (await ask(manager, model="lab:some-model")).status == "failed"
    assert override(manager) == "lab:some-model"


@on_a_loop
async def test_override_that_was_changed_while_the_refused_turn_ran_is_not_taken_back(manager):
    asking = asyncio.Event()
    with ScriptedProvider(refuses(404, "No such model.")) as provider:
        refuse, loop = provider.scripts[0], asyncio.get_running_loop()

        def after_the_change(handler):
            loop.call_soon_threadsafe(asking.set)
            changed.wait(10)
            refuse(handler)

        changed = threading.Event()
        provider.scripts = [after_the_change]
        manager.models.endpoints["lab"] = provider.url
        turn = await manager.run("Hello", session="chat", model="lab:some-model")
        await asking.wait()
        manager.sessions.set_model("chat", "recalls")
        changed.set()
        assert isinstance((await turn.result()).error, ModelRefusedError)
    assert override(manager) == "recalls"


@on_a_loop
async def test_warnings_of_a_turn_are_remembered_with_it(manager):
    await ask(manager, model="recalls")
    sources._registered.pop("recalls")
    result = await ask(manager)
    warned = transcript_of("chat", manager.sessions.load("chat").turn(result.turn)).warnings
    assert len(warned) == 1
    assert "recalls" in warned[0]
