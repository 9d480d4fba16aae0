"""Recording files: what is in them, and files that somebody else has made."""

import json
import re
from pathlib import Path

import pytest

from sessionmagic import MemoryStore, ModelReferenceError, ReplayError, TinyStore, home
from sessionmagic.home import without_machine
from sessionmagic.sessions.formats import recording
from sessionmagic.sessions.formats.recording import read_recording, to_recording
from sessionmagic.testing import call, script
from tests.turns import ask, manager_on, on_a_loop

KEY = "sk-proj-" + "a1B2" * 12


def where() -> str:
    """Tell the folder."""
    return "/home/jane/data"


@pytest.fixture
def manager(tmp_path):
    return manager_on(TinyStore(tmp_path / "home"))


@pytest.fixture
def file(tmp_path, manager):
    """Return the file of a recorded session with a call and two turns."""
    script("looks", [call("where", {})], f"It is in /home/jane/data, and the key is {KEY}")
    manager.run_sync("Where?", session="chat", model="looks", tools=[where], yes=True)
    manager.run_sync("Thanks", session="chat", model="calm")
    path = tmp_path / "lesson.jsonl"
    path.write_text(to_recording(manager.sessions.load("chat")))
    return path


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def write(file, lines):
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_file_is_a_header_and_one_turn_a_line_without_keys_and_names_of_the_machine(file):
    header, first, second = lines_of(file)
    assert header == {
        "kind": "sessionmagic recording",
        "version": 1,
        "name": "chat",
        "models": ["looks", "calm"],
        "head": "2",
    }
    assert list(first)[:2] == ["id", "prompt"]
    assert [first["prompt"], second["prompt"]] == ["Where?", "Thanks"]
    text = file.read_text()
    assert "~/data" in text
    for hidden in (KEY, "jane", str(Path.cwd()), "run_id", "cell_id"):
        assert hidden not in text


def test_recording_of_a_recording_is_the_same(file):
    session, _ = read_recording(file)
    assert to_recording(session) == file.read_text()


def test_file_with_another_suffix_is_replayed(manager, file):
    other = file.rename(file.with_suffix(".txt"))  # for JupyterLite, which cannot open its own .jsonl files
    assert manager.run_sync("Where?", session="again", model=f"replay:{other}", tools=[where]).text.startswith("It is")


def test_file_that_an_editor_has_saved_with_a_byte_order_mark_and_its_own_line_ends_is_replayed(manager, file):
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert manager.run_sync("Where?", session="again", model=f"replay:{file}", tools=[where]).text.startswith("It is")


def test_file_that_has_not_changed_is_read_once(manager, file, monkeypatch):
    read = []
    monkeypatch.setattr(recording, "loads", lambda line: read.append(line) or json.loads(line))
    manager.run_sync("Where?", session="again", model=f"replay:{file}", tools=[where])
    manager.run_sync("Thanks", session="again")
    assert len(read) == len(file.read_text().splitlines())


def test_other_branches_are_not_recorded(manager):
    manager.run_sync("A slip", session="chat")
    manager.run_sync("Hello", session="chat", after="root")
    entries = [json.loads(line) for line in to_recording(manager.sessions.load("chat")).splitlines()]
    assert [entry.get("prompt") for entry in entries] == [None, "Hello"]


def refused(manager, file):
    with pytest.raises(ModelReferenceError) as raised:
        manager.run_sync("Where?", session="again", model=f"replay:{file}")
    line = str(raised.value)
    assert line.startswith(f"cannot replay {file}: ")
    assert "\n" not in line
    assert len(line) < 600
    assert "again" not in [summary.name for summary in manager.store.summaries()[0]]
    return line


def test_file_that_is_cut_says_at_which_line(manager, file):
    file.write_text(file.read_text()[:-40])
    assert refused(manager, file).endswith("line 3 is cut off or not JSON; copy it whole, or record it again")


def test_file_that_is_cut_at_the_end_of_a_line_says_so(manager, file):
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    missing = f"turn {len(lines) - 1} is missing, so the file was cut or edited; copy it whole, or record it again"
    assert refused(manager, file).endswith(missing)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is not a recording; %agent record FILE writes one"),
        (b'{"messages": []}\n', "it is not a recording"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "it is not a recording"),
        (b"[" * 100_000, "it is not a recording"),
        (b'{"kind": "sessionmagic recording", "version": 2}\n', "it is a recording of version 2"),
        (b'{"kind": "sessionmagic recording"}\n', "its version is None, which is not a number"),
        (b'{"kind": "sessionmagic recording", "version": "1"}\n', "its version is '1', which is not a number"),
        (b'{"kind": "sessionmagic recording", "version": 1}\n{"id": NaN}\n', "line 2 is not JSON ("),
        (b'{"kind": "sessionmagic recording", "version": true}\n5\n', "line 2 is not a turn"),
        (b'{"kind": "sessionmagic recording", "version": 1, "head": 7}\n', "its head is not the id of a turn"),
        (b'{"kind": "sessionmagic recording", "version": 1, "head": "9"}\n', "turn 9 is missing"),
        (b'{"kind": "sessionmagic recording", "version": 1}\n{"messages": []}\n', "line 2 is not a turn"),
    ],
    ids=map(str, range(12)),
)
def test_foreign_newer_and_broken_files_are_refused_in_one_line_that_says_what_to_do(manager, tmp_path, content, says):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    line = refused(manager, path)
    assert says in line
    assert re.search("; (%agent record FILE writes one|update it|copy it whole, or record it again)$", line)


def test_a_link_that_leads_nowhere_is_no_suggestion(manager, tmp_path):
    (tmp_path / "lesson.jsonl").symlink_to(tmp_path / "gone.jsonl")
    assert refused(manager, tmp_path / "lesson.jsonl").endswith("makes it")


def test_missing_file_a_folder_and_a_huge_file_are_refused(manager, tmp_path, monkeypatch):
    missing, where = tmp_path / "none.jsonl", f"there is no such file in {tmp_path}"
    assert refused(manager, missing).endswith(f"{where}; %agent record SESSION {missing} makes it")
    monkeypatch.chdir(tmp_path)
    assert refused(manager, "none.jsonl").endswith(f"{where}; %agent record SESSION none.jsonl makes it")
    (tmp_path / "nine.jsonl").touch()
    assert refused(manager, missing).endswith(f"{where}; did you mean '{tmp_path / 'nine.jsonl'}'?")
    (tmp_path / "folder.jsonl").mkdir()
    assert "not a regular file" in refused(manager, tmp_path / "folder.jsonl")
    monkeypatch.setattr(recording, "SIZE_LIMIT", 10)
    (tmp_path / "big.jsonl").write_text("x" * 11)
    assert "it has 11 bytes; at most 10 can be read" in refused(manager, tmp_path / "big.jsonl")


def test_a_million_parts_are_refused_before_they_are_validated(manager, file, monkeypatch):
    header, first, _ = lines_of(file)
    part = first["messages"][0]["parts"][0]
    first["messages"][0]["parts"] = [part] * 300_000
    write(file, [header | {"head": "1"}, first])
    monkeypatch.setattr(recording, "_turn", lambda *_: pytest.fail("validated"))
    assert "more than 200,000 parts" in refused(manager, file)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parent": "1"}, "circle"),
        ({"id": "../../etc/passwd"}, "is not the id of a turn"),
        ({"requests": [{"agent": "a", "model": "m", "arrivals": [[5, 5], [1, 9]]}]}, "a time of an answer"),
        ({"requests": [{"agent": "a", "model": "m", "arrivals": [[1, 1]] * 1000}]}, "the times of its answers"),
        ({"requests": [{"agent": "a", "model": "m", "arrivals": [[10**15, 1]]}]}, "a time of an answer"),
        ({"messages": [{"kind": "request", "parts": [{"part_kind": "unheard"}]}]}, "cannot be read"),
        ({"messages": [{"kind": "request"}]}, "cannot be read"),
        ({"started_at": -1}, "a time of -1 is not possible"),
        ({"settings": {"base_url": "http://evil"}}, "is not a setting"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_hostile_turns_are_refused_in_one_line(manager, file, change, says):
    header, first, _ = lines_of(file)
    write(file, [header | {"head": None}, first | change])
    assert says in refused(manager, file)


@on_a_loop
async def test_two_turns_with_one_id_are_refused(manager, file):
    header, first, second = lines_of(file)
    write(file, [header, first, first, second])
    with pytest.raises(ModelReferenceError, match="two of its turns have the same id"):
        await ask(manager, "Where?", "again", model=f"replay:{file}")


@on_a_loop
async def test_file_is_read_again_when_it_has_changed(manager, file):
    result = await ask(manager, "New", "again", model=f"replay:{file}")
    assert isinstance(result.error, ReplayError)
    header, first, second = lines_of(file)
    changed = json.loads(json.dumps(second).replace("Thanks", "New")) | {"parent": None}
    write(file, [header | {"head": None}, first, changed])
    assert (await ask(manager, "New", "b", model=f"replay:{file}")).text == "It is fine."


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("/home/jane/x and /Users/Jane/y", "~/x and ~/y"),
        (r"C:\Users\jane\x", r"~\x"),
        ("/root/x, but a root/x", "~/x, but a root/x"),
        ("/homes/jane and user", "/homes/jane and user"),
    ],
)
def test_home_directories_are_left_out(text, without):
    assert without_machine(text) == without


def on_machine(monkeypatch, name):
    monkeypatch.setattr(home, "_names_here", lambda: {name: (re.compile(rf"\b{name}\b"), "host")})


@on_a_loop
async def test_prompt_that_has_the_name_of_the_machine_is_replayed_on_another_one(manager, tmp_path, monkeypatch):
    on_machine(monkeypatch, "titanic")
    script("answers", "It sank.", "On titanic")
    await ask(manager, "What of the titanic?", model="answers")
    file = tmp_path / "lesson.jsonl"
    file.write_text(to_recording(manager.sessions.load("chat")))
    for name in ("iceberg", "titanic"):
        on_machine(monkeypatch, name)
        result = await ask(manager_on(MemoryStore()), "What of the titanic?", model=f"replay:{file}")
        assert result.text == "It sank."


@on_a_loop
async def test_names_of_the_machine_that_nobody_typed_are_left_out(manager, monkeypatch):
    on_machine(monkeypatch, "titanic")
    script("tells", "This is titanic")
    await ask(manager, "Go to /home/titanic/x", model="tells")
    await ask(manager, "On titanic", values=["node()"])
    assert "titanic" not in to_recording(manager.sessions.load("chat"))


@on_a_loop
async def test_instructions_with_a_home_directory_are_replayed(manager, tmp_path):
    await ask(manager, system="The data is in /home/jane/data")
    file = tmp_path / "lesson.jsonl"
    file.write_text(to_recording(manager.sessions.load("chat")))
    for folder in ("jane", "joe"):
        options = {"system": f"The data is in /home/{folder}/data", "model": f"replay:{file}"}
        assert (await ask(manager_on(MemoryStore()), **options)).text == "It is fine."
