"""Files that are damaged, or of a newer schema: refused with a clear line, never overwritten."""

from dataclasses import replace

import pytest

from sessionmagic import TinyStore
from sessionmagic.conversation.session import SCHEMA
from sessionmagic.exceptions import SessionNotFoundError, SessionSchemaError, SessionUnreadableError
from tests.store.test_store_contract import stored, turn
from tests.turns import ask, manager_on, on_a_loop


@pytest.fixture
def store(home):
    return TinyStore(home)


TODAYS = b'"schema":%d' % SCHEMA


def file_of(home, key):
    return home / "sessions" / f"{key}.json"


DAMAGE = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "not JSON": lambda _: b"\x00\xff\x00 not json",
    "another JSON": lambda _: b"[1, 2, 3]",
    "null": lambda _: b"null",
    "no session": lambda _: b'{"turns": {}}',
    "wrong types": lambda content: content.replace(b'"starred":false', b'"starred":{}'),
    "turns without numbers": lambda content: content.replace(b'"turns":{\n"1"', b'"turns":{\n"one"'),
    "turn of a wrong type": lambda content: content.replace(b'"status":"completed"', b'"status":"brilliant"'),
    "schema of a wrong type": lambda content: content.replace(TODAYS, b'"schema":"one"'),
    "head without a turn": lambda content: content.replace(b'"head":"2"', b'"head":"9"'),
    "turn without a parent": lambda content: content.replace(b'"parent":"1"', b'"parent":"9"'),
}


@pytest.fixture(params=DAMAGE)
def damaged(request, store, home):
    """The id of a session whose file is damaged, and what the file holds."""
    stored(store, "healthy")
    turns = tuple(turn(number, status="completed") for number in (1, 2))
    key = stored(store, "damaged", starred=False, turns=turns, head="2", turns_started=2)
    good = file_of(home, key).read_bytes()
    content = DAMAGE[request.param](good)
    assert content != good
    file_of(home, key).write_bytes(content)
    return key, content


def kept(home, key, content):
    """Whether the file's content is still there, under its own or another name."""
    return content in [path.read_bytes() for path in (home / "sessions").glob(f"{key}.json*")]


def test_damaged_file_is_refused_with_its_name_and_kept(store, home, damaged):
    key, content = damaged
    with pytest.raises(SessionUnreadableError, match=f"{key}.*cannot be read") as caught:
        store.load(key)
    assert "\n" not in str(caught.value)
    assert kept(home, key, content)


def test_damaged_file_is_never_overwritten(store, home, damaged):
    key, content = damaged
    with pytest.raises((SessionUnreadableError, SessionNotFoundError)):
        store.update(key, lambda now: replace(now, title="late"))
    assert kept(home, key, content)


def test_listing_says_that_a_file_is_damaged_and_lists_the_others(home, damaged):
    key, content = damaged
    summaries, problems = TinyStore(home).summaries()
    assert [summary.name for summary in summaries] == ["healthy"]
    assert [key in problem for problem in problems] == [True]
    assert kept(home, key, content)


def test_other_sessions_work_beside_a_damaged_file(home, damaged):
    key, content = damaged
    store = TinyStore(home)
    store.update(store.find("healthy"), lambda now: replace(now, title="well"))
    stored(store, "another", title="new")
    listed = {summary.name: summary.title for summary in TinyStore(home).summaries()[0]}
    assert listed == {"healthy": "well", "another": "new"}
    assert kept(home, key, content)


def test_listing_says_that_a_file_is_damaged_also_when_a_turn_saw_it_first(store, home):
    key = stored(store, "damaged")
    file_of(home, key).write_bytes(b"")
    with pytest.raises(SessionUnreadableError):
        TinyStore(home).load(key)
    _, problems = TinyStore(home).summaries()
    assert [key in problem for problem in problems] == [True]


@on_a_loop
async def test_asking_a_session_whose_file_is_damaged_says_so(home):
    manager = manager_on(home)
    await ask(manager, session="chat")
    key = manager.sessions.load("chat").id
    file_of(home, key).write_bytes(b"")
    with pytest.raises(SessionUnreadableError, match="empty"):
        await ask(manager_on(home), session="chat")


@pytest.mark.parametrize(
    ("schema", "version", "advice"),
    [
        (1, "a version before the first release", "use another session name or delete the file"),
        (99, "a newer version", "run pip install --upgrade sessionmagic"),
    ],
)
def test_file_of_another_schema_is_refused_untouched(store, home, schema, version, advice):
    key, healthy = stored(store, "other"), stored(store, "healthy")
    path = file_of(home, key)
    content = path.read_bytes().replace(TODAYS, b'"schema":%d,"new_field":{}' % schema)
    path.write_bytes(content)
    fresh = TinyStore(home)
    with pytest.raises(
        SessionSchemaError, match=f"{version} of .* schema is {schema}, this version reads 2 to {SCHEMA}.; {advice}$"
    ):
        fresh.load(key)
    with pytest.raises(SessionSchemaError):
        fresh.update(key, lambda now: replace(now, title="late"))
    summaries, problems = fresh.summaries()
    assert [summary.id for summary in summaries] == [healthy]
    assert [f"written by {version}" in problem for problem in problems] == [True]
    assert path.read_bytes() == content


@on_a_loop
async def test_asking_a_session_of_a_newer_schema_says_so(home):
    await ask(manager_on(home), session="chat")
    [path] = (home / "sessions").glob("*.json")
    path.write_bytes(path.read_bytes().replace(TODAYS, b'"schema":99'))
    with pytest.raises(SessionSchemaError):
        await ask(manager_on(home), session="chat")
    assert len(list((home / "sessions").glob("*.json"))) == 1
