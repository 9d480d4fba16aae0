"""Files in the store whose content belongs elsewhere: they are reported and left alone."""

from dataclasses import replace

import pytest

from sessionmagic import TinyStore
from sessionmagic.exceptions import SessionMagicError, StoreError
from sessionmagic.storage.claims import Holder
from tests.store.test_store_contract import session, stored
from tests.turns import ask, manager_on, on_a_loop, prompts

COPY = "20270101-000000-0123abcd"


@pytest.fixture
def store(home):
    return TinyStore(home)


def file_of(home, key):
    return home / "sessions" / f"{key}.json"


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*.json") if path.name not in MAPS}


MAPS = {"index.json", "names.json"}


@on_a_loop
async def test_turn_on_a_copy_does_not_touch_the_original(home):
    manager = manager_on(home)
    await ask(manager, "One")
    key = manager.sessions.load("chat").id
    file_of(home, COPY).write_bytes(file_of(home, key).read_bytes())
    before = contents(home)
    with pytest.raises(StoreError, match=f"{COPY}.json is a copy of the session {key} and is not used"):
        await ask(manager, "Two", session=COPY)
    assert contents(home) == before
    await ask(manager, "Three")
    assert prompts(manager.sessions.load("chat")) == ["One", "Three"]


@pytest.mark.parametrize("inner", ["the original", "../outside", "../../outside", "C:\\outside", "", "nothing"])
def test_id_inside_a_file_decides_nothing(store, home, tmp_path, inner):
    key = stored(store, "chat", title="original")
    stated = {"the original": key, "nothing": "20260101-000000-0123abcd"}.get(inner, inner)
    content = file_of(home, key).read_bytes().replace(key.encode(), stated.replace("\\", "\\\\").encode())
    file_of(home, COPY).write_bytes(content)
    (tmp_path / "outside.json").write_bytes(content)
    (home / "outside.json").write_bytes(content)
    before = contents(tmp_path)
    for _ in range(2):
        assert store.find("chat") == key
        for call in (
            lambda: store.load(COPY),
            lambda: store.update(COPY, lambda now: replace(now, title="new")),
            lambda: store.rename(COPY, "other"),
            lambda: store.delete(COPY),
            lambda: store.create(replace(session("other"), id=COPY)),
        ):
            with pytest.raises(SessionMagicError):
                call()
        store.claim(COPY, Holder.here("cell")).release()
        summaries, [problem] = store.summaries()
        assert [summary.id for summary in summaries] == [key]
        assert f"{COPY}.json" in problem
        assert "is not used" in problem
        assert contents(tmp_path) == before
        (home / "names.json").unlink()
    store.delete(key)
    assert store.find("chat") is None
    assert contents(tmp_path) == {path: content for path, content in before.items() if path != file_of(home, key)}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"session": {"1": {"id": 1}}}'])
@pytest.mark.parametrize("name", ["notes", "20260101-000000-0123abcd (1)", "index"])
def test_file_that_has_not_the_name_of_a_session_is_reported_and_left_alone(store, home, name, content):
    key = stored(store)
    file_of(home, name).write_bytes(content)
    summaries, [problem] = store.summaries()
    assert [summary.id for summary in summaries] == [key]
    assert problem == (
        f"{file_of(home, name)} is not the file of a session and is not used; delete it if you do not need it"
    )
    assert file_of(home, name).read_bytes() == content


def test_damaged_copy_is_left_alone(store, home):
    key = stored(store)
    content = file_of(home, key).read_bytes().replace(b'"starred":false', b'"starred":{}')
    file_of(home, COPY).write_bytes(content)
    _, [problem] = store.summaries()
    assert "is a copy of the session" in problem
    assert file_of(home, COPY).read_bytes() == content


def test_index_whose_ids_are_wrong_is_not_believed(store, home):
    key = stored(store)
    store.summaries()
    index = home / "index.json"
    index.write_bytes(index.read_bytes().replace(b'"id":"' + key.encode(), b'"id":"../../outside'))
    assert [summary.id for summary in TinyStore(home).summaries()[0]] == [key]


def test_names_whose_ids_are_wrong_are_not_believed(store, home):
    key = stored(store)
    file_of(home, "mine").write_bytes(file_of(home, key).read_bytes().replace(key.encode(), b"mine"))
    (home / "outside.json").write_bytes(file_of(home, "mine").read_bytes())
    (home / "names.json").write_text('{"mine": "chat", "../outside": "chat"}')
    assert TinyStore(home).find("chat") == key


@pytest.mark.parametrize("name", [COPY, "mine"])
def test_directory_that_is_named_like_a_session_file_is_named_with_what_to_do(store, home, name):
    key = stored(store, "chat")
    path = file_of(home, name)
    path.mkdir()
    advice = f"{path} is a directory where a file belongs; move it elsewhere, or delete it if you do not need it"
    assert store.summaries()[1] == [advice]
    assert (store.find("chat"), store.find("nobody")) == (key, None)
    stored(store, "new")
    if name == COPY:
        for call in (store.load, store.delete, lambda key: store.rename(key, "other")):
            with pytest.raises(StoreError) as caught:
                call(COPY)
            assert str(caught.value) == advice
    assert path.is_dir()


@on_a_loop
async def test_turn_on_a_directory_says_what_to_do_and_stores_nothing(home):
    manager = manager_on(home)
    await ask(manager, "One")
    path = file_of(home, COPY)
    path.mkdir()
    before = sorted(home.rglob("*.json"))
    with pytest.raises(StoreError, match="is a directory where a file belongs; move it elsewhere"):
        await ask(manager, "Two", session=COPY)
    assert sorted(home.rglob("*.json")) == before


def test_directory_in_the_place_of_a_known_session_file_says_what_to_do(store, home):
    key = stored(store, "chat")
    path = file_of(home, key)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="is a directory where a file belongs; move it elsewhere"):
        store.find("chat")
