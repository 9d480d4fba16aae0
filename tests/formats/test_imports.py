"""A file that was changed anywhere is imported and can then be used, or is refused in one line."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic import MemoryStore, SessionMagicError, export_session, import_session
from sessionmagic.conversation.session import summarize
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.notebook.exports.files import FORMATS
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.sessions.usage import BY, usage_by
from tests.stored import session, turn

HOSTILE = [
    *(None, True, -1, 0, 1e308, 10**18, "", "x", "1", "9" * 50, [], {}, [None], {"a": None}, [[["x"]]]),
    *("<script>alert(1)</script>", "\0\x1b[31m\u202e", "running", "failed", "tool-return", "response", "http://x/y"),
    *({"kind": "binary", "data": "!", "media_type": "image/png"}, {"kind": "image-url", "url": "http://x"}),
]
CALL = {"part_kind": "tool-call", "tool_name": "run", "args": {"code": "1"}, "tool_call_id": "c"}
RESULT = {
    "part_kind": "tool-return",
    "tool_name": "run",
    "content": "2",
    "tool_call_id": "c",
    "metadata": {"seconds": 1},
}
PROMPT = {
    "part_kind": "user-prompt",
    "content": ["Hi", {"kind": "binary", "data": "iVBORw==", "media_type": "image/png"}],
}
MESSAGES = [
    {"kind": "request", "parts": [PROMPT]},
    {"kind": "response", "parts": [{"part_kind": "thinking", "content": "hm"}, CALL]},
    {"kind": "request", "parts": [RESULT]},
    {"kind": "response", "parts": [{"part_kind": "text", "content": "Done"}]},
]


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A session in each format that can be imported and that we write."""
    stored = session(
        turn(1, messages=MESSAGES, settings={"seed": 1}),
        turn(2),
        turn(3, parent=None, caller="1:c"),
        head="2",
        permissions={"allow": ["run"]},
    )
    path = tmp_path_factory.mktemp("documents") / "x"
    found = []
    for name in ("json", "atif"):
        export_session(stored, path, name, force=True)
        found.append(json.loads(path.read_text()))
    return found


def places_in(value, at=()):
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places_in(each, (*at, key))


def changed(document, place, value):
    document = copy.deepcopy(document)
    at = document
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return document


def tried(store, path):
    try:
        return import_session(store, path), ""
    except SessionMagicError as error:
        return None, str(error)


@given(data=st.data())
def test_changed_file_is_imported_whole_or_refused_in_one_line(documents, tmp_path_factory, data):
    document = data.draw(st.sampled_from(documents))
    place = data.draw(st.sampled_from([place for place in places_in(document) if place]))
    directory = tmp_path_factory.getbasetemp()
    (directory / "changed").write_text(json.dumps(changed(document, place, data.draw(st.sampled_from(HOSTILE)))))
    store = MemoryStore()
    imported, problem = tried(store, directory / "changed")
    if imported is None:
        assert "\n" not in problem
        assert store.summaries() == ([], [])
        return
    assert summarize(imported).id == imported.id
    for by in BY:
        usage_by([imported], by)
    assert all(answer_html(transcript_of("", each)) for each in imported.turns)
    for name in FORMATS:
        export_session(imported, directory / "exported", name, force=True)
