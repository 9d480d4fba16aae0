"""The MCP servers of an agents file, in the turns of the agent that names them."""

import sys
from pathlib import Path

import pytest
from pydantic_ai import Agent

from sessionmagic.agents.powers import connecting
from sessionmagic.agents.toolsets import Toolset
from sessionmagic.tools.mcp import connection, server, toolset  # noqa: F401  imported here, as that takes time
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.tools.questions import Questions
from sessionmagic.tools.toolsets.agent_servers import offered_by
from sessionmagic.tools.toolsets.making import tools_of_agent
from sessionmagic.tools.toolsets.surroundings import Surroundings
from tests.scripted import acts
from tests.turns import on_a_loop

SERVER = str(Path(__file__).parents[1] / "mcp_server.py")
TESTS = {"type": "mcp", "command": sys.executable, "args": (SERVER,), "name": "tests"}


@pytest.fixture(scope="module")
def servers():
    """One for all tests: a server whose configuration stays the same keeps running."""
    made = McpServers()
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def asked(servers, place):
    """Ask a model with the servers of some toolsets; return the model, its answer and the warnings."""

    async def ask(*toolsets, calls=(), read_only=False, **environment):
        surroundings = Surroundings(
            directory=place,
            store=place / "store",
            agent="tutor",
            read_only=read_only,
            confirmed=[connecting(each) for each in toolsets],
            environment=environment,
        )
        made = tools_of_agent(toolsets, surroundings)
        warnings = list(made.warnings)
        found = await offered_by(servers, made.servers, Questions(lambda *_, **__: None), warnings.append)
        model = acts(*([list(calls)] if calls else []), "Done")
        result = await Agent(model, toolsets=found).run("Go")
        return model, result.all_messages(), warnings

    return ask


def said_by_tools(messages):
    parts = [part for message in messages for part in message.parts]
    return [part.content for part in parts if part.part_kind == "tool-return"]


@on_a_loop
async def test_tools_of_the_server_are_offered_with_its_instructions(asked):
    model, messages, warnings = await asked(Toolset(**TESTS), calls=[("tests__echo", {"text": "hi"})])
    assert {"tests__echo", "tests__add", "tests__crash"} <= model.offered[0].keys()
    assert "> Echo before you add." in messages[0].instructions
    assert said_by_tools(messages) == ["hi"]
    assert warnings == []


@on_a_loop
async def test_only_the_tools_that_the_toolset_names_are_offered(asked):
    model, _, _ = await asked(Toolset(**TESTS, tools=("echo", "add")))
    assert set(model.offered[0]) == {"tests__echo", "tests__add"}


@on_a_loop
async def test_agent_that_only_reads_gets_what_the_server_marks_as_read_only(asked):
    model, _, _ = await asked(Toolset(**TESTS), read_only=True)
    assert {"tests__echo", "tests__pid"} <= model.offered[0].keys()
    assert not {"tests__add", "tests__crash"} & model.offered[0].keys()


@on_a_loop
async def test_server_gets_the_variables_of_the_file_filled_in_once_and_no_keys_of_the_kernel(asked, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "s3cr3t-of-the-lab")
    told = Toolset(**TESTS | {"name": "with-env"}, env={"NOTE": "$NOTE", "TEXT": "plain"})
    calls = [("with-env__variable", {"name": name}) for name in ("NOTE", "TEXT", "LAB_API_KEY")]
    _, messages, _ = await asked(told, calls=calls, NOTE="in ${HOME}")
    assert said_by_tools(messages) == ["in ${HOME}", "plain", "(not set)"]


@on_a_loop
async def test_server_that_does_not_start_is_a_warning_and_the_others_are_offered(asked):
    broken = Toolset(type="mcp", command="no-such-program", name="broken")
    model, _, warnings = await asked(broken, Toolset(**TESTS))
    assert "tests__echo" in model.offered[0]
    [warning] = [each for each in warnings if "broken" in each]
    assert warning.startswith("the turn continues without MCP server 'broken': ")
