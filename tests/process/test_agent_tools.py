"""The toolsets of an agent in its turns: offered, called under the rules, and kept between turns."""

import sys
from pathlib import Path

import pytest

from sessionmagic import Agents, Cell, MemoryStore, Models, SessionManager, TinyStore
from sessionmagic.conversation.events import ToolPrinted, Warned
from sessionmagic.testing import script
from tests.turns import acted, acting, ask, asked, events_of, on_a_loop, returned, until

SERVER = {"type": "mcp", "command": sys.executable, "args": [str(Path(__file__).parents[1] / "mcp_server.py")]}


@pytest.fixture
def manager_of(tmp_path, monkeypatch):
    """Make managers whose agent has toolsets, and which work in `work`."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "rain.csv").write_text("month,mm\nmay,41\n")
    monkeypatch.chdir(tmp_path / "work")
    script("calm", "fine")
    made = []

    def make(*toolsets, store=None, confirm=False, permissions=None, **agent):
        content = {"agents": {"root": {"toolsets": list(toolsets), **agent}}, "permissions": permissions or {}}
        agents = Agents(content, confirm=confirm)
        made.append(SessionManager(store or MemoryStore(), Models("calm"), agents))
        return made[-1]

    yield make
    for each in made:
        each.shutdown()


def warned(events):
    return [event.text for event in events if isinstance(event, Warned)]


@on_a_loop
async def test_an_agent_reads_files_and_writes_one_when_the_user_approves_the_difference(manager_of, tmp_path):
    manager = manager_of({"type": "filesystem", "instruction": "Paths are short. {ORIGINAL_INSTRUCTIONS}"})
    calls = [("read_file", {"path": "rain.csv"}), ("write_file", {"path": "rain.csv", "content": "month,mm\nmay,42\n"})]
    turn, model = await acting(manager, calls, "Done", attended=True)
    [approval] = (await asked(turn)).values()
    assert approval.call.tool == "write_file"
    assert "-may,41\n+may,42" in approval.preview
    turn.approvals.resolve(approval.id, "once")
    events = await events_of(turn)
    assert [outcome for _, outcome, _ in returned(events)] == ["success", "success"]
    assert (tmp_path / "work" / "rain.csv").read_text() == "month,mm\nmay,42\n"
    assert "Paths are short." in model.sent[0][0].instructions


@on_a_loop
async def test_commands_ask_show_what_they_write_and_cannot_be_allowed_by_the_file(manager_of, tmp_path):
    manager = manager_of({"type": "shell"}, permissions={"allow": ["*"]}, confirm=True)
    command = "echo one; until [ -e go ]; do sleep 0.05; done; echo two"
    turn, _ = await acting(manager, [("shell", {"cmd": command})], "Done", attended=True)
    [approval] = (await asked(turn)).values()
    turn.approvals.resolve(approval.id, "once")
    events, printed = [], []
    async for event in turn.events():
        events.append(event)
        if isinstance(event, ToolPrinted):
            printed.append(event.text)
            (tmp_path / "work" / "go").touch()
    assert printed[0] == "one\n"
    assert returned(events) == [("shell", "success", "one\ntwo")]


@on_a_loop
async def test_no_tools_means_no_toolsets_and_no_words_about_them(manager_of):
    manager = manager_of({"type": "think", "instruction": "Think first."})
    _, _, model = await acted(manager, "Done", only_tools=True)
    assert (model.offered[0], model.sent[0][0].instructions) == ({}, None)
    _, _, model = await acted(manager, "Done", session="other")
    assert (list(model.offered[0]), model.sent[0][0].instructions) == (["think"], "Think first.")


@on_a_loop
async def test_a_function_of_the_user_goes_before_a_tool_of_the_file_and_that_is_said_once(manager_of):
    def think(thought: str) -> str:
        """Mine."""
        return thought

    manager = manager_of({"type": "think"})
    _, events, model = await acted(manager, "Done", tools=[think])
    assert model.offered[0]["think"].description == "Mine."
    assert warned(events) == ["the tool think of the toolset think is left out: another one has its name"]
    _, events, _ = await acted(manager, "Done", tools=[think])
    assert warned(events) == []


@on_a_loop
async def test_a_model_that_cannot_call_tools_is_said_to_go_without_them(manager_of):
    manager = manager_of({"type": "think"})
    _, events, _ = await acted(manager, "Done", profile={"supports_tools": False})
    assert warned(events) == ["acts cannot call tools, so it is not offered think"]


@on_a_loop
async def test_what_is_to_be_done_stays_with_the_session_and_goes_with_it(manager_of, tmp_path):
    store = TinyStore(tmp_path / "home")
    manager = manager_of({"type": "todo"}, store=store)
    await acted(manager, [("create_todo", {"description": "Plot it"})], "Done")
    manager = manager_of({"type": "todo"}, store=TinyStore(tmp_path / "home"))
    _, events, _ = await acted(manager, [("list_todos", {})], "Done")
    assert returned(events) == [("list_todos", "success", "todo_1 [pending] Plot it")]
    _, events, _ = await acted(manager, [("list_todos", {})], "Done", session="other")
    assert returned(events) == [("list_todos", "success", "(the list is empty)")]
    [kept] = (tmp_path / "home" / "tools").iterdir()
    await manager.delete("chat")
    assert not kept.exists()


@on_a_loop
async def test_jobs_in_the_background_outlive_their_turn_and_end_with_their_session(manager_of, tmp_path):
    manager = manager_of({"type": "shell"})
    command = "touch began; sleep 600; touch ended"
    await acted(manager, [("run_background_job", {"cmd": command})], "Done", yes=True)
    await until((tmp_path / "work" / "began").exists)
    _, events, _ = await acted(manager, [("list_background_jobs", {})], "Done")
    assert "job_1" in returned(events)[0][2]
    [job] = manager.agent_tools._jobs[manager.sessions.id_of("chat")].all
    assert job.command.exit_code is None
    await manager.delete("chat")
    await until(lambda: job.command.exit_code is not None)


@on_a_loop
async def test_a_server_of_the_file_is_started_only_once_the_user_has_confirmed_it(manager_of):
    manager = manager_of({**SERVER, "name": "tests", "tools": ["echo"]})
    _, events, model = await acted(manager, "Done")
    assert model.offered[0] == {}
    [warning] = warned(events)
    assert f"does not hold: start {sys.executable} " in warning
    manager = manager_of({**SERVER, "name": "tests", "tools": ["echo"]}, confirm=True)
    _, events, model = await acted(manager, [("tests__echo", {"text": "hi"})], "Done", yes=True)
    assert list(model.offered[0]) == ["tests__echo"]
    assert returned(events) == [("tests__echo", "success", "hi")]
    assert [server.name for server in manager.agent_tools.servers(manager.agents.answering())] == ["tests"]


@on_a_loop
async def test_the_question_of_an_agent_is_declined_where_nobody_can_answer(manager_of):
    manager = manager_of({"type": "user_prompt"})
    _, events, _ = await acted(manager, [("user_prompt", {"message": "Which month?"})], "Done")
    assert returned(events) == [("user_prompt", "success", '{"action": "decline"}')]


@on_a_loop
async def test_an_agent_that_may_only_read_is_offered_nothing_else(manager_of):
    manager = manager_of({"type": "filesystem"}, {"type": "shell"}, {"type": "fetch"}, readonly=True)
    _, _, model = await acted(manager, "Done")
    assert "read_file" in model.offered[0]
    assert not {"write_file", "shell", "fetch"} & model.offered[0].keys()


@on_a_loop
async def test_an_answer_is_not_reused_when_the_agent_has_other_tools(manager_of):
    manager, again = manager_of({"type": "think"}), {"reuse": True, "cell": Cell(id="one")}
    await ask(manager, **again)
    assert (await ask(manager, **again)).reused
    manager.agents.load({"agents": {"root": {"toolsets": [{"type": "think"}, {"type": "todo"}]}}})
    assert not (await ask(manager, **again)).reused
