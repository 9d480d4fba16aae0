"""The toolsets of agents files become tools."""

import asyncio
import json
from dataclasses import replace

import pytest

from sessionmagic.agents.agents_file import loads
from sessionmagic.agents.powers import powers_of
from sessionmagic.agents.use import toolsets_of
from sessionmagic.exceptions import AgentsFileError, ToolError
from sessionmagic.tools.functions import toolset_of
from sessionmagic.tools.questions import Reply
from sessionmagic.tools.toolsets.making import tools_of, tools_of_agent
from sessionmagic.tools.toolsets.surroundings import Surroundings
from sessionmagic.tools.toolsets.user_prompt import form_of
from sessionmagic.tools.toolsets.variables import Variables
from sessionmagic.turns.turn import current_turn
from tests.turns import acting, asked, events_of, on_a_loop, returned, until

READS = {
    "filesystem": ["read_file", "read_multiple_files", "list_directory", "directory_tree", "search_files_content"],
    "shell": ["list_background_jobs", "view_background_job"],
    "think": ["think"],
    "todo": ["create_todo", "create_todos", "update_todos", "list_todos"],
    "fetch": [],
    "memory": ["get_memories", "search_memories"],
    "user_prompt": ["user_prompt"],
    "script": [],
}
ACTS = {
    "filesystem": ["write_file", "edit_file", "create_directory", "remove_directory"],
    "shell": ["shell", "run_background_job", "stop_background_job"],
    "fetch": ["fetch"],
    "memory": ["add_memory", "update_memory", "delete_memory"],
    "script": ["count_rows"],
}
RUNS_CODE = {"shell", "run_background_job", "count_rows"}
SCRIPT = "shell: {count_rows: {cmd: wc -l $file, args: {file: {description: A file}}}}"
"""A script for the toolset of that type."""


def toolsets(*written):
    """Return toolsets as an agents file has them, each written as the inside of a mapping of YAML."""
    lines = "".join(f"\n      - {{{each}}}" for each in written)
    file = loads(f"agents:\n  tutor:\n    toolsets:{lines}\n")
    return toolsets_of(file, file.agent("tutor"))


@pytest.fixture
def surroundings(tmp_path):
    (tmp_path / "work").mkdir()
    return Surroundings(directory=tmp_path / "work", store=tmp_path / "store", agent="tutor", environment={})


def of_type(kind):
    return toolsets(f"type: {kind}, {SCRIPT}" if kind == "script" else f"type: {kind}")[0]


@pytest.mark.parametrize("kind", READS)
def test_each_type_has_the_tools_of_docker_agent(surroundings, kind):
    made = tools_of(of_type(kind), surroundings)
    assert sorted(tool.name for tool in made.tools if tool.read_only) == sorted(READS[kind])
    assert sorted(tool.name for tool in made.tools if not tool.read_only) == sorted(ACTS.get(kind, []))
    assert {tool.name for tool in made.tools if tool.runs_code} == RUNS_CODE & {tool.name for tool in made.tools}
    assert {tool.source for tool in made.tools} == {kind}
    assert (made.servers, made.instructions, made.warnings) == ((), (), ())
    toolset_of(made.tools)  # each has a valid schema


@pytest.mark.parametrize("kind", READS)
def test_agent_that_only_reads_gets_only_what_reads(surroundings, kind):
    made = tools_of(of_type(kind), replace(surroundings, read_only=True))
    assert sorted(tool.name for tool in made.tools) == sorted(READS[kind])


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read_multiple_files", ["paths", "json"]),
        ("search_files_content", ["query", "path", "is_regex", "excludePatterns"]),
        ("edit_file", ["path", "edits"]),
        ("write_file", ["path", "content"]),
        ("create_directory", ["paths"]),
        ("shell", ["cmd", "cwd", "timeout"]),
        ("view_background_job", ["job_id"]),
        ("update_todos", ["updates"]),
        ("update_memory", ["id", "memory", "category"]),
        ("fetch", ["urls", "format", "timeout"]),
        ("user_prompt", ["message", "title", "schema"]),
        ("think", ["thought"]),
    ],
)
def test_arguments_are_those_of_docker_agent(surroundings, tool, arguments):
    made = [each for kind in READS for each in tools_of(of_type(kind), surroundings).tools]
    [found] = [each for each in made if each.name == tool]
    assert found.arguments == arguments


def test_descriptions_are_short(surroundings):
    made = [each for kind in READS for each in tools_of(of_type(kind), surroundings).tools]
    assert all(0 < len(each.function.__doc__) <= 90 for each in made)


def test_only_the_tools_that_a_toolset_names_are_offered(surroundings):
    [toolset] = toolsets("type: filesystem, tools: [read_file, raed_file], instruction: Read first.")
    made = tools_of(toolset, surroundings)
    assert [tool.name for tool in made.tools] == ["read_file"]
    assert made.warnings == ("the toolset filesystem has no tool 'raed_file'; did you mean 'read_file'?",)
    assert made.instructions == ("Read first.",)


def test_instruction_of_a_toolset_stands_alone_as_our_tools_bring_none(surroundings):
    [toolset] = toolsets('type: think, instruction: "{ORIGINAL_INSTRUCTIONS} Think twice."')
    assert tools_of(toolset, surroundings).instructions == ("Think twice.",)


def test_writing_counts_as_running_code_where_commands_follow(surroundings):
    [toolset] = toolsets('type: filesystem, post_edit: [{path: "*.py", cmd: ruff format $path}]')
    made = {tool.name: tool for tool in tools_of(toolset, surroundings).tools}
    assert {name for name, tool in made.items() if tool.runs_code} == {"write_file", "edit_file"}
    shown = asyncio.run(made["write_file"].preview(path="a.py", content="x = 1\n"))
    assert shown.endswith("\nthen runs: ruff format $path")


def test_variables_are_filled_in_for_commands_and_shown_as_they_are_written(surroundings):
    [toolset] = toolsets('type: shell, env: {REGION: "$PLACE"}')
    with pytest.raises(AgentsFileError, match="needs the environment variable PLACE, which is not set"):
        tools_of(toolset, surroundings)
    made = tools_of(toolset, replace(surroundings, environment={"PLACE": "north"}))
    [shell] = [tool for tool in made.tools if tool.name == "shell"]
    assert asyncio.run(shell.preview(cmd="ls")) == "the agents file sets REGION=$PLACE"
    assert asyncio.run(shell.function(cmd="echo $REGION")) == "north"


def test_variables_of_a_script_are_those_of_its_toolset_and_its_own(surroundings):
    [toolset] = toolsets("type: script, env: {A: one, B: one}, shell: {say: {cmd: echo $A $B, env: {B: two}}}")
    [say] = tools_of(toolset, surroundings).tools
    assert asyncio.run(say.preview()).endswith("the agents file sets A=one\nthe agents file sets B=two")
    assert asyncio.run(say.function()) == "one two"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("type: memory, path: ../memory.db", "leads out of a directory with"),
        ('type: filesystem, post_edit: [{path: "[z-a]", cmd: x}]', "is not a valid pattern"),
        ("type: script, shell: {say: {cmd: x, args: {PATH: {}}}}", "'PATH' of say cannot be an argument"),
        ("type: shell, env: {SESSIONMAGIC_HOME: x}", "an agents file cannot set SESSIONMAGIC_HOME"),
        ("type: rag, model: x", "there are no tools of the type 'rag'"),
        ("type: mcp, remote: {url: https://a.example, transport_type: pigeon}", "'pigeon' is not a transport"),
    ],
)
def test_toolset_that_cannot_be_used_is_an_error_and_left_out_of_the_agents(surroundings, written, words):
    found = toolsets(written, "type: think")
    with pytest.raises(ToolError, match=words):
        tools_of(found[0], surroundings)
    made = tools_of_agent(found, surroundings)
    assert [tool.name for tool in made.tools] == ["think"]
    [warning] = made.warnings
    assert words in warning
    assert warning.startswith("the toolset ")
    assert "\n" not in warning


def test_server_that_needs_docker_is_left_out_and_told_by_the_agents_notes_only(surroundings):
    found = toolsets("type: mcp, ref: docker:duckduckgo", "type: think")
    made = tools_of_agent(found, surroundings)
    assert ([tool.name for tool in made.tools], made.servers, made.warnings) == (["think"], (), ())


def test_no_tool_of_a_file_takes_the_place_of_another(surroundings):
    scripts = "type: script, shell: {run_python: {cmd: x}, read_file: {cmd: x}, mine: {cmd: x}}"
    made = tools_of_agent(toolsets("type: filesystem, tools: [read_file]", scripts), surroundings, ["run_python"])
    assert [(tool.name, tool.source) for tool in made.tools] == [("read_file", "filesystem"), ("mine", "script")]
    assert made.warnings == (
        "the tool run_python of the toolset script is left out: another one has its name",
        "the tool read_file of the toolset script is left out: another one has its name",
    )


def test_two_toolsets_of_a_type_add_up(surroundings):
    made = tools_of_agent(
        toolsets("type: filesystem, tools: [read_file]", "type: filesystem, tools: [list_directory]"), surroundings
    )
    assert [tool.name for tool in made.tools] == ["read_file", "list_directory"]
    assert made.warnings == ()


SERVERS = """\
mcps:
  notes: {type: mcp, command: npx, args: [-y, notes], env: {TOKEN: $NOTES}, name: notes}
agents:
  tutor:
    toolsets:
      - {type: mcp, ref: notes, tools: [search]}
      - type: mcp
        remote: {url: "https://rain.example/mcp?k=${env.KEY}", headers: {X: "Bearer ${env.KEY}"}, transport_type: sse}
      - {type: mcp, command: npx, args: [other], name: notes}
"""


def test_servers_are_offered_only_once_the_user_trusts_the_file(surroundings):
    file = loads(SERVERS)
    known = replace(surroundings, environment={"NOTES": "t0ken-of-notes", "KEY": "k3y-of-rain"})
    made = tools_of_agent(toolsets_of(file, file.agent("tutor")), known)
    assert made.servers == ()
    powers = (
        "start npx -y notes with TOKEN=$NOTES",
        "connect to https://rain.example/mcp?k=${env.KEY} and send it X: Bearer ${env.KEY}",
        "start npx other",
    )
    assert powers_of(file) == powers
    one = tools_of_agent(toolsets_of(file, file.agent("tutor")), replace(known, confirmed=powers[2:]))
    assert [server.config["args"] for server in one.servers] == [["other"]]
    made = tools_of_agent(toolsets_of(file, file.agent("tutor")), replace(known, confirmed=powers))
    assert made.warnings == ()
    notes, rain, other = made.servers
    assert (notes.name, rain.name, other.name) == ("notes", "rain.example", "notes-2")
    assert notes.config == {
        "command": "npx",
        "args": ["-y", "notes"],
        "env": {"TOKEN": "t0ken-of-notes"},
        "cwd": str(surroundings.directory),
    }
    assert rain.config == {
        "url": "https://rain.example/mcp?k=k3y-of-rain",
        "headers": {"X": "Bearer k3y-of-rain"},
        "type": "sse",
    }
    assert notes.tools == ("search",)


def test_no_value_of_a_variable_is_seen_where_these_objects_are_printed(surroundings):
    file = loads(SERVERS)
    known = replace(surroundings, environment={"NOTES": "t0ken-of-notes", "KEY": "k3y-of-rain"})
    known = replace(known, confirmed=powers_of(file))
    made = tools_of_agent(toolsets_of(file, file.agent("tutor")), known)
    variables = Variables({"TOKEN": "t0ken-of-notes"}, {"TOKEN": "$NOTES"})
    assert not any(word in repr((known, made, variables)) for word in ("t0ken", "k3y"))


def asks_its_turn(message, schema):
    return current_turn.get().questions.ask("", message, schema)


@on_a_loop
async def test_question_of_an_agent_is_one_of_the_turn_and_its_answer_the_result(manager, surroundings):
    tools = tools_of(of_type("user_prompt"), replace(surroundings, ask=asks_its_turn)).tools
    call = ("user_prompt", {"message": "Which month?", "title": "Month", "schema": {"type": "string", "enum": ["may"]}})
    turn, _ = await acting(manager, [call], "Done", tools=tools, attended=True)
    await until(lambda: turn.questions.open)
    [question] = turn.questions.open
    assert (question.server, question.message) == ("", "Month\nWhich month?")
    assert question.schema["properties"] == {"value": {"type": "string", "enum": ["may"]}}
    turn.questions.answer(question.id, "accept", {"value": "may"})
    [(_, outcome, said)] = returned(await events_of(turn))
    assert (outcome, json.loads(said)) == ("success", {"action": "accept", "content": {"value": "may"}})


@on_a_loop
async def test_question_that_nobody_can_answer_is_declined(manager, surroundings):
    tools = tools_of(of_type("user_prompt"), replace(surroundings, ask=asks_its_turn)).tools
    turn, _ = await acting(manager, [("user_prompt", {"message": "Which?"})], "Done", tools=tools)
    assert returned(await events_of(turn)) == [("user_prompt", "success", '{"action": "decline"}')]


@pytest.mark.parametrize(
    ("schema", "properties"),
    [
        (None, {"answer": {"type": "string"}}),
        ({}, {"answer": {"type": "string"}}),
        ({"type": "boolean"}, {"value": {"type": "boolean"}}),
        ({"properties": {"a": {"type": "integer"}}}, {"a": {"type": "integer"}}),
        ({"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}, {"a": {"type": "string"}}),
        ({"type": "object"}, {"value": {"type": "object"}}),
    ],
)
def test_form_of_a_question_is_an_object_with_fields(schema, properties):
    form = form_of(schema)
    assert (form["type"], form["properties"]) == ("object", properties)


def test_question_that_is_too_long_or_that_nobody_hears_fails(surroundings):
    async def reply(_message, _schema):
        return Reply("cancel")

    [alone] = tools_of(of_type("user_prompt"), surroundings).tools
    with pytest.raises(ToolError, match="nobody can be asked here"):
        asyncio.run(alone.function("Which?"))
    [heard] = tools_of(of_type("user_prompt"), replace(surroundings, ask=reply)).tools
    assert asyncio.run(heard.function("Which?")) == '{"action": "cancel"}'
    with pytest.raises(ToolError, match="more than 20,000 characters"):
        asyncio.run(heard.function("x" * 20_001))


@on_a_loop
async def test_write_waits_with_its_difference_and_is_made_when_it_is_approved(manager, surroundings):
    (surroundings.directory / "a.txt").write_text("one\n")
    tools = tools_of(of_type("filesystem"), surroundings).tools
    calls = [("edit_file", {"path": "a.txt", "edits": [{"oldText": "one", "newText": "two"}]})]
    turn, _ = await acting(manager, calls, "Done", tools=tools, attended=True)
    [question] = (await asked(turn)).values()
    assert question.preview == "changes a.txt\n…\n-one\n+two"
    assert (surroundings.directory / "a.txt").read_text() == "one\n"
    turn.approvals.resolve(question.id, "once")
    await turn.result()
    assert (surroundings.directory / "a.txt").read_text() == "two\n"


@on_a_loop
async def test_path_that_leads_out_is_refused_in_a_turn_without_asking(manager, surroundings):
    tools = tools_of(of_type("filesystem"), surroundings).tools
    calls = [("read_file", {"path": "../secret"}), ("write_file", {"path": "/etc/passwd", "content": "x"})]
    turn, _ = await acting(manager, calls, "Done", tools=tools, attended=True)
    found = returned(await events_of(turn))
    assert sorted(found) == [
        (
            "read_file",
            "failed",
            "ToolError: ../secret leads out of a directory with ..; give a path within the working directory",
        ),
        (
            "write_file",
            "failed",
            "ToolError: /etc/passwd is an absolute path; give one within the working directory, such as data/a.csv",
        ),
    ]
