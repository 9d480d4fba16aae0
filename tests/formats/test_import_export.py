"""Sessions as files: what an export holds and says, and what an import takes and refuses."""

import errno
import json
import math
import os
from dataclasses import replace

import pytest

from sessionmagic import (
    MemoryStore,
    SessionExistsError,
    SessionSchemaError,
    TinyStore,
    UsageError,
    export_session,
    import_session,
)
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.notebook.exports.files import FORMATS
from sessionmagic.sessions import importing
from sessionmagic.storage.store import new_session_id
from sessionmagic.testing import script
from tests.stored import OWN_SETTINGS, RULES, comparable, document, eventful, exported, refused, said, session, turn
from tests.turns import ask, manager_on, on_a_loop


@on_a_loop
async def test_json_comes_back_elsewhere_as_it_was(manager, tmp_path):
    before = await eventful(manager)
    losses, _ = exported(before, tmp_path / "chat.json")
    assert losses == []
    for store in (MemoryStore(), TinyStore(tmp_path / "store")):
        after = import_session(store, tmp_path / "chat.json")
        assert comparable(store.load(after.id)) == comparable(before)
    assert all(turn.origin == "import" for turn in after.turns)
    assert after.turns[1].usage == before.turns[1].usage


@on_a_loop
async def test_imported_session_goes_on(manager, tmp_path):
    before = await eventful(manager)
    export_session(before, tmp_path / "chat.json")
    other = manager_on(MemoryStore())
    import_session(other.store, tmp_path / "chat.json", "mine")
    assert str(await ask(other, "Go on", session="mine", model="calm")) == "It is fine."
    last = other.sessions.load("mine").turns[-1]
    assert (last.id, last.parent, last.origin == "import") == ("5", "4", False)


@on_a_loop
async def test_powers_of_an_imported_session_wait_for_confirmation(manager, tmp_path):
    before = await eventful(manager)
    assert manager.sessions.trusted(before)[1] == []
    export_session(before, tmp_path / "chat.json")
    assert before.stamp not in (tmp_path / "chat.json").read_text()
    await manager.delete("chat")
    after = import_session(manager.store, tmp_path / "chat.json")  # even on the machine that has made the stamp
    assert after.id == before.id
    permissions, missing = manager.sessions.trusted(after)
    assert missing == ["safety autonomous", "allow run"]
    assert permissions.rules["deny"] == ["send"]
    manager.sessions.confirm_permissions(after.name)
    assert manager.sessions.trusted(manager.sessions.load("chat"))[1] == []


def test_imported_session_gets_a_free_id_and_name(tmp_path):
    store, before = MemoryStore(), session(turn(1))
    store.create(before)
    export_session(before, tmp_path / "chat.json")
    after = import_session(store, tmp_path / "chat.json")
    assert after.id != before.id
    assert after.name == "chat-2"
    assert import_session(store, tmp_path / "chat.json", "other").name == "other"
    with pytest.raises(SessionExistsError, match="already exists"):
        import_session(store, tmp_path / "chat.json", "other")
    with pytest.raises(UsageError, match="not a valid session name"):
        import_session(store, tmp_path / "chat.json", "a\nb")


def test_session_of_an_older_schema_is_imported(tmp_path):
    old = document(turn(1))
    old["session"] |= {"schema": 4}
    del old["session"]["notebook"], old["turns"][0]["notebook"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert import_session(MemoryStore(), tmp_path / "old.json").turn("1").notebook == ""


@pytest.mark.parametrize("schema", [99, 1])
def test_session_of_another_schema_is_refused(tmp_path, schema):
    other = document(turn(1))
    other["session"]["schema"] = schema
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(SessionSchemaError, match=rf"its schema is {schema}, this version reads 2 to"):
        import_session(MemoryStore(), tmp_path / "other.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"format": "sessionmagic"}', "it lacks its session, its turns or its schema"),
        (b'{"format": "sessionmagic", "session": {"schema": 5}, "turns": []}', "not a session: id: Field required"),
        (b'{"format": "sessionmagic", "session": {"schema": 5}, "turns": ["x"]}', "not a session"),
        (b"[1, 2]", "it is not in a format that can be imported"),
        (b'{"messages": "no"}', "it is not in a format that can be imported"),
    ],
)
def test_broken_and_foreign_files_are_refused(tmp_path, content, reason):
    assert refused(MemoryStore(), tmp_path / "x.json", content).startswith(reason)


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([{"id": "../../x"}], "'../../x' is not the id of a turn"),
        ([{"id": "9" * 5000}], "is not the id of a turn"),
        ([{"id": "1"}, {"id": "1"}], "two of its turns have the same id"),
        ([{"parent": "7"}], "turn 7 is missing"),
        ([{"parent": "2"}, {"parent": "1"}], "the parents of turn 1 form a circle"),
        ([{"parent": "1"}], "the parents of turn 1 form a circle"),
        ([{"caller": "1:c"}], "the sub-agents of turn 1 form a circle"),
        ([{"caller": "2:c", "parent": None}, {"parent": "1"}], "the sub-agents of turn 1 form a circle"),
        ([{"caller": "5:c"}], "a sub-agent works for a turn that is missing"),
        ([{"started_at": 1e300}], "a time of 1e+300 is not possible"),
        ([{"started_at": math.inf}], "it is not JSON"),
        ([{"status": "failed", "messages": []}], "turn 1, which the next one would continue, has no answer"),
        ([{"messages": [{"kind": "response"}]}], "turn 1 cannot be read"),
        ([{"messages": [1]}], "not a session: turns.0.messages.0"),
        ([{"settings": {"temperature": "hot"}}], "temperature='hot' is not valid"),
        ([{"settings": {"base_url": "http://evil"}}], "'base_url' is not a"),
        ([{"requests": [{"agent": "a", "model": "m", "usage": {"input_tokens": -1}}]}], "input_tokens of -1"),
        ([{"requests": [{"agent": "a", "model": "m", "usage": {"cost": 1e30}}]}], "a cost of 1e+30"),
        ([{"requests": [{"agent": "a", "model": "m", "usage": {"output_tokens": 10**60}}]}], ""),
        ([{"messages": [{"kind": "response", "parts": [], "usage": {"input_tokens": "9" * 50}}]}], "is too large"),
    ],
)
def test_hostile_turns_are_refused(tmp_path, turns, reason):
    content = document(*(turn(number) for number in range(1, len(turns) + 1)))
    content["turns"] = [stored | changed for stored, changed in zip(content["turns"], turns, strict=True)]
    assert reason in refused(MemoryStore(), tmp_path / "x.json", content)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"head": "4"}, "turn 4 is missing"),
        ({"safety": "yes"}, "'yes' is not a safety mode"),
        ({"permissions": {"grant": ["x"]}}, "'grant' is not the verdict of a rule"),
        ({"permissions": {"allow": [":x=1"]}}, "the rule ':x=1' does not name a tool"),
        ({"turns_started": 10**12}, "a number of turns of 1e+12 is not possible"),
        ({"budget": -5}, "a budget of -5 would allow no model request"),
        ({"settings": {"nonsense": 1}}, "'nonsense' is not a"),
        ({"budget": -1}, "a budget of -1 would allow no model request"),
    ],
)
def test_hostile_sessions_are_refused(tmp_path, fields, reason):
    content = document(turn(1))
    content["session"] |= fields
    assert reason in refused(MemoryStore(), tmp_path / "x.json", content)


def test_ten_levels_of_sub_agents_are_refused(tmp_path):
    turns = [turn(1), *(turn(number, parent=None, caller=f"{number - 1}:c") for number in range(2, 12))]
    content = document(*turns, head="1")
    assert "more than 8 levels of sub-agents" in refused(MemoryStore(), tmp_path / "x.json", content)


def test_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "SIZE_LIMIT", 10)
    assert refused(MemoryStore(), tmp_path / "x.json", b"x" * 11) == "it has 11 bytes; at most 10 can be imported"


def test_name_and_id_that_are_taken_meanwhile_are_replaced(tmp_path):
    class Raced(MemoryStore):
        def find(self, _name):
            return None

    store, before = Raced(), session(turn(1))
    store.create(before)
    store.create(replace(before, id=new_session_id(), name="chat-2"))
    export_session(before, tmp_path / "x.json")
    with pytest.raises(SessionExistsError):
        store.create(before)
    assert import_session(store, tmp_path / "x.json").name == "chat-3"


def test_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot import .*: No such file"):
        import_session(MemoryStore(), tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"cannot import .*: it is not a regular file"):
        import_session(MemoryStore(), tmp_path)


def test_places_of_the_other_machine_are_not_taken_over(tmp_path):
    before = session(
        turn(1), working_dir="/home/other", notebook="/home/other/a.ipynb", title="<script>\x1b[31m\n" * 50
    )
    export_session(before, tmp_path / "x.json")
    after = import_session(MemoryStore(), tmp_path / "x.json")
    assert (after.working_dir, after.notebook) == ("", "")
    assert len(after.title) == 200
    assert after.title.isprintable()


def test_name_in_the_file_that_is_not_valid_is_mended(tmp_path):
    content = document(turn(1))
    content["session"]["name"] = "a\nb\x00" + "x" * 500
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert import_session(MemoryStore(), tmp_path / "x.json").name.startswith("a b x")


@pytest.mark.parametrize("name", FORMATS)
def test_keys_are_in_no_export(tmp_path, monkeypatch, name):
    secret = "hunter2" * 3
    monkeypatch.setenv("MY_API_KEY", secret)
    before = session(
        turn(1, prompt=f"use {secret}", messages=said(f"use {secret}", f"password: {secret}"), system=f"key {secret}"),
        title=f"about {secret}",
        system=f"know {secret}",
    )
    _, text = exported(before, tmp_path / "x", format=name)
    assert secret not in text
    assert "key left out" in text.replace("\\", "")


def test_export_never_replaces_a_file_without_force(tmp_path):
    path = tmp_path / "chat.md"
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"chat\.md exists; --force replaces it"):
        export_session(session(turn(1)), path)
    assert path.read_text() == "mine"
    export_session(session(turn(1)), path, force=True)
    assert "answer 1" in path.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["chat.md"]


def test_export_never_replaces_what_is_not_a_file(tmp_path):
    directory, pipe = tmp_path / "dir.md", tmp_path / "pipe.md"
    directory.mkdir()
    os.mkfifo(pipe)
    for path in (directory, pipe):
        for force in (False, True):
            with pytest.raises(UsageError, match="it is not a regular file; name another one"):
                export_session(session(turn(1)), path, force=force)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dir.md", "pipe.md"]


def test_export_never_replaces_a_file_where_there_are_no_links(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    export_session(session(turn(1)), tmp_path / "x.md")
    with pytest.raises(UsageError, match=r"x\.md exists"):
        export_session(session(turn(1)), tmp_path / "x.md")
    assert [each.name for each in tmp_path.iterdir()] == ["x.md"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "edited", [{"messages": [{"kind": "response", "parts": [{"part_kind": "tool-call"}]}]}, {"caller": "1:c"}]
)
def test_session_that_somebody_has_damaged_is_not_exported(tmp_path, name, edited):
    with pytest.raises(UsageError, match=r"session 'chat' cannot be exported: .*turn 1"):
        export_session(session(turn(1, **edited)), tmp_path / "x", name)
    assert list(tmp_path.iterdir()) == []


def test_running_turn_is_exported_as_an_interrupted_one(tmp_path):
    _, text = exported(session(turn(1, status="running", finished_at=None, waiting=["psst"])), tmp_path / "x.md")
    assert "*interrupted: it was running when the session was exported*" in text


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("x.doc", {}, "the suffix '.doc' has no format; give a file such as x.html, or name"),
        ("x", {}, "'x' has no suffix; give a file such as x.html, or name a format with --format: json"),
        ("x.md", {"format": "markdwn"}, "'markdwn' is not a format; did you mean 'markdown'?"),
        ("none/x.md", {}, "cannot write .*: there is no directory .*none; make it first"),
        ("x\0.md", {}, "is not a path"),
    ],
)
def test_export_that_cannot_be_written_is_refused(tmp_path, name, options, problem):
    with pytest.raises(UsageError, match=problem):
        export_session(session(turn(1)), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@on_a_loop
async def test_markdown_has_the_path_and_says_what_it_lacks(manager, tmp_path):
    losses, text = exported(await eventful(manager), tmp_path / "chat.md")
    assert losses == [
        "1 turn on other branches",
        "1 image",
        "1 turn with instructions",
        "1 turn with settings",
        OWN_SETTINGS,
        RULES,
        "3 turns with tokens, cost and times",
    ]
    assert "```\nWhat is\nthis?\n```" in text
    assert "Let me see." in text
    assert "```python\nx = 1\n```\n\n```\nx < 1\n```" in text
    assert "**done** in `x`" in text
    assert "table:\n\na,b" in text
    assert "[image/png, 68 bytes]" in text
    assert "*failed: " in text
    assert "Another one" not in text


def test_losses_are_only_what_the_session_has(tmp_path):
    plain = session(turn(1))
    for number, name in enumerate(FORMATS):
        assert export_session(plain, tmp_path / str(number), name) == []


@pytest.mark.parametrize(
    "answer",
    [
        "<script>alert(1)</script>",
        "\\`<img src=x onerror=alert(1)>`",
        "`a\nb` <script>alert(1)</script> `c`",
        "- a\n  ```\nb <script>alert(1)</script>",
        "```a`b\n<script>alert(1)</script>",
        "![x](https://example.org/spy.png)",
        "[![x][y]](https://example.org)\n\n[y]: https://example.org/spy.png",
    ],
)
def test_no_html_or_image_of_an_answer_is_active_in_markdown(tmp_path, answer):
    from markdown_it import MarkdownIt

    _, text = exported(session(turn(1, messages=said("Hi", answer)), title="<b>&"), tmp_path / "x.md")
    tokens = MarkdownIt("commonmark").parse(text)
    kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
    assert not kinds & {"html_block", "html_inline", "image"}
    assert (
        "<script>" in MarkdownIt("commonmark").render(text).replace("&lt;", "<").replace("&gt;", ">")
        or "spy" in text
        or "img" in text
    )


def test_code_in_markdown_stays_as_it_is(tmp_path):
    answer = "Use `List<int>`:\n\n```html\n<b>bold</b>\n```\n\nand ```` ``` ````."
    _, text = exported(session(turn(1, messages=said("Hi", answer)), turn(2)), tmp_path / "x.md")
    assert answer in text


def test_very_long_answer_in_markdown_is_code(tmp_path):
    _, text = exported(session(turn(1, messages=said("Hi", "<b> " * 60_000))), tmp_path / "x.md")
    assert "```\n<b> <b> " in text


def test_warnings_and_messages_during_a_turn_are_in_markdown(tmp_path):
    steering = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Faster!"}]}
    call = {"part_kind": "tool-call", "tool_name": "look", "args": {"at": "x"}, "tool_call_id": "c"}
    messages = [*said("Hi", "So"), steering, {"kind": "response", "parts": [call]}]
    stored = turn(1, messages=messages, status="interrupted", warnings=["<b>careful</b>"])
    _, text = exported(session(stored), tmp_path / "x.md")
    assert "```\nFaster!\n```" in text
    assert 'Call of **look** (interrupted)\n\n```json\n{\n  "at": "x"\n}\n```' in text
    assert "*interrupted*\n\n⚠ \\<b\\>careful" in text


def test_open_code_block_does_not_take_in_the_next_turn(tmp_path):
    _, text = exported(session(turn(1, messages=said("Hi", "~~~~py\nx = 1")), turn(2)), tmp_path / "x.md")
    assert "~~~~py\nx = 1\n~~~~\n\n## Turn 2" in text


@on_a_loop
async def test_html_is_one_page_that_loads_nothing(manager, tmp_path):
    losses, text = exported(await eventful(manager), tmp_path / "chat.html")
    assert losses == ["1 turn on other branches", OWN_SETTINGS, RULES]
    assert "default-src 'none'" in text
    assert 'src="data:image/png;base64,' in text
    assert "<strong>done</strong>" in text
    assert text.count("src=") == 1
    assert "chat · 3 turns · 20" in text
    assert ">chat · turn " in text[text.index("<img") :].split("</section>")[0]
    assert "new session" not in text
    assert "<link" not in text


def test_script_in_titles_prompts_and_answers_is_text_in_html(tmp_path):
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    stored = turn(1, prompt=script, messages=said(script, script), system=script, warnings=[script], error=script)
    _, text = exported(session(stored, title=script), tmp_path / "x.html")
    assert "<script" not in text
    assert "<img" not in text


def test_image_that_is_none_is_only_named_in_html(tmp_path):
    import base64

    data = base64.b64encode(b"<svg onload=alert(1)>").decode()
    file = {"kind": "binary", "data": data, "media_type": 'image/png"onerror="alert(1)'}
    messages = said("Hi", "x")
    messages[0]["parts"][0]["content"] = ["Hi", file, {"kind": "image-url", "url": "https://example.org/x.png"}]
    _, text = exported(session(turn(1, messages=messages)), tmp_path / "x.html")
    assert "<img" not in text
    assert "example.org" not in text


@pytest.mark.parametrize("format", FORMATS)
@on_a_loop
async def test_format_without_values_says_that_structured_answers_are_text(manager, tmp_path, format):  # noqa: A002
    script("gives", '{"value": [1, 2]}')
    await ask(manager, "Which?", model="gives", output_type=list[int])
    losses = export_session(manager.sessions.load("chat"), tmp_path / "chat", format)
    said = "1 structured answer other than as text" in losses
    assert said is (format in {"atif", "otel", "openai"})


@on_a_loop
async def test_notebook_has_structured_answers_and_says_that_their_types_are_missing(manager, tmp_path):
    script("gives", '{"value": [1, 2]}')
    await ask(manager, "Which?", model="gives", output_type=list[int])
    losses, text = exported(manager.sessions.load("chat"), tmp_path / "chat.ipynb")
    assert losses == ["the type of 1 structured answer, which its session does not have"]
    answer = json.loads(text)["cells"][-1]["outputs"][0]
    assert "".join(answer["data"]["text/plain"]).split() == ["value", "1", "2"]


@on_a_loop
async def test_notebook_asks_again_and_has_the_answers(manager, tmp_path):
    from sessionmagic import Cell

    await ask(manager, "First", session="it's {x}", model="calm", cell=Cell(id="abc-1"))
    await ask(
        manager, "costs $`5`\n", session="it's {x}", cell=Cell(id="vscode-notebook-cell:/x#W0"), settings={"seed": 7}
    )
    await ask(manager, "Last", session="it's {x}", cell=Cell(id="abc-1"), rerun="append", system="Be\nbrief")
    losses, text = exported(manager.sessions.load("it's {x}"), tmp_path / "chat.ipynb")
    assert losses == ["the instructions of 1 turn, which do not fit on the line of a cell"]
    cells = json.loads(text)["cells"]
    assert [cell["id"] for cell in cells] == ["title", "load-sessionmagic", "abc-1", "turn-2", "turn-3"]
    sources = ["".join(cell["source"]) for cell in cells[2:]]
    assert sources == [
        '%%agent --session "it-s -x-" --model calm\nFirst',
        '%%agent --session "it-s -x-" --set seed=7 --raw\ncosts $`5`\n',
        '%%agent --session "it-s -x-"\nLast',
    ]
    output = cells[2]["outputs"][0]
    assert output["data"]["text/plain"] == ["It is fine."]
    assert output["metadata"]["sessionmagic"]["turn"] == "1"


def test_summary_is_made_again_by_an_exported_notebook(tmp_path):
    compaction = {"kind": "compaction", "covers": "1"}
    turns = [
        turn(1),
        turn(2, parent="1", prompt="Summarize the conversation so far.", **compaction),
        turn(3, parent="2", prompt="keep all\nnumbers", **compaction),
    ]
    _, text = exported(session(*turns), tmp_path / "x.ipynb")
    sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"][3:]]
    assert sources == ["%agent compact --session chat", "%agent compact --session chat keep all numbers"]


def summarized():
    """A session whose third turn is a summary."""
    made = turn(3, kind="compaction", covers="1", prompt="keep numbers", messages=said("Summarize.", "In short."))
    return session(turn(1), turn(2), made, turn(4))


def test_summary_comes_back_from_json(tmp_path):
    before = summarized()
    assert exported(before, tmp_path / "x.json")[0] == []
    after = import_session(MemoryStore(), tmp_path / "x.json")
    assert comparable(after) == comparable(before)
    content = document(*before.turns[:2], replace(before.turns[2], covers="9"))
    (tmp_path / "y.json").write_text(json.dumps(content))
    assert import_session(MemoryStore(), tmp_path / "y.json").turns[2].covers is None


@pytest.mark.parametrize("name", ["atif", "openai"])
def test_summary_is_not_a_prompt_of_the_user(tmp_path, name):
    losses, text = exported(summarized(), tmp_path / "x", format=name)
    assert losses[0] == "1 turn with a summary"
    assert "In short." not in text
    assert all(f"prompt {number}" in text for number in (1, 2, 4))


def test_summary_is_one_in_markdown_html_and_a_notebook(tmp_path):
    losses, text = exported(summarized(), tmp_path / "x.md")
    assert losses == []
    assert "## Turn 3\n\n*Summary of the turns up to 1*\n\n```\nkeep numbers\n```" in text
    _, text = exported(summarized(), tmp_path / "x.html")
    assert "this summary is sent in place of the turns up to turn 1" in text
    _, text = exported(summarized(), tmp_path / "x.ipynb")
    sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"][2:]]
    assert sources == [
        "%%agent --session chat --model calm\nprompt 1",
        "%%agent --session chat\nprompt 2",
        "%agent compact --session chat keep numbers",
        "%%agent --session chat\nprompt 4",
    ]


def test_usage_of_imported_turns_is_marked(tmp_path):
    used = RequestRecord(agent="assistant", model="gpt", usage=Usage(input_tokens=5, output_tokens=1, cost=0.5))
    export_session(session(turn(1, requests=[used])), tmp_path / "x.json")
    after = import_session(MemoryStore(), tmp_path / "x.json")
    assert after.turns[0].usage.cost == 0.5
    assert after.turns[0].origin == "import"
