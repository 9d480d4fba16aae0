"""What an agent of a file makes of a request: commands, the form of answers, and what joins the instructions."""

import pickle
from datetime import datetime

import pytest

from sessionmagic import Agents, MemoryStore, Models, Request, SessionManager
from sessionmagic.agents.commands import expanded
from sessionmagic.agents.joined import of_directory
from sessionmagic.agents.surroundings import Surroundings
from sessionmagic.conversation.events import MessageInjected, TurnStarted, Warned
from sessionmagic.exceptions import AgentsFileError, ModelReferenceError, UnknownAgentError, UsageError
from sessionmagic.sessions.levels import in_force
from sessionmagic.testing import call, script
from sessionmagic.turns.schema_type import SchemaType
from tests.scripted import Gate
from tests.turns import ask, events_of, on_a_loop, said


@pytest.fixture(autouse=True)
def calm():
    return script("calm", "fine")


def manager_of(agent=None, **file):
    content = {"agents": {"root": agent or {}}, **file}
    return SessionManager(MemoryStore(), Models("calm"), Agents(content))


def prompt_of(model, at=-1):
    return model.sent[at][-1].parts[-1].content


def turn_of(manager, session="chat"):
    return manager.sessions.load(session).turns[-1]


# Commands


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("/review a.py b.py", "Review a.py b.py"),
        ("/review", "Review"),
        ("  /review\na.py\nwith care", "Review a.py\nwith care"),
        ("/first 'one two' three", "Only one two."),
        ("/first", "Only ."),
        ("/all one  two", "One: one two!"),
        ('/listed one "two three"', "one, two three"),
        ("/unknown x", "/unknown x"),
        ("/usr/bin/python fails", "/usr/bin/python fails"),
        ("review a.py", "review a.py"),
        ("/", "/"),
        ("/all ${args[0]} $x", "One: ${args[0]} $x!"),
    ],
)
def test_a_command_stands_for_its_prompt(prompt, asked):
    commands = {
        "review": "Review",
        "first": "Only ${args[0]}.",
        "all": "One: ${args}!",
        "listed": '${args.join(", ")}',
    }
    assert expanded(prompt, commands)[0] == asked


@on_a_loop
async def test_a_command_of_the_agent_is_asked_and_named_and_the_title_is_what_was_typed(calm):
    manager = manager_of({"commands": {"review": "Review this with care:"}})
    turn = await manager.run("/review figure 3", session="chat")
    events = await events_of(turn)
    assert prompt_of(calm) == "Review this with care: figure 3"
    assert "/review of root" in events[0].notes
    assert isinstance(events[0], TurnStarted)
    assert (turn_of(manager).prompt, manager.sessions.load("chat").title) == (
        "Review this with care: figure 3",
        "/review figure 3",
    )


@on_a_loop
async def test_a_command_that_is_misspelled_is_sent_as_typed_with_a_warning(calm):
    manager = manager_of({"commands": {"review": "Review this."}})
    turn = await manager.run("/reviw figure 3", session="chat")
    [warning] = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert prompt_of(calm) == "/reviw figure 3"
    assert warning == "/reviw is not a command, so it was sent as it was typed; did you mean 'review'?"


@on_a_loop
async def test_a_command_can_be_queued():
    gate = Gate()
    manager = manager_of({"commands": {"review": "Review this with care:"}, "model": "gate"})
    turn = await manager.run("Hi", session="chat")
    await said(turn)
    await manager.queue(Request(prompt="/review figure 3", session="chat"))
    assert turn_of(manager).waiting == ["Review this with care: figure 3"]
    gate.open.set()
    injected = [event.text for event in await events_of(turn) if isinstance(event, MessageInjected)]
    assert injected == ["Review this with care: figure 3"]


@on_a_loop
async def test_variables_in_a_command_are_those_of_the_environment(calm, monkeypatch):
    monkeypatch.setenv("COURSE", "statistics")
    manager = manager_of({"commands": {"plan": "Plan ${env.COURSE} in ${env.WEEKS || 'twelve'} weeks"}})
    await ask(manager, "/plan")
    assert prompt_of(calm) == "Plan statistics in twelve weeks"


# Structured answers

MARKS = {
    "name": "marks",
    "schema": {
        "type": "object",
        "properties": {"exercise": {"type": "string"}, "mark": {"type": "integer", "minimum": 1}},
        "required": ["exercise", "mark"],
    },
}


@on_a_loop
async def test_the_agents_form_of_answers_is_asked_for_and_checked():
    good = {"exercise": "1a", "mark": 2}
    model = script("marks", call("final_result", {"exercise": "1a", "mark": 0}), call("final_result", good))
    manager = manager_of({"model": "marks", "structured_output": MARKS})
    result = await ask(manager)
    assert (result.status, result.value) == ("completed", good)
    assert "mark: 0 is less than the minimum of 1" in prompt_of(model)
    stored = turn_of(manager).value
    assert (stored.json, stored.type) == (good, "marks")


@on_a_loop
async def test_a_type_that_the_user_asks_for_comes_before_the_agents_form():
    script("marks", call("final_result", {"value": [1, 2]}))
    manager = manager_of({"model": "marks", "structured_output": MARKS})
    assert (await ask(manager, output_type=list[int])).value == [1, 2]


@on_a_loop
async def test_a_form_that_is_not_an_object_is_wrapped():
    script("marks", call("final_result", {"value": [3]}))
    form = {"name": "numbers", "schema": {"type": "array", "items": {"type": "integer"}}}
    assert (await ask(manager_of({"model": "marks", "structured_output": form}))).value == [3]


@on_a_loop
async def test_a_form_that_is_no_schema_is_an_error_before_anything_is_stored():
    manager = manager_of({"structured_output": {"name": "odd", "schema": {"type": "nonsense"}}})
    with pytest.raises(AgentsFileError, match=r"^the structured_output odd has no valid JSON schema"):
        await ask(manager)
    assert manager.sessions.summaries() == ([], [])


def test_a_schema_fetches_nothing_and_can_be_pickled():
    with pytest.raises(Exception, match="Unresolvable"):
        SchemaType("far", {"type": "object", "$ref": "http://127.0.0.1:9/x.json"}).of_json({})
    marks = SchemaType("marks", MARKS["schema"])
    assert pickle.loads(pickle.dumps(marks)) == marks  # noqa: S301  our own
    assert marks != SchemaType("marks", {"type": "object"})


# What the session begins with


@on_a_loop
async def test_the_welcome_is_shown_when_a_session_begins_and_only_then():
    manager = manager_of({"welcome_message": "Hello!\n\nAsk me about  means."})
    turn = await manager.run("Hi", session="chat")
    first = (await events_of(turn))[0]
    assert first.notes == ("Hello! Ask me about means.", "new session 'chat', answered by root with calm")
    turn = await manager.run("Hi", session="chat")
    assert (await events_of(turn))[0].notes == ()


# Texts that join the instructions


@on_a_loop
async def test_the_date_the_environment_and_files_join_the_instructions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "style.md").write_text("Write short sentences.\n")
    (tmp_path / "agents.yaml").write_text(
        "agents: {root: {instruction: Help., add_date: true, add_environment_info: true, add_prompt_files: [style.md]}}"
    )
    manager = SessionManager(MemoryStore(), Models("calm"), Agents(tmp_path / "agents.yaml"))
    before = datetime.now().astimezone()
    await ask(manager)
    instruction, date, *environment, style, text = turn_of(manager).system.split("\n\n")
    assert instruction == "Help."
    assert date in {f"Today's date is {day:%Y-%m-%d (%A)}." for day in (before, datetime.now().astimezone())}
    assert f"Working directory: {tmp_path}\nIn a git repository: yes\nOperating system: " in environment[0]
    assert (style, text) == ("From the file style.md:", "Write short sentences.")


@on_a_loop
async def test_a_prompt_file_that_does_not_exist_is_told_once_and_one_elsewhere_is_refused(tmp_path):
    path = tmp_path / "here" / "agents.yaml"
    path.parent.mkdir()
    path.write_text("agents: {root: {add_prompt_files: [none.md]}, spy: {add_prompt_files: [../secret.md]}}")
    (tmp_path / "secret.md").write_text("secret")
    manager = SessionManager(MemoryStore(), Models("calm"), Agents(path))
    turn = await manager.run("Hi", session="chat")
    warned = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert warned == ["none.md, which root adds to its instructions, does not exist"]
    with pytest.raises(AgentsFileError, match="is not below the directory of the agents file"):
        await ask(manager, agent="spy")


@pytest.fixture
def project(tmp_path):
    """A manager whose notebook lies beside an AGENTS.md."""
    (tmp_path / "AGENTS.md").write_text("Use polars.\n")
    agents = Agents()
    agents.surroundings = Surroundings(tmp_path, agents_md=True)
    return SessionManager(MemoryStore(), Models("calm"), agents)


@on_a_loop
async def test_agents_md_beside_the_notebook_joins_all_instructions(project):
    turn = await project.run("Hi", session="chat")
    assert "AGENTS.md joins the instructions" in (await events_of(turn))[0].notes
    assert turn_of(project).system == "From the file AGENTS.md:\n\nUse polars."
    await ask(project, system="Be brief.")
    assert turn_of(project).system == "Be brief.\n\nFrom the file AGENTS.md:\n\nUse polars."
    await ask(project, system="")
    assert turn_of(project).system == ""


@on_a_loop
async def test_agents_md_is_not_sent_where_that_is_off_or_twice(project, tmp_path):
    (tmp_path / "agents.yaml").write_text("agents: {root: {add_prompt_files: [AGENTS.md]}}")
    await ask(project)
    assert turn_of(project).system.count("Use polars.") == 1
    (tmp_path / "agents.yaml").unlink()
    project.agents.surroundings = Surroundings(tmp_path, agents_md=False)
    await ask(project, session="new", agent="assistant")
    assert turn_of(project, "new").system == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe", "it is not UTF-8"), (b"x" * 200_001, "it has more than 200,000 characters")],
)
@on_a_loop
async def test_an_agents_md_that_cannot_be_sent_is_told_and_the_turn_goes_on(project, tmp_path, content, why):
    (tmp_path / "AGENTS.md").write_bytes(content)
    turn = await project.run("Hi", session="chat")
    [warning] = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert warning.startswith(f"AGENTS.md is not sent: {why}")
    assert (await turn.result()).text == "fine"


def test_there_is_nothing_to_join_where_there_is_no_directory_or_the_file_vanishes(tmp_path, monkeypatch):
    assert of_directory(Surroundings()).texts == {}
    monkeypatch.setattr(Surroundings, "has_agents_md", True)
    assert of_directory(Surroundings(tmp_path, agents_md=True)).texts == {}


def test_a_directory_or_a_blank_file_called_agents_md_is_nothing_to_send(project, tmp_path):
    (tmp_path / "AGENTS.md").write_text("  \n")
    assert project.agents.answering().additions == {}
    (tmp_path / "AGENTS.md").unlink()
    (tmp_path / "AGENTS.md").mkdir()
    assert "AGENTS.md is not sent: " in project.agents.answering().warnings[0]


def test_an_agents_md_that_is_a_link_to_another_directory_is_not_read(project, tmp_path, tmp_path_factory):
    path, secret = tmp_path / "AGENTS.md", tmp_path_factory.mktemp("home") / "secret"
    secret.write_text("secret")
    path.unlink()
    path.symlink_to(secret)
    agent = project.agents.answering()
    assert (agent.additions, agent.warnings) == (
        {}, ("AGENTS.md is not sent: it is a link to another directory; copy the file",),
    )  # fmt: skip
    path.unlink()
    (tmp_path / "CLAUDE.md").write_text("Use polars.")
    path.symlink_to("CLAUDE.md")
    assert "Use polars." in project.agents.answering().additions["AGENTS.md"]


# What an agent does without


def test_what_we_do_not_have_yet_is_told_of_an_agent_that_wants_it():
    file = {
        "models": {"quick": {"model": "calm", "provider_opts": {"a": 1}}},
        "agents": {
            "root": {
                "model": "quick",
                "toolsets": [{"type": "think"}, {"type": "shell", "model": "test"}, {"type": "think"}],
                "sub_agents": ["helper"],
                "handoffs": ["helper"],
            },
            "helper": {"toolsets": [{"type": "todo"}]},
        },
    }
    agents = Agents(file)
    root, helper = agents.answering(), agents.answering("helper")
    assert root.notes == (
        "the model of the turn reads what shell returns; model has no effect there",
        "agents: a in the provider_opts of the model quick has no effect",
    )
    assert helper.notes == ()
    assert [each.type for each in root.toolsets] == ["think", "shell", "think"]


@pytest.mark.parametrize(
    ("model", "settings", "note"),
    [
        (
            {"provider": "openai", "provider_opts": {"service_tier": "flex", "seed": 7}},
            {"service_tier": "flex", "seed": 7},
            "",
        ),
        (
            {"provider": "openai", "provider_opts": {"transport": "ws", "seed": "often"}},
            {},
            "agents: transport, seed in the provider_opts of the model m have no effect",
        ),
        (
            {"provider": "dmr", "provider_opts": {"runtime_flags": "-ub 1024"}},
            {},
            "agents: runtime_flags in the provider_opts of the model m has no effect",
        ),
        (
            {"provider": "openai", "base_url": "http://127.0.0.1:1/v1", "provider_opts": {"stream": False}},
            {},
            "agents: stream in the provider_opts of the model m has no effect",
        ),
        ({"provider": "openai", "temperature": 0.5, "provider_opts": {"temperature": 1}}, {"temperature": 0.5}, ""),
    ],
)
def test_options_of_a_model_are_settings_or_are_told_to_have_no_effect(model, settings, note):
    agent = Agents({"models": {"m": {"model": "x", **model}}, "agents": {"root": {"model": "m"}}}).answering()
    assert agent.names.models["m"].settings == settings
    assert agent.notes == ((note,) if note else ())


def test_option_without_effect_is_told_with_its_file_and_line(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text(
        "models:\n"
        "  small:\n"
        "    provider: dmr\n"
        "    model: ai/qwen3\n"
        "    provider_opts:\n"
        "      runtime_flags: [--ngl=33]\n"
        "  here: {provider: ollama, model: llama3.2, provider_opts: {num_ctx: 8192}}\n"
        "agents: {root: {model: small, fallback: {models: [here]}}}\n"
    )
    assert Agents(path).answering().notes == (
        f"{path}:7: num_ctx in the provider_opts of the model here has no effect",
        f"{path}:5: runtime_flags in the provider_opts of the model small has no effect",
    )


# Models of several agents


@pytest.fixture
def team():
    script("bold", "sure")
    return SessionManager(
        MemoryStore(),
        Models("calm"),
        Agents({"models": {"quick": {"model": "bold", "temperature": 1}}, "agents": {"root": {}, "critic": {}}}),
    )


@on_a_loop
async def test_each_agent_has_an_override_of_its_own(team):
    await ask(team, models={"critic": "quick", "root": "bold"})
    await ask(team, agent="critic")
    await ask(team, agent="root", models={"critic": "default"})
    session = team.sessions.load("chat")
    assert [(turn.agent, turn.model) for turn in session.turns] == [
        ("root", "bold"), ("critic", "quick"), ("root", "bold"),
    ]  # fmt: skip
    assert session.agent_model_overrides == {"root": "bold"}


@pytest.mark.parametrize(
    ("models", "error", "words"),
    [
        ({"critc": "bold"}, UnknownAgentError, "no agent named 'critc'; did you mean 'critic'?"),
        (
            {"root": "bold", "critic": "quik"},
            ModelReferenceError,
            "'quik' is not a model reference; did you mean 'quick'?",
        ),
        ({"critic": 3}, UsageError, "the model of critic is of type int; give a string"),
    ],
)
@on_a_loop
async def test_a_wrong_name_or_model_of_one_agent_changes_nothing(team, models, error, words):
    with pytest.raises(error) as caught:
        await ask(team, models=models)
    assert str(caught.value) == words
    assert team.sessions.summaries() == ([], [])


@on_a_loop
async def test_once_does_not_go_with_models_of_several_agents(team):
    with pytest.raises(UsageError, match=r"^--once goes with the model of this turn only"):
        await ask(team, models={"root": "bold"}, once=True)


# Settings and where they come from


@on_a_loop
async def test_the_nearest_settings_win_turn_session_named_model_kernel(team):
    model = script("bold", "sure")
    team.agents.settings = {"temperature": 0.1, "seed": 1, "top_k": 1}
    await ask(team, model="quick", settings={"top_p": 0.5})
    assert model.sent_settings[-1] == {"temperature": 1, "seed": 1, "top_k": 1, "top_p": 0.5}
    team.sessions.set_settings("chat", {"temperature": 0.7, "top_k": 5})
    await ask(team, settings={"top_k": 9})
    assert model.sent_settings[-1] == {"temperature": 0.7, "seed": 1, "top_k": 9}
    assert turn_of(team).settings == {"temperature": 0.7, "seed": 1, "top_k": 9}


@on_a_loop
async def test_the_members_of_an_alloy_keep_the_settings_of_their_names(team):
    bold, calm = script("bold", "sure"), script("calm", "fine")
    team.models.choose = lambda members: members[len(bold.sent) % 2]
    team.agents.settings = {"temperature": 0.1}
    await ask(team, model="quick,calm")
    await ask(team)
    assert (bold.sent_settings[-1]["temperature"], calm.sent_settings[-1]["temperature"]) == (1, 0.1)
    assert turn_of(team).settings == {}
    assert [(each.value, each.level) for each in in_force(team.sessions, team.sessions.load("chat"))] == [
        (0.1, "kernel"),
        (1, "model quick"),
    ]


@on_a_loop
async def test_each_setting_and_instruction_says_where_it_comes_from(project, tmp_path):
    (tmp_path / "agents.yaml").write_text(
        "models: {quick: {model: calm, temperature: 0.2, top_p: 0.5}}\n"
        "agents: {root: {model: quick, instruction: Help.}}"
    )
    project.agents.settings, project.agents.system = {"top_p": 0.9, "seed": 7}, "Of the kernel."
    await ask(project)
    project.sessions.set_settings("chat", {"temperature": 0})
    found = in_force(project.sessions, project.sessions.load("chat"))
    assert sorted((each.setting, each.value, each.level) for each in found if each.setting != "system") == [
        ("seed", 7, "kernel"),
        ("temperature", 0, "session"),
        ("top_p", 0.5, "model quick"),
    ]
    assert [each.level for each in found if each.setting == "system"] == ["agent root", "AGENTS.md"]
    project.sessions.set_settings("chat", system="Be brief.")
    found = in_force(project.sessions, project.sessions.load("chat"))
    assert [each.level for each in found if each.setting == "system"] == ["session", "AGENTS.md"]
