"""What the parts of an agents file say: settings, references, environment variables, and what is in the way of use."""

import re
from pathlib import Path

import pytest

from sessionmagic.agents.agents_file import from_dict, load, loads
from sessionmagic.agents.file_agent import SAFETIES
from sessionmagic.agents.naming import names_of
from sessionmagic.agents.toolsets import with_definition
from sessionmagic.agents.use import check_usable, notes, toolsets_of
from sessionmagic.agents.variables import agent_filled_in, provider_filled_in, toolset_filled_in
from sessionmagic.exceptions import AgentsFileError, ModelReferenceError, UnknownAgentError
from sessionmagic.models.catalog import Models
from sessionmagic.models.settings import checked
from sessionmagic.tools.permissions import SAFETIES as SAFETIES_OF_TOOLS

FILES = Path(__file__).parent.parent / "agents_files"


def _file(name):
    return load(next(FILES.glob(f"*/{name}.y*ml")))


def _one(**agent):
    return from_dict({"agents": {"a": agent}})


def test_settings_of_a_model_have_the_names_of_all_settings():
    models = _file("named_models").models
    assert models["quick"].settings == {
        "temperature": 0, "top_p": 0.9, "frequency_penalty": 0.5, "presence_penalty": -0.5,
        "parallel_tool_calls": False, "effort": "low",
    }  # fmt: skip
    assert models["careful"].settings == {"max_tokens": 16_000, "effort": "medium"}
    assert models["at_home"].settings == {}
    for model in models.values():
        assert checked(model.settings) == model.settings


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(0, "none"), ("none", "none"), (-1, True), ("adaptive", True), ("adaptive/high", "high"), ("minimal", "minimal"),
     (1, "minimal"), (1_024, "minimal"), (1_025, "low"), (10_000, "high"), (32_768, "max"), (60_000, "max")],
)  # fmt: skip
def test_thinking_budget_is_an_effort(budget, effort):
    model = {"provider": "openai", "model": "gpt-5", "thinking_budget": budget}
    file = from_dict({"models": {"m": model}, "agents": {"a": None}})
    assert file.models["m"].effort == effort
    assert checked(file.models["m"].settings) == {"effort": effort}


def test_references_are_the_members_of_an_alloy_and_the_candidates():
    file = _file("alloys")
    assert file.agents["inline"].references == ("one", "anthropic/claude-haiku-4-5")
    assert file.models["both"].references == ("one", "two")
    assert file.models["one"].references == ("openai/gpt-5-mini",)
    assert _file("first_available").models["whatever_there_is"].references == (
        "anthropic/claude-haiku-4-5", "small", "local",
    )  # fmt: skip
    assert _file("without_a_model").agents["helper"].references == ()


def test_model_that_is_registered_in_this_process_may_be_named():
    with pytest.raises(AgentsFileError, match="'mine', which is not among the models"):
        loads("agents: {a: {model: mine}}")
    assert loads("agents: {a: {model: mine}}", known=["mine"]).agents["a"].model == "mine"


def test_fallback_has_docker_agents_defaults():
    agents = _file("fallback").agents
    found = {
        name: (each.fallback.models, each.fallback.retries, each.fallback.cooldown) for name, each in agents.items()
    }
    assert found == {
        "patient": (("anthropic/claude-sonnet-4-5", "local"), 4, 90.0),
        "usual": (("local",), 2, 60.0),
        "never_again": (("local",), 0, 0.25),
    }


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("1h2m3.5s", 3723.5), ("250ms", 0.25), (90, 90), (1.5, 1.5), ("2us", 0), ("+1m", 60), ("8760h", 31_536_000)],
)
def test_durations_are_those_of_go(written, seconds):
    assert _one(budget={"max_time": written}).agents["a"].budget.max_time == seconds


@pytest.mark.parametrize("written", ["-1s", -1, "90", "1d", "8761h", True, [], "1 m", "٣s"])
def test_other_durations_are_refused(written):
    with pytest.raises(AgentsFileError, match=r"budget\.max_time is .*; give a duration such as 30s or 1m30s"):
        _one(budget={"max_time": written})


def test_safety_modes_are_those_of_the_permissions():
    assert SAFETIES == SAFETIES_OF_TOOLS
    agents = _file("what_an_agent_may_do").agents
    assert (agents["careful"].safety, agents["careful"].readonly) == ("strict", True)
    assert (agents["careful"].budget.max_cost, agents["careful"].budgets) == (0.25, ("figures", "reading"))


def test_unknown_agent_is_an_error_with_a_suggestion():
    file = _file("several_agents")
    assert file.agent("").name == "root"
    assert file.agent("cleaner").description == "Finds missing values."
    with pytest.raises(UnknownAgentError, match="no agent named 'reporters'; did you mean 'reporter'"):
        file.agent("reporters")
    with pytest.raises(UnknownAgentError, match=r"the agents of .*several_agents.yaml are root, cleaner,"):
        file.agent("x")


def test_toolset_has_what_the_definition_of_its_server_says_and_its_own_values_win():
    file = _file("mcp_servers")
    papers, library, own = toolsets_of(file, file.agents["searcher"])
    assert (papers.command, papers.args, papers.tools, papers.name) == (
        "uvx",
        ("papers-mcp", "--offline"),
        ("search",),
        "articles",
    )
    assert papers.env == {"PAPERS_HOME": "${HOME}/papers", "PAPERS_LIMIT": "10"}
    assert papers.ref == ""
    assert library.remote.url == "https://library.example.org/mcp"
    assert own == file.agents["searcher"].toolsets[2]
    definition = file.mcps["papers"]
    assert with_definition(definition, definition) == definition
    file = from_dict(
        {
            "mcps": {"m": {"command": "x", "env": {"A": 1, "B": 1}, "tools": ["t"]}, "docker:x": {"command": "y"}},
            "agents": {"a": {"toolsets": [
                {"type": "mcp", "ref": "m", "env": {"B": 2}, "tools": ["u"]}, {"type": "mcp", "ref": "docker:x"},
            ]}},
        }
    )  # fmt: skip
    own, gateway = toolsets_of(file, file.agents["a"])
    assert (own.env, own.tools) == ({"A": "1", "B": "2"}, ("u",))
    assert (gateway.needs_gateway, gateway.command) == (True, "")


def test_key_without_a_value_counts_as_missing():
    file = loads("models:\nbudget: ~\nagents:\n  a:\n    model:\n    toolsets: null\n    fallback:\n    add_date:\n")
    assert file == loads("agents: {a: {}}")


def test_variables_are_filled_in_where_docker_agent_reads_them():
    coach = _file("commands").agents["coach"]
    assert agent_filled_in(coach, {"USER": "Ada"}).welcome_message == "Hello Ada"
    assert agent_filled_in(coach, {}).welcome_message == "Hello there"
    quiz = agent_filled_in(_file("commands").agents["listing"], {"COURSE": "regression"}).commands["quiz"]
    assert quiz.prompt == "Make five questions for regression."
    agent = _one(description="${env.A}$A${A}${ env.A }", instruction="${env.A}").agents["a"]
    filled = agent_filled_in(agent, {"A": "x"})
    assert (filled.description, filled.instruction) == ("x$A${A}x", "${env.A}")
    shell = _one(toolsets=[{"type": "shell", "env": {"PATH": "$HOME/bin:${PATH}", "COST": "5$", "T": "${env.A}"}}])
    env = toolset_filled_in(shell.agents["a"].toolsets[0], {"HOME": "/h", "PATH": "/bin"}).env
    assert env == {"PATH": "/h/bin:/bin", "COST": "5$", "T": "${env.A}"}
    script = {"type": "script", "shell": {"s": {"cmd": "echo $A", "env": {"B": "$A"}}}}
    filled = toolset_filled_in(_one(toolsets=[script]).agents["a"].toolsets[0], {"A": "x"}).shell["s"]
    assert (filled.cmd, filled.env) == ("echo $A", {"B": "x"})
    university = _file("providers").providers["university"]
    assert provider_filled_in(university, {"COURSE": "stats"}).headers == {"X-Course": "stats"}


def test_variable_that_a_server_needs_and_is_not_set_is_an_error():
    file = _file("mcp_servers")
    papers, library, _ = toolsets_of(file, file.agents["searcher"])
    with pytest.raises(AgentsFileError, match="toolset articles needs the environment variable HOME, which is not set"):
        toolset_filled_in(papers, {})
    with pytest.raises(AgentsFileError, match="the toolset mcp needs the environment variable LIBRARY_TOKEN"):
        toolset_filled_in(library, {})
    headers = toolset_filled_in(library, {"LIBRARY_TOKEN": "t"}).remote.headers
    assert headers == {"Authorization": "Bearer t"}
    with pytest.raises(AgentsFileError, match="the provider university needs the environment variable COURSE"):
        provider_filled_in(_file("providers").providers["university"], {})


@pytest.mark.parametrize(
    ("name", "agent", "problem"),
    [
        ("unknown_keys", "reader", "7: the agent 'reader' needs the key rag (agents.reader), which is not understood"),
        ("unknown_types", "coder", "4: the agent 'coder' needs the type lsp (agents.coder.toolsets[0])"),
        ("servers", "with_server", "6: the agent 'with_server' needs the key lifecycle (mcps.papers)"),
        ("nested", "worker", "3: the agent 'worker' needs the key no_fallback_status_codes (agents.worker.fallback)"),
    ],
)
def test_agent_that_needs_what_is_not_understood_cannot_be_used(name, agent, problem):
    with pytest.raises(AgentsFileError) as caught:
        check_usable(_file(name), agent)
    assert str(caught.value).startswith(f"{FILES}/warned/{name}.yaml:{problem}")


@pytest.mark.parametrize(
    ("name", "model", "problem"),
    [
        ("routing", "router", "'router' needs the key routing (models.router) in {}:5"),
        ("routing", "small", "'small' needs the key track_usage (models.small) in {}:8"),
        ("servers", "campus_model", "'campus:llama' needs the key region (providers.campus) in {}:2"),
        ("servers", "campus/llama", "'campus/llama' needs the key region (providers.campus) in {}:2"),
    ],
)
def test_model_that_needs_what_is_not_understood_cannot_be_asked(name, model, problem):
    file = _file(name)
    with pytest.raises(ModelReferenceError, match=re.escape(f"{problem.format(file.where)}, which is not understood")):
        Models().within(names_of(file, ())).check(model)


def test_other_agents_of_such_a_file_can_be_used():
    check_usable(_file("unknown_keys"), "simple")  # it says "skills: false"
    check_usable(_file("unknown_types"), "plain")
    for name in ("direct", "routed", "alloyed"):  # they can be asked with another model
        check_usable(_file("routing"), name)
    for path in (FILES / "understood").glob("*.y*ml"):
        file = load(path)
        for name in file.agents:
            check_usable(file, name)


def test_mistyped_rules_and_budgets_concern_every_agent():
    with pytest.raises(AgentsFileError, match=r"the key denny \(permissions\)"):
        check_usable(loads("permissions: {denny: [shell]}\nagents: {a: {}}"), "a")
    with pytest.raises(AgentsFileError, match=r"the key max_usd \(budget\)"):
        check_usable(loads("budget: {max_usd: 1}\nagents: {a: {}}"), "")
    named = loads("budgets: {b: {max_usd: 1}}\nagents: {a: {budgets: [b]}, other: {}}")
    with pytest.raises(AgentsFileError, match=r"the key max_usd \(budgets.b\)"):
        check_usable(named, "a")
    check_usable(named, "other")


def test_what_needs_docker_is_said_when_the_agent_is_used():
    why = "needs Docker's MCP gateway, so it is not offered; give the server's command or remote address instead"
    assert notes(_file("gateway"), "searcher") == (
        f"docker:search {why}",
        f"docker:encyclopedia {why}",
        "rows-mcp is not installed automatically; install it if it is missing",
    )
    assert notes(_file("files_and_shell"), "worker") == (
        "the tools of shell are offered at once; defer has no effect",
        "the model of the turn reads what shell returns; model has no effect there",
        "the tools of fetch are offered at once; defer has no effect",
        "the results of fetch are not written as TOON; toon has no effect",
    )
    assert notes(_file("agent_of_a_registry"), "root") == (
        "the agent exampleorg/proofreader is not in the file, and agents of registries are not loaded",
        "the agent docker.io/exampleorg/translator:v2 is not in the file, and agents of registries are not loaded",
    )
    assert notes(_file("what_an_agent_may_do"), "careful") == (
        "careful calls its tools one by one; code_mode_tools has no effect",
    )
    assert notes(_file("mcp_servers"), "searcher") == ()
