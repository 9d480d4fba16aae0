"""What both stores promise, by themselves and under a manager."""

import asyncio
import re
import threading
from dataclasses import replace
from functools import partial

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart

from sessionmagic import Attachment, Cell, MemoryStore, TinyStore
from sessionmagic.conversation.session import Session, TurnRecord, with_override
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.tree import with_finished_turn, with_turn
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.exceptions import ModelReferenceError, SessionBusyError, SessionExistsError, SessionNotFoundError
from sessionmagic.storage.claims import HeldError, Holder
from sessionmagic.storage.store import new_session_id
from sessionmagic.testing import script
from tests.turns import acted, acting, ask, asked, events_of, manager_on, on_a_loop, prompts, said, statuses, whole


@pytest.fixture(params=["tiny", "memory"])
def store(request, tmp_path):
    return TinyStore(tmp_path / "store") if request.param == "tiny" else MemoryStore()


@pytest.fixture
def manager(store):
    return manager_on(store)


def reopened(store):
    """The store as another process would find it."""
    return TinyStore(store.home) if isinstance(store, TinyStore) else store


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
            values=["df.head()", "len(x)"],
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

    def change(_now):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.update(key, change)
    assert store.load(key) == before
    store.update(key, lambda now: replace(now, title="still works"))
    assert store.load(key).title == "still works"


@pytest.mark.parametrize("field", ["id", "name"])
def test_update_changes_neither_id_nor_name(store, field):
    key, other = stored(store, "one"), new_session_id()
    before = store.load(key)
    with pytest.raises(ValueError, match="rename changes the name"):
        store.update(key, lambda now: replace(now, **{field: other}))
    assert (store.load(key), store.find("one"), store.find(other)) == (before, key, None)


NO_IDS = [
    "",
    "chat",
    "../outside",
    "../sessions/20260101-000000-0123abcd",
    "20260101-000000-0123abcd/../x",
    "20260101-000000-0123ABCD",
    "20260101-000000-0123abcd\n",
    "٢٠٢٦٠١٠١-٠٠٠٠٠٠-0123abcd",
    "*",
]


@pytest.mark.parametrize("text", NO_IDS)
def test_text_that_is_not_an_id_is_the_id_of_no_session(store, tmp_path, text):
    stored(store, "chat")
    (tmp_path / "outside.json").write_bytes(b"{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    calls = [
        lambda: store.load(text),
        lambda: store.update(text, lambda now: replace(now, title="late")),
        lambda: store.rename(text, "other"),
        lambda: store.delete(text),
        lambda: store.claim(text, Holder.here("cell")),
        lambda: store.create(replace(session("new"), id=text)),
    ]
    for call in calls:
        with pytest.raises(SessionNotFoundError, match="no session has the id"):
            call()
    assert not store.is_claimed(text)
    assert {path: path.read_bytes() for path in before} == before
    assert [summary.name for summary in store.summaries()[0]] == ["chat"]


def test_new_session_does_not_replace_one_with_its_id(store):
    key = stored(store, "one")
    with pytest.raises(SessionExistsError, match=f"a session with the id {key} already exists"):
        store.create(replace(session("two"), id=key))
    assert (store.load(key).name, store.find("two")) == ("one", None)


def test_what_was_loaded_does_not_change_with_the_store_nor_the_store_with_it(store):
    key = stored(store, agent_model_overrides={"assistant": "test"})
    loaded = store.load(key)
    loaded.agent_model_overrides["assistant"] = "scribbled"
    assert store.load(key).agent_model_overrides == {"assistant": "test"}
    before = store.load(key)
    store.update(key, lambda now: with_override(now, "assistant", "local"))
    assert before.agent_model_overrides == {"assistant": "test"}


def test_ended_turns_are_not_copied_whenever_a_session_is_loaded(store):
    messages = [{"kind": "request", "parts": []}]
    session_id = stored(store)
    store.update(session_id, lambda now: with_turn(now, turn(1, status="completed", messages=messages)))
    store.update(session_id, lambda now: with_turn(now, turn(2, status="running")))
    first, second = store.load(session_id), store.load(session_id)
    assert first.turns[0] is second.turns[0]
    assert first.turns[1] is not second.turns[1]


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
    with pytest.raises(SessionExistsError, match=r"^a session named 'one' already exists; choose another name$"):
        store.create(session("one"))
    with pytest.raises(SessionExistsError, match=r"^a session named 'one' already exists; choose another name$"):
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


def test_turns_that_a_change_removes_are_gone(store):
    key = stored(store)

    def three_turns(session):
        for number in (1, 2, 3):
            session = with_turn(session, replace(turn(number), parent=None))
        return session

    store.update(key, three_turns)
    store.update(key, lambda session: replace(session, turns=(session.turns[0], session.turns[2]), head="3"))
    assert [each.id for each in store.load(key).turns] == ["1", "3"]
    store.update(key, lambda session: replace(session, turns=session.turns[:1], head="1"))
    session = store.load(key)
    assert ([each.id for each in session.turns], session.turns_started) == (["1"], 3)


def test_summary_tells_of_the_path_and_of_all_usage(store):
    key = stored(store, "chat", title="Why?", starred=True)

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
    assert (summary.name, summary.title, summary.starred) == ("chat", "Why?", True)
    assert (summary.turns, summary.status, summary.agent) == (2, "completed", "assistant")
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


def test_running_turn_is_listed_as_interrupted_when_nobody_holds_the_claim(store, manager):
    key = stored(store)
    claim = store.claim(key, Holder.here("cell"))
    store.update(key, lambda now: with_turn(now, turn(1)))
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["running"]
    assert manager.sessions.load(key).turns[0].status == "running"
    claim.release()
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["interrupted"]
    assert manager.sessions.load(key).turns[0].status == "interrupted"


def test_prompt_of_a_turn_and_its_override_are_one_write(store, manager, monkeypatch):
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


@on_a_loop
async def test_turn_is_found_after_a_restart_as_it_was_shown(store, manager):
    image = Attachment(name="plot.png", content=b"\x89PNG", media_type="image/png")
    turn = await manager.run("Look", session="chat", cell=Cell(id="cell"), attachments=[image])
    result = await turn.result()
    restarted = manager_on(reopened(store))
    [record] = restarted.sessions.load("chat").turns
    assert (record.prompt, record.status, record.model, record.cell_id) == ("Look", "completed", "calm", "cell")
    assert (record.messages, record.usage) == (result.raw_messages, result.usage)
    assert transcript_of("chat", record).blocks == turn.transcript.blocks
    assert (await ask(restarted, "And now?")).status == "completed"


@on_a_loop
async def test_override_is_kept_for_every_later_turn_until_it_is_cleared(store, manager):
    await ask(manager, model="recalls")
    await ask(manager, model="test", once=True)
    restarted = manager_on(reopened(store))
    await ask(restarted)
    await ask(restarted, model="default")
    await ask(restarted)
    session = reopened(store).load(store.find("chat"))
    assert [turn.model for turn in session.turns] == ["recalls", "test", "recalls", "calm", "calm"]
    assert session.agent_model_overrides == {}


@on_a_loop
async def test_bad_reference_leaves_no_trace(store, manager):
    await ask(manager)
    before = store.load(store.find("chat"))
    for name in ("chat", "fresh"):
        with pytest.raises(ModelReferenceError):
            await ask(manager, "Orphan?", session=name, model="opnai:gpt")
    assert reopened(store).load(before.id) == before
    assert [summary.name for summary in reopened(store).summaries()[0]] == ["chat"]
    assert not store.is_claimed(before.id)


@on_a_loop
async def test_second_prompt_to_a_busy_session_is_refused_and_changes_nothing(store, manager):
    turn = await manager.run("First", session="chat", model="hang", where="cell In [3]")
    await said(turn)
    before = store.load(turn.session_id)
    for other in (manager, manager_on(reopened(store))):
        with pytest.raises(SessionBusyError, match=r"session 'chat' is busy: cell In \[3\] has held it since"):
            await other.run("Second", session="chat", model="calm")
        assert [summary.status for summary in other.sessions.summaries()[0]] == ["running"]
    assert store.load(turn.session_id) == before
    turn.cancel()
    await turn.result()
    assert (await ask(manager_on(reopened(store)), "Third", model="recalls")).text.splitlines() == [
        "user-prompt: First",
        "text: So far",
        "user-prompt: Third",
    ]


@on_a_loop
async def test_turns_form_a_tree_whose_path_is_sent(store, manager):
    await ask(manager, "One")
    await ask(manager, "Two", model="dumb", once=True)
    await ask(manager, "Three", model="breaks", once=True)
    restarted = manager_on(reopened(store))
    result = await ask(restarted, "Four", model="recalls")
    session = reopened(store).load(store.find("chat"))
    assert [(turn.id, turn.parent, turn.status) for turn in session.turns] == [
        ("1", None, "completed"),
        ("2", "1", "failed"),
        ("3", "1", "failed"),
        ("4", "3", "completed"),
    ]
    assert (session.head, [turn.id for turn in session.path()]) == ("4", ["1", "3", "4"])
    assert [line for line in result.text.splitlines() if "user-prompt" in line] == [
        "user-prompt: One",
        "user-prompt: Three",
        "user-prompt: Four",
    ]


@on_a_loop
async def test_changes_made_while_a_turn_runs_are_kept_at_its_end(store, manager):
    turn = await manager.run("Hello", session="chat", model="hang", once=True)
    await said(turn)
    other = manager_on(reopened(store))
    other.sessions.rename("chat", "renamed")
    other.sessions.star("renamed")
    other.sessions.set_model("renamed", "recalls")
    other.sessions.set_permissions("renamed", {"run_*": "deny"}, "strict")
    turn.cancel()
    await turn.result()
    session = manager.sessions.load("renamed")
    assert (session.starred, session.agent_model_overrides) == (True, {"assistant": "recalls"})
    assert (session.permissions, session.safety) == ({"deny": ["run_*"]}, "strict")
    assert statuses(session) == ["interrupted"]
    assert store.find("chat") is None


@on_a_loop
async def test_deleting_a_session_stops_its_turn_and_nothing_brings_it_back(store, manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    await said(turn)
    await manager.delete("chat")
    whole(await events_of(turn))
    assert reopened(store).summaries() == ([], [])
    assert reopened(store).find("chat") is store.find(turn.session_id) is None
    await ask(manager, "Anew", model="calm")
    assert prompts(reopened(store).load(store.find("chat"))) == ["Anew"]


@on_a_loop
async def test_listing_has_the_latest_first_and_tells_of_each_turns_end(store, manager):
    await ask(manager, session="failed", model="breaks")
    await ask(manager, "One", session="completed", model="recalls")
    turn = await manager.run("Hello", session="running", model="hang")
    await said(turn)
    listed = manager_on(reopened(store)).sessions.summaries()[0]
    assert [(each.name, each.title, each.turns, each.status, each.model) for each in listed] == [
        ("running", "Hello", 1, "running", "hang"),
        ("completed", "One", 1, "completed", "recalls"),
        ("failed", "Hello", 1, "failed", "breaks"),
    ]
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_grant_is_stored_before_the_tool_runs(store, manager):
    found = []

    def peek():
        session = reopened(store).load(store.find("chat"))
        found.append(session.permissions)

    turn, _ = await acting(manager, [("peek", {})], "Done", tools=[peek], attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "tool")
    await turn.result()
    assert found == [{"allow": ["peek"]}]


@on_a_loop
async def test_what_waits_for_a_running_turn_is_stored_until_it_is_delivered(store, manager):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> str:
        began.set()
        await go_on.wait()
        return "waited"

    turn, model = await acting(manager, [("wait", {})], "Done.", "Yes.", tools=[wait], yes=True)
    await began.wait()
    await manager.turns.steer("chat", "Be brief.")
    assert reopened(store).load(turn.session_id).turns[0].waiting == ["Be brief."]
    go_on.set()
    await turn.result()
    [record] = reopened(store).load(turn.session_id).turns
    assert record.waiting == []
    assert transcript_of("chat", record).blocks == turn.transcript.blocks
    assert "Be brief." in str(model.sent[-1])


@on_a_loop
async def test_what_comes_while_a_turn_is_being_written_is_stored_too(store, manager, monkeypatch):
    begun, told, written = threading.Event(), threading.Event(), threading.Event()
    update = store.update

    def slow_update(session, change):
        if not isinstance(change, partial) or begun.is_set():
            return update(session, change)
        begun.set()  # what the model has said is stored, in a thread
        assert told.wait(5)
        stored = update(session, change)
        written.set()
        return stored

    async def wait() -> str:
        await go_on.wait()
        return "waited"

    monkeypatch.setattr(store, "update", slow_update)
    go_on = asyncio.Event()
    turn, _ = await acting(manager, [("wait", {})], "Done.", "Yes.", tools=[wait], yes=True)
    assert await asyncio.to_thread(begun.wait, 5)
    await manager.turns.steer("chat", "Be brief.")
    told.set()
    assert await asyncio.to_thread(written.wait, 5)
    assert reopened(store).load(turn.session_id).turns[0].waiting == ["Be brief."]
    go_on.set()
    await turn.result()


@pytest.mark.parametrize("chunks", [["\ud83d", "\ude00"], ["half \ud83d"]], ids=["in two", "one half"])
@on_a_loop
async def test_half_a_surrogate_pair_in_an_answer_frees_the_session(store, manager, chunks):
    script("halves", chunks)
    turn = await manager.run("Hello", session="chat", model="halves")
    whole(await events_of(turn))
    await turn.result()
    assert not store.is_claimed(turn.session_id)
    assert (await ask(manager, model="calm")).status == "completed"


@on_a_loop
async def test_half_a_surrogate_pair_in_a_prompt_does_no_harm(manager):
    await ask(manager, "half \ud83d")
    assert (await ask(manager, "Next")).status == "completed"
    assert manager.turns.running() == []


@on_a_loop
async def test_result_of_a_tool_is_stored_as_the_model_reads_it(store, manager):
    def look() -> dict:
        return {"seen": ["🦊", 1.5, None]}

    _, _, model = await acted(manager, [("look", {})], "Done", tools=[look], yes=True)
    [record] = reopened(store).load(store.find("chat")).turns
    assert record.messages[2]["parts"][0]["content"] == model.sent[1][-1].parts[0].content == '{"seen":["🦊",1.5,null]}'
