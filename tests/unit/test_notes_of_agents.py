"""What agents note for themselves: thoughts, lists of what is to be done, and memories."""

import asyncio
import json
import sqlite3
import stat
from pathlib import Path

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import memory as module
from sessionmagic.tools.toolsets.memory import Memory, place_of_memory
from sessionmagic.tools.toolsets.surroundings import Surroundings
from sessionmagic.tools.toolsets.think import think
from sessionmagic.tools.toolsets.todo import MOST, Todos

KEY = "sk-proj-" + "a1B2" * 12


def result(call):
    return asyncio.run(call)


@pytest.fixture
def surroundings(tmp_path):
    (tmp_path / "work").mkdir()
    return Surroundings(directory=tmp_path / "work", store=tmp_path / "store", agent="tutor")


def todos(directory=None, owner="tutor"):
    return Todos(lambda: directory, owner)


def memory_of(surroundings, path=""):
    return Memory(place_of_memory(path, surroundings))


def test_thought_is_noted():
    assert result(think("first the data")) == "noted"


def test_list_grows_and_its_items_get_done():
    tools = todos()
    assert result(tools.list_todos()) == "(the list is empty)"
    assert result(tools.create_todo("load")) == "todo_1 [pending] load"
    assert result(tools.create_todos(["plot", "write"])).splitlines()[1:] == [
        "todo_2 [pending] plot",
        "todo_3 [pending] write",
    ]
    done = [{"id": "todo_1", "status": "completed"}, {"id": "todo_2", "status": "in-progress"}]
    assert result(tools.update_todos(done)).splitlines() == [
        "todo_1 [completed] load",
        "todo_2 [in-progress] plot",
        "todo_3 [pending] write",
    ]


def test_change_that_cannot_be_made_as_a_whole_changes_nothing():
    tools = todos()
    result(tools.create_todo("load"))
    with pytest.raises(ToolError, match="the list has no 'todo_9'; it was not changed"):
        result(tools.update_todos([{"id": "todo_1", "status": "completed"}, {"id": "todo_9", "status": "completed"}]))
    with pytest.raises(ToolError, match="an item needs a description"):
        result(tools.create_todos(["plot", " "]))
    with pytest.raises(ToolError, match="more than 200 items"):
        result(tools.create_todos(["x"] * MOST))
    assert result(tools.list_todos()) == "todo_1 [pending] load"


def test_list_stays_with_the_session_and_each_agent_has_its_own(tmp_path):
    place = tmp_path / "session" / "tools"
    result(todos(place).create_todo("load"))
    result(todos(place, "critic").create_todo("doubt"))
    result(todos(place, "").create_todo("share"))
    assert result(todos(place).create_todo("plot")) == "todo_1 [pending] load\ntodo_2 [pending] plot"
    assert result(todos(place, "critic").list_todos()) == "todo_1 [pending] doubt"
    assert result(todos(place, "").list_todos()) == "todo_1 [pending] share"
    assert result(todos(tmp_path / "other").list_todos()) == "(the list is empty)"


def test_list_has_no_keys():
    assert KEY not in result(todos().create_todo(f"use {KEY}"))


ITEM_WITHOUT_NUMBER = '{"tutor": [{"id": "a", "description": "", "status": "pending"}]}'


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"tutor": 1}', '{"tutor": [{"id": "x"}]}', ITEM_WITHOUT_NUMBER, "[" * 100_000]
)
def test_damaged_list_is_an_error_that_names_the_file_and_is_left_alone(tmp_path, content):
    (tmp_path / "todos.json").write_text(content)
    for call in (todos(tmp_path).list_todos(), todos(tmp_path).create_todo("x")):
        with pytest.raises(ToolError, match=r"todos\.json cannot be read; remove it"):
            result(call)
    assert (tmp_path / "todos.json").read_text() == content


def test_list_is_not_written_through_a_link(tmp_path):
    (tmp_path / "victim").write_text("{}")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "todos.json").symlink_to("../victim")
    with pytest.raises(ToolError, match="is a link"):
        result(todos(tmp_path / "own").create_todo("x"))
    assert (tmp_path / "victim").read_text() == "{}"


def test_memory_is_found_by_its_words_and_its_category(surroundings):
    tools = memory_of(surroundings)
    assert result(tools.get_memories()) == "(nothing is remembered)"
    assert not (surroundings.store / "memory").exists()  # looking changes nothing
    first = result(tools.add_memory("Ada prefers Polars to pandas", "preference"))
    result(tools.add_memory("the deadline is in May"))
    assert first.startswith("remembered as ")
    assert result(tools.search_memories("PANDAS ada")).endswith(" [preference] Ada prefers Polars to pandas")
    assert result(tools.search_memories(category="Preference")).count("\n") == 0
    assert result(tools.search_memories("pandas may")) == "(nothing is remembered)"
    assert "100%" not in result(tools.search_memories("%"))
    lines = result(tools.get_memories()).splitlines()
    assert [line.partition(" · ")[2][11:] for line in lines] == [
        "the deadline is in May",
        "[preference] Ada prefers Polars to pandas",
    ]


def test_memory_is_replaced_and_forgotten_by_its_id(surroundings):
    tools = memory_of(surroundings)
    name = result(tools.add_memory("in May", "fact")).removeprefix("remembered as ")
    result(tools.update_memory(name, "in June"))
    assert result(tools.get_memories()).endswith(" [fact] in June")
    result(tools.update_memory(name, "in July", "guess"))
    assert result(tools.get_memories()).endswith(" [guess] in July")
    result(tools.delete_memory(name))
    assert result(tools.get_memories()) == "(nothing is remembered)"
    for call in (tools.delete_memory(name), tools.update_memory("1' OR '1'='1", "x")):
        with pytest.raises(ToolError, match="nothing is remembered under that id"):
            result(call)


def test_memory_stays_for_this_agent_of_this_file_only(tmp_path):
    one, other = tmp_path / "one" / "agents.yaml", tmp_path / "two" / "agents.yaml"

    def of(agent, file):
        return memory_of(Surroundings(directory=tmp_path / "work", store=tmp_path / "store", agent=agent, file=file))

    result(of("tutor", one).add_memory("x"))
    assert result(of("tutor", one).get_memories()).endswith(" x")
    for others in (of("critic", one), of("tutor", other), of("tutor", None), of("../tutor", one)):
        assert result(others.get_memories()) == "(nothing is remembered)"
    [file] = (tmp_path / "store" / "memory").iterdir()
    assert file.name.startswith("agents-tutor-")
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_memory_at_a_path_is_in_the_working_directory(surroundings):
    tools = memory_of(surroundings, "./data/memory.db")
    assert result(tools.get_memories()) == "(nothing is remembered)"
    result(tools.add_memory("x"))
    assert (surroundings.directory / "data" / "memory.db").is_file()


@pytest.mark.parametrize("path", ["../memory.db", "/home/memory.db", "data/../../memory.db"])
def test_memory_elsewhere_is_refused_when_it_is_made(surroundings, path):
    with pytest.raises(ToolError, match="within the working directory"):
        place_of_memory(path, surroundings)


def test_memory_behind_a_link_is_refused(surroundings, tmp_path):
    sqlite3.connect(tmp_path / "other.db").close()
    (surroundings.directory / "link.db").symlink_to(tmp_path / "other.db")
    (surroundings.directory / "data").symlink_to(tmp_path)
    for path in ("link.db", "data/other.db"):
        for call in (memory_of(surroundings, path).add_memory("x"), memory_of(surroundings, path).get_memories()):
            with pytest.raises(ToolError, match="is a link, and links are not followed"):
                result(call)


def test_memory_that_docker_agent_has_written_is_used(surroundings):
    with sqlite3.connect(surroundings.directory / "memory.db") as theirs:
        theirs.execute("CREATE TABLE memories (id TEXT PRIMARY KEY, created_at TEXT, memory TEXT)")
        theirs.execute("INSERT INTO memories VALUES ('7', '2026-05-01T10:00:00Z', 'old')")
    theirs.close()
    tools = memory_of(surroundings, "memory.db")
    assert result(tools.get_memories()) == "7 · 2026-05-01 old"
    result(tools.add_memory("new", "fact"))
    result(tools.update_memory("7", "older"))
    assert result(tools.get_memories()).splitlines()[1] == "7 · 2026-05-01 older"


HOSTILE = {
    "a view": "CREATE VIEW memories AS SELECT 1 AS id, 2 AS created_at, 'x' AS memory, '' AS category",
    "an endless view": "CREATE VIEW memories AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n)"
    " SELECT id, id AS created_at, id AS memory FROM n",
    "other columns": "CREATE TABLE memories (id TEXT)",
}


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE)
def test_file_that_is_no_memory_is_an_error_and_ends_soon(surroundings, statement):
    with sqlite3.connect(surroundings.directory / "memory.db") as theirs:
        theirs.execute(statement)
    theirs.close()
    tools = memory_of(surroundings, "memory.db")
    for call in (tools.get_memories(), tools.add_memory("x")):
        with pytest.raises(ToolError, match=r"memory\.db"):
            result(call)


def test_trigger_that_never_ends_is_stopped(surroundings, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)
    tools = memory_of(surroundings, "memory.db")
    result(tools.add_memory("x"))
    with sqlite3.connect(surroundings.directory / "memory.db") as theirs:
        theirs.execute(
            "CREATE TRIGGER slow AFTER INSERT ON memories BEGIN INSERT INTO memories (id) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n; END"
        )
    theirs.close()
    with pytest.raises(ToolError, match=r"the memory in memory\.db cannot be used: interrupted"):
        result(tools.add_memory("y"))


def test_text_that_is_no_database_is_an_error_and_is_left_alone(surroundings):
    (surroundings.directory / "notes.txt").write_text("just words " * 100)
    tools = memory_of(surroundings, "notes.txt")
    for call in (tools.get_memories(), tools.add_memory("x")):
        with pytest.raises(ToolError, match=r"the memory in notes\.txt cannot be used: file is not a database"):
            result(call)
    assert (surroundings.directory / "notes.txt").read_text() == "just words " * 100


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001])
def test_memory_has_a_limited_length(surroundings, text):
    with pytest.raises(ToolError, match="at least one and at most 10,000 characters"):
        result(memory_of(surroundings).add_memory(text))


def test_memory_has_no_keys(surroundings):
    tools = memory_of(surroundings)
    result(tools.add_memory(f"the key is {KEY}"))
    assert KEY not in result(tools.get_memories())
    [file] = (surroundings.store / "memory").iterdir()
    assert KEY.encode() not in Path(file).read_bytes()


def test_many_memories_are_cut_with_a_note(surroundings, monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 2)
    tools = memory_of(surroundings)
    for number in range(3):
        result(tools.add_memory(f"memory {number}"))
    shown = result(tools.get_memories()).splitlines()
    assert [line[-8:] for line in shown[:2]] == ["memory 2", "memory 1"]
    assert shown[2] == "[1 more; search for words]"
    assert json.dumps(shown)
