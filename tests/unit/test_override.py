"""The model override: first, whole or not at all, and lasting."""

import asyncio
import errno
import os
from dataclasses import replace

import pytest

from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.conversation.events import TurnStarted, Warned
from sessionmagic.conversation.session import with_override
from sessionmagic.exceptions import (
    ModelReferenceError,
    SessionNotFoundError,
    StoreError,
    UnknownAgentError,
    UsageError,
)
from sessionmagic.models import sources
from tests.provider import ScriptedProvider, answers
from tests.scripted import Gate
from tests.turns import ask, events_of, manager_on, on_a_loop


def override(manager, session="chat", agent="assistant"):
    return manager.sessions.load(session).agent_model_overrides.get(agent)


def listed_model(manager):
    return manager.sessions.summaries()[0][0].model


def asked(manager):
    return [turn.model for turn in manager.sessions.load("chat").turns]


@on_a_loop
async def test_override_holds_for_this_turn_and_every_later_one(manager):
    await ask(manager, model="recalls")
    await ask(manager)
    await ask(manager)
    assert asked(manager) == ["recalls"] * 3
    assert override(manager) == listed_model(manager) == "recalls"


@on_a_loop
async def test_override_given_on_a_later_turn_survives_a_restart(home):
    manager = manager_on(home)
    await ask(manager, "First")
    await ask(manager, "Second", model="recalls")
    restarted = manager_on(home)
    result = await ask(restarted, "Third")
    assert asked(restarted) == ["calm", "recalls", "recalls"]
    assert result.text.splitlines() == [
        "user-prompt: First",
        "text: It is fine.",
        "user-prompt: Second",
        "text: user-prompt: First",
        "text: It is fine.",
        "user-prompt: Second",
        "user-prompt: Third",
    ]


@on_a_loop
async def test_default_clears_the_override(manager):
    await ask(manager, model="recalls")
    result = await ask(manager, model="default")
    assert result.text == "It is fine."
    await ask(manager)
    assert asked(manager) == ["recalls", "calm", "calm"]
    assert override(manager) is None
    assert listed_model(manager) == "calm"


@pytest.mark.parametrize("before", ["", "recalls"])
@on_a_loop
async def test_once_leaves_nothing_but_the_turns_own_record(manager, before):
    await ask(manager, model=before)
    kept = manager.sessions.load("chat")
    await ask(manager, model="test", once=True)
    await ask(manager)
    after = manager.sessions.load("chat")
    assert asked(manager) == [before or "calm", "test", before or "calm"]
    assert after.agent_model_overrides == kept.agent_model_overrides
    assert after.custom_models_used == kept.custom_models_used


@on_a_loop
async def test_default_once_leaves_the_override(manager):
    await ask(manager, model="recalls")
    await ask(manager, model="default", once=True)
    await ask(manager)
    assert asked(manager) == ["recalls", "calm", "recalls"]


@on_a_loop
async def test_once_without_a_model_is_refused(manager):
    with pytest.raises(UsageError, match="--once"):
        await ask(manager, once=True)
    assert manager.sessions.summaries() == ([], [])


@on_a_loop
async def test_override_belongs_to_one_agent_of_one_session(home):
    agents = {name: AgentDefinition(name=name) for name in ("assistant", "critic")}
    scripted = manager_on(home)
    manager = SessionManager(scripted.store, scripted.models, agents)
    await ask(manager, model="recalls", agent="critic")
    await ask(manager, agent="assistant")
    await ask(manager, agent="critic")
    await ask(manager, session="another", agent="critic")
    assert asked(manager) == ["recalls", "calm", "recalls"]
    assert manager.sessions.load("chat").agent_model_overrides == {"critic": "recalls"}
    assert manager.sessions.load("another").agent_model_overrides == {}
    with pytest.raises(UnknownAgentError, match="did you mean 'critic'"):
        await ask(manager, agent="critc", model="test")
    assert len(manager.sessions.load("chat").turns) == 3


BAD = ["opnai:gpt", "gpt", "openai:gpt-5.2", "local:/no/such.gguf", "anthropic:", "replay", "x" * 5_000]


@pytest.mark.parametrize("reference", BAD, ids=lambda reference: reference[:20])
@on_a_loop
async def test_bad_reference_for_a_new_session_leaves_no_trace(home, reference):
    manager = manager_on(home)
    with pytest.raises(ModelReferenceError):
        await ask(manager, model=reference)
    assert manager.sessions.summaries() == ([], [])
    assert manager.turns.running() == []
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("reference", BAD, ids=lambda reference: reference[:20])
@pytest.mark.parametrize("once", [False, True])
@on_a_loop
async def test_bad_reference_leaves_no_prompt_and_no_override(manager, reference, once):
    await ask(manager, model="recalls")
    before = manager.sessions.load("chat")
    with pytest.raises(ModelReferenceError):
        await ask(manager, "Orphan?", model=reference, once=once)
    with pytest.raises(ModelReferenceError):
        manager.sessions.set_model("chat", reference)
    assert manager.sessions.load("chat") == before
    assert not manager.store.is_claimed(before.id)


@on_a_loop
async def test_write_that_fails_at_admission_leaves_everything_as_it_was(home, monkeypatch):
    manager = manager_on(home)
    await ask(manager)
    before = manager.sessions.load("chat")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for session in ("chat", "fresh"):
            with pytest.raises(StoreError, match="No space left on device; nothing was changed"):
                await ask(manager, "Lost?", session=session, model="recalls")
        assert manager.turns.running() == []
    assert manager.sessions.load("chat") == before
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["chat"]
    await ask(manager, "Next")
    assert asked(manager) == ["calm", "calm"]


@pytest.mark.parametrize("step", ["update", "create"])
@on_a_loop
async def test_store_that_breaks_in_any_way_at_admission_frees_the_session(manager, monkeypatch, step):
    def broken(*_):
        raise RuntimeError("broken store")

    await ask(manager, session="chat" if step == "update" else "another")
    with monkeypatch.context() as patch:
        patch.setattr(manager.store, step, broken)
        with pytest.raises(RuntimeError, match="broken store"):
            await ask(manager, model="recalls")
    assert manager.turns.running() == []
    assert (await ask(manager)).model != "recalls"


@on_a_loop
async def test_stored_override_that_no_longer_resolves_is_said_and_the_default_answers(manager, monkeypatch):
    await ask(manager, model="recalls")
    monkeypatch.setattr(sources, "_registered", {"calm": sources._registered["calm"]})
    turn = await manager.run("Hello", session="chat")
    events = await events_of(turn)
    assert isinstance(events[0], TurnStarted)
    assert events[0].model == "calm"
    [warning] = [event.text for event in events if isinstance(event, Warned)]
    assert "calm answers this turn" in warning
    assert "'recalls'" in warning
    assert (await turn.result()).text == "It is fine."
    assert listed_model(manager) == "unresolved (recalls)"
    assert override(manager) == "recalls"
    manager_on(manager.store)
    await ask(manager)
    assert asked(manager) == ["recalls", "calm", "recalls"]
    assert listed_model(manager) == "recalls"


@on_a_loop
async def test_custom_models_are_remembered_once_each(manager):
    with ScriptedProvider(answers("Yes")) as provider:
        manager.models.endpoints["lab"] = provider.url
        for model in ("lab:a", "lab:b", "recalls", "lab:a", "", "default", "lab:b"):
            await ask(manager, model=model)
        await ask(manager, model="lab:c", once=True)
        assert [request["model"] for request in provider.requests] == ["a", "b", "a", "a", "b", "c"]
    assert manager.sessions.load("chat").custom_models_used == ["lab:a", "lab:b"]


@on_a_loop
async def test_changes_made_while_a_turn_is_let_in_survive_its_write(manager, monkeypatch):
    await ask(manager)
    resolve = manager.models.resolve

    def slow(*asked):
        manager.sessions.star("chat")
        manager.store.update(manager.sessions.load("chat").id, lambda now: with_override(now, "critic", "test"))
        return resolve(*asked)

    monkeypatch.setattr(manager.models, "resolve", slow)
    await ask(manager, model="recalls")
    session = manager.sessions.load("chat")
    assert session.starred
    assert session.agent_model_overrides == {"assistant": "recalls", "critic": "test"}


@on_a_loop
async def test_override_set_during_a_turn_holds_from_the_next_one(manager):
    gate = Gate()
    turn = await manager.run("Hello", session="chat", model="gate")
    manager.sessions.set_model("chat", "recalls")
    gate.open.set()
    assert (await turn.result()).text == "before after"
    await ask(manager)
    assert asked(manager) == ["gate", "recalls"]
    manager.sessions.set_model("chat", "default")
    assert override(manager) is None


def test_setting_the_model_of_an_unknown_session_or_agent_changes_nothing(manager):
    asyncio.run(ask(manager))
    with pytest.raises(SessionNotFoundError, match="did you mean 'chat'"):
        manager.sessions.set_model("chatt", "recalls")
    with pytest.raises(SessionNotFoundError, match=r"^no session named 'other'; %%agent --session creates one$"):
        manager.sessions.set_model("other", "recalls")
    with pytest.raises(UnknownAgentError, match=r"^no agent named 'nobody'; available agents: assistant$"):
        manager.sessions.set_model("chat", "recalls", agent="nobody")
    assert override(manager) is None


@on_a_loop
async def test_default_model_that_cannot_be_used_is_an_error_before_anything_is_stored(home):
    manager = SessionManager(TinyStore(home), Models("opnai:x"))
    with pytest.raises(ModelReferenceError, match="opnai"):
        await ask(manager)
    assert manager.sessions.summaries() == ([], [])
    manager_on(manager.store)
    await ask(manager, model="calm")
    stored = manager.sessions.load("chat")
    with pytest.raises(ModelReferenceError):
        await ask(manager, model="default")
    assert manager.sessions.load("chat") == replace(stored)
