"""What both stores promise."""

import asyncio
import re
from dataclasses import replace

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.exceptions import SessionExistsError, SessionNotFoundError
from sessionmagic.conversation.session import Session, TurnRecord, with_override
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.conversation.tree import with_finished_turn
from sessionmagic.conversation.tree import with_turn
from sessionmagic.storage.claims import HeldError, Holder
from sessionmagic.storage.store import new_session_id
from tests.turns import ask, manager_on


@pytest.fixture(params=["tiny", "memory"])
def store(request, tmp_path):
    return TinyStore(tmp_path / "store") if request.param == "tiny" else MemoryStore()


def session(name="chat", **fields):
    return Session(id=new_session_id(), name=name, created_at=1.5, updated_at=2.5, **fields)


def turn(number, **fields):
    parent = None if number == 1 else str(number - 1)
    values = {"agent": "assistant", "model": "test", "prompt": f"prompt {number}", "started_at": 10.0 + number}
    return TurnRecord(id=str(number), parent=parent, **(values | fields))


def stored(store, *args, **fields):
    created = session(*args, **fields)
    store.create(created)
    return created.id


def test_session_comes_back_as_it_was_stored(store):
    messages = [ModelRequest.user_text_prompt("Hello\n\t{braces} 🦊"), ModelResponse(parts=[TextPart("Hi \x1b[31m")])]
    full = session(
        name="a/b ../ 🦊",
        title="t",
        starred=True,
        working_dir="/somewhere",
        current_agent="assistant",
        agents_source="agents.toml",
        agent_model_overrides={"assistant": "openai:gpt"},
        custom_models_used=["openai:gpt", "lab:x"],
        permissions={"allow": ["read*"], "ask": ["write*"]},
        safety="strict",
    )
    full = with_turn(
        full,
        turn(
            1,
            messages=ModelMessagesTypeAdapter.dump_python(messages, mode="json"),
            status="failed",
            requests=[
                RequestRecord(
                    agent="assistant",
                    model="openai:gpt",
                    usage=Usage(input_tokens=3, cached_tokens=2, output_tokens=4, reasoning_tokens=1, cost=0.25),
                    first_token_seconds=0.5,
                    seconds=1.5,
                    finish_reason="length",
                )
            ],
            error_code="auth",
            error="refused",
            finished_at=20.0,
            cell_id="cell",
        ),
    )
    store.create(full)
    assert store.load(full.id) == full


def test_update_is_applied_to_what_is_stored_now(store):
    key = stored(store)
    store.update(key, lambda now: replace(now, starred=True))
    returned = store.update(key, lambda now: replace(now, title="new"))
    assert returned == store.load(key)
    assert (returned.starred, returned.title) == (True, "new")


def test_change_that_raises_changes_nothing(store):
    key = stored(store)
    before = store.load(key)

    def change(now):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.update(key, change)
    assert store.load(key) == before
    store.update(key, lambda now: replace(now, title="still works"))
    assert store.load(key).title == "still works"


def test_what_was_loaded_does_not_change_with_the_store_nor_the_store_with_it(store):
    key = stored(store, agent_model_overrides={"assistant": "test"})
    loaded = store.load(key)
    loaded.agent_model_overrides["assistant"] = "scribbled"
    assert store.load(key).agent_model_overrides == {"assistant": "test"}
    before = store.load(key)
    store.update(key, lambda now: with_override(now, "assistant", "local"))
    assert before.agent_model_overrides == {"assistant": "test"}


def test_session_is_found_by_name_and_by_id(store):
    key = stored(store, "one")
    stored(store, "two")
    assert store.find("one") == store.find(key) == key
    assert store.find("three") is None
    assert store.find("../one") is None


@pytest.mark.parametrize(
    "name", ["a/b/c", "../../etc/passwd", "..", ".", "🦊 fox", "con", "x" * 10_000, "a\\b", "*", "~"]
)
def test_any_name_names_a_session_of_its_own(store, name):
    key = stored(store, name)
    assert store.find(name) == key
    assert store.load(key).name == name
    assert [summary.name for summary in store.summaries()[0]] == [name]


def test_name_that_is_taken_is_refused(store):
    key, other = stored(store, "one"), stored(store, "two")
    with pytest.raises(SessionExistsError, match="'one'"):
        store.create(session("one"))
    with pytest.raises(SessionExistsError, match="'one'"):
        store.rename(other, "one")
    assert store.find("one") == key
    assert store.load(other).name == "two"
    assert len(store.summaries()[0]) == 2


def test_renamed_session_is_found_by_its_new_name_only(store):
    key = stored(store, "old")
    store.update(key, lambda now: replace(now, starred=True))
    store.rename(key, "new")
    store.rename(key, "new")
    assert store.find("old") is None
    assert store.find("new") == key
    assert store.load(key).starred
    assert stored(store, "old") != key


def test_deleted_session_is_not_found_loaded_listed_or_deleted_again(store):
    key, other = stored(store, "gone"), stored(store, "here")
    store.delete(key)
    assert store.find("gone") is None
    assert store.find(key) is None
    with pytest.raises(SessionNotFoundError):
        store.load(key)
    with pytest.raises(SessionNotFoundError):
        store.delete(key)
    assert [summary.id for summary in store.summaries()[0]] == [other]


def test_late_write_does_not_bring_a_deleted_session_back(store):
    key = stored(store, "gone")
    store.delete(key)
    with pytest.raises(SessionNotFoundError):
        store.update(key, lambda now: replace(now, title="late"))
    with pytest.raises(SessionNotFoundError):
        store.rename(key, "late")
    assert store.summaries() == ([], [])
    assert store.find("gone") is store.find("late") is None


def test_name_of_a_deleted_session_is_free(store):
    first = stored(store, "chat", title="first")
    store.delete(first)
    second = stored(store, "chat", title="second")
    assert store.find("chat") == second
    assert store.load(second).title == "second"


def test_summary_tells_of_the_path_and_of_all_usage(store):
    key = stored(store, "chat", starred=True)

    def change(now):
        for number, (status, cost) in enumerate([("completed", 0.5), ("failed", 0.25)], start=1):
            now = with_turn(now, turn(number))
            used = Usage(input_tokens=10, output_tokens=1, cost=cost)
            requests = [RequestRecord(agent="assistant", model="m", usage=used)]
            now = with_finished_turn(
                now,
                str(number),
                lambda record, status=status, requests=requests: replace(record, status=status, requests=requests),
                at=50.0,
            )
        return with_override(now, "assistant", "lab:x")

    store.update(key, change)
    [summary], problems = store.summaries()
    assert problems == []
    assert (summary.name, summary.title, summary.starred) == ("chat", "prompt 1", True)
    assert (summary.turns, summary.status, summary.agent) == (1, "completed", "assistant")
    assert summary.model == "lab:x"
    assert (summary.input_tokens, summary.output_tokens, summary.cost) == (20, 2, 0.75)
    assert (summary.started_at, summary.updated_at) == (1.5, 50.0)


def test_listing_follows_every_change(store):
    keys = [stored(store, f"s{number}") for number in range(5)]
    store.summaries()
    store.update(keys[1], lambda now: replace(now, title="changed"))
    store.delete(keys[2])
    store.rename(keys[3], "renamed")
    listed = {summary.name: summary.title for summary in store.summaries()[0]}
    assert listed == {"s0": "", "s1": "changed", "renamed": "", "s4": ""}


def test_session_is_claimed_once_until_it_is_released(store):
    key, other = stored(store, "one"), stored(store, "two")
    claim = store.claim(key, Holder.here("cell In [3]"))
    with pytest.raises(HeldError) as caught:
        store.claim(key, Holder.here("another"))
    assert re.fullmatch(r"cell In \[3\] has held it since \d\d:\d\d:\d\d", caught.value.holder.describe())
    store.claim(other, Holder.here("another")).release()
    claim.release()
    store.claim(key, Holder.here("another")).release()


def test_running_turn_is_listed_as_interrupted_when_nobody_holds_the_claim(store):
    key, manager = stored(store), manager_on(store)
    claim = store.claim(key, Holder.here("cell"))
    store.update(key, lambda now: with_turn(now, turn(1)))
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["running"]
    assert manager.sessions.load(key).turns[0].status == "running"
    claim.release()
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["interrupted"]
    assert manager.sessions.load(key).turns[0].status == "interrupted"


def test_prompt_of_a_turn_and_its_override_are_one_write(store, monkeypatch):
    manager = manager_on(store)
    asyncio.run(ask(manager))
    writes, update = [], store.update

    def counted(key, change):
        after = update(key, change)
        writes.append((len(after.turns), after.turns[-1].status, dict(after.agent_model_overrides)))
        return after

    monkeypatch.setattr(store, "update", counted)
    asyncio.run(ask(manager, model="recalls"))
    assert writes[0] == (2, "running", {"assistant": "recalls"})
    assert [turns for turns, status, _ in writes if status == "running"].count(2) <= 2  # admission, and the answer
    assert writes[-1][1] == "completed"
