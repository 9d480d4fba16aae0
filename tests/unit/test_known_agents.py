"""Which agent answers: named by the user, kept by the session, or the default of the file in use."""

import os

import pytest

from sessionmagic import Agents, MemoryStore, Models, SessionManager, TinyStore, export_session, import_session
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.agents.surroundings import Surroundings
from sessionmagic.conversation.events import Warned
from sessionmagic.exceptions import AgentsFileError, UnknownAgentError
from sessionmagic.testing import script
from tests.turns import ask, events_of, on_a_loop

FILE = """
models:
  quick: {model: calm, temperature: 0.5}
agents:
  tutor: {model: quick, instruction: Explain.}
  root: {model: recalls, description: Plans.}
"""


@pytest.fixture(autouse=True)
def _models():
    script("calm", "fine")
    script("recalls", "I remember")


@pytest.fixture
def agents(tmp_path):
    """Agents that look for a file in a directory."""
    found = Agents()
    found.surroundings = Surroundings(tmp_path)
    return found


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text(FILE)
    return path


def edit(path, text):
    """Change a file, and its time, as edits that follow each other within a tick of the clock would not."""
    path.write_text(text)
    at = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(at, at))


def manager_with(agents, store=None):
    return SessionManager(store or MemoryStore(), Models("calm"), agents)


async def warnings_of(manager, **options):
    turn = await manager.run("Hello", session="chat", **options)
    return [event.text for event in await events_of(turn) if isinstance(event, Warned)]


def agent_of(manager, session="chat"):
    stored = manager.sessions.load(session)
    return stored.current_agent, stored.agents_source


# The default and the named one


def test_without_a_file_the_built_in_agent_answers(agents):
    assert agents.current() is None
    assert agents.answering().name == "assistant"
    assert agents.names() == ["assistant"]


@pytest.mark.usefixtures("file")
def test_root_of_the_file_is_the_default_and_the_built_in_agent_can_still_be_named(agents):
    assert agents.answering().name == "root"
    assert agents.answering("assistant").name == "assistant"
    assert agents.names() == ["tutor", "root", "assistant"]


def test_the_first_agent_is_the_default_where_none_is_called_root(agents, tmp_path):
    (tmp_path / "agents.yml").write_text("agents: {one: {}, two: {}}")
    assert agents.answering().name == "one"


@pytest.mark.usefixtures("file")
def test_an_unknown_agent_is_an_error_with_a_suggestion_or_the_files_names(agents):
    with pytest.raises(UnknownAgentError, match=r"^no agent named 'tuto'; did you mean 'tutor'\?$"):
        agents.answering("tuto")
    with pytest.raises(UnknownAgentError, match=r"^no agent named 'x'; the agents of agents.yaml are tutor, root$"):
        agents.answering("x")


@on_a_loop
async def test_an_unknown_agent_leaves_no_trace(agents, file, home):
    manager = manager_with(agents, TinyStore(home))
    with pytest.raises(UnknownAgentError):
        await ask(manager, agent="x", model="recalls")
    assert manager.sessions.summaries() == ([], [])
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert file.exists()


def test_a_file_that_is_not_valid_stops_only_who_needs_it(agents, tmp_path):
    (tmp_path / "agents.yaml").write_text("agents: [")
    with pytest.raises(AgentsFileError, match=r"agents\.yaml:1: .* \(--agent assistant asks the built-in agent\)$"):
        agents.answering()
    with pytest.raises(AgentsFileError, match=r"agents\.yaml:1"):
        agents.answering("tutor")
    assert agents.answering("assistant").name == "assistant"
    assert agents.answering("", "assistant").name == "assistant"


def test_a_file_that_is_not_valid_leaves_the_built_in_names(agents, tmp_path):
    (tmp_path / "agents.yaml").write_text("agents: [")
    assert agents.names() == ["assistant"]
    assert agents.if_usable() is None


# The session keeps its agent


@on_a_loop
async def test_a_session_goes_on_with_its_agent_and_its_model(agents, file, home):
    await ask(manager_with(agents, TinyStore(home)), agent="tutor")
    again = Agents()  # of another kernel, in another directory
    manager = manager_with(again, TinyStore(home))
    await ask(manager)
    assert agent_of(manager) == ("tutor", str(file))
    first, second = manager.sessions.load("chat").turns
    assert (first.agent, first.model, first.system) == (second.agent, second.model, second.system)
    assert (second.agent, second.model, second.system) == ("tutor", "quick", "Explain.")
    assert second.settings == {"temperature": 0.5}


@pytest.mark.usefixtures("file")
@on_a_loop
async def test_another_agent_named_later_is_the_sessions_from_then_on(agents):
    manager = manager_with(agents)
    for name in ("tutor", "root", "", "assistant", ""):
        await ask(manager, agent=name)
    assert [turn.agent for turn in manager.sessions.load("chat").turns] == [
        "tutor", "root", "root", "assistant", "assistant",
    ]  # fmt: skip
    assert agent_of(manager) == ("assistant", "")


@on_a_loop
async def test_a_session_of_the_built_in_agent_keeps_it_when_a_file_comes(agents, tmp_path):
    manager = manager_with(agents)
    await ask(manager)
    (tmp_path / "agents.yaml").write_text(FILE)
    await ask(manager)
    await ask(manager, session="new")
    assert agent_of(manager) == ("assistant", "")
    assert agent_of(manager, "new") == ("root", str(tmp_path / "agents.yaml"))


@on_a_loop
async def test_two_files_with_an_agent_of_one_name_are_not_mixed_up(agents, file, tmp_path):
    manager = manager_with(agents)
    await ask(manager)
    other = tmp_path / "other"
    other.mkdir()
    (other / "agents.yaml").write_text("agents: {root: {instruction: Another.}}")
    agents.surroundings = Surroundings(other)
    await ask(manager)
    await ask(manager, session="new")
    assert agent_of(manager) == ("root", str(file))
    assert manager.sessions.load("chat").turns[-1].system == ""
    assert manager.sessions.load("new").turns[-1].system == "Another."


@on_a_loop
async def test_a_directory_that_has_moved_is_found_again_and_told(agents, file, tmp_path, home):
    await ask(manager_with(agents, TinyStore(home)))
    moved = tmp_path / "moved"
    moved.mkdir()
    file.rename(moved / "agents.yaml")
    again = Agents()
    again.surroundings = Surroundings(moved)
    manager = manager_with(again, TinyStore(home))
    [warning] = await warnings_of(manager)
    assert warning == f"root is now that of {moved / 'agents.yaml'}, as {file} does not exist"
    assert agent_of(manager) == ("root", str(moved / "agents.yaml"))
    assert await warnings_of(manager) == []


@on_a_loop
async def test_a_session_whose_agent_is_gone_is_refused_until_another_one_is_named(agents, file):
    manager = manager_with(agents)
    await ask(manager, agent="tutor")
    edit(file, "agents: {root: {}}")
    with pytest.raises(UnknownAgentError) as caught:
        await ask(manager)
    assert str(caught.value) == (
        "the agent of this session, 'tutor', cannot answer: it is not in agents.yaml; name another one with --agent "
        "(root, assistant), or load its file with %agent agents load"
    )
    assert len(manager.sessions.load("chat").turns) == 1
    await ask(manager, agent="root")
    assert agent_of(manager) == ("root", str(file))


@on_a_loop
async def test_a_session_whose_file_is_gone_is_refused_where_no_other_agent_has_its_name(agents, file, home):
    await ask(manager_with(agents, TinyStore(home)), agent="tutor")
    file.unlink()
    manager = manager_with(Agents(), TinyStore(home))
    with pytest.raises(UnknownAgentError, match=f"cannot answer: {file} does not exist; name another one"):
        await ask(manager)


def test_colleague_that_has_left_the_file_is_not_called_the_agent_of_the_session(file):
    edit(file, "agents: {root: {sub_agents: [helper]}, helper: {}}")
    agents = Agents(file)
    root = agents.answering()
    edit(file, "agents: {root: {}}")
    assert str(agents.team(root)["helper"]) == "no agent named 'helper' is known here"


@on_a_loop
async def test_an_agent_that_no_file_has_defined_is_replaced_by_the_default_one_with_a_warning(agents):
    script_ = {"critic": AgentDefinition(name="critic")}
    store = MemoryStore()
    await ask(manager_with(Agents(definitions=script_), store))
    manager = manager_with(agents, store)
    [warning] = await warnings_of(manager)
    assert warning == "the agent of this session, 'critic', is not known here, so assistant answers"
    assert agent_of(manager) == ("assistant", "")
    assert await warnings_of(manager) == []


@on_a_loop
async def test_an_imported_session_reads_no_agents_file_that_its_author_names(agents, file, tmp_path):
    manager = manager_with(agents)
    await ask(manager, agent="tutor")
    export_session(manager.sessions.load("chat"), tmp_path / "chat.json")
    other = manager_with(Agents())
    import_session(other.store, tmp_path / "chat.json")
    assert agent_of(other) == ("tutor", "")
    assert file.exists()


# Files that change


@on_a_loop
async def test_a_changed_file_holds_from_the_next_turn_on_and_never_for_a_running_one(agents, file, gate):
    edit(file, "agents: {root: {model: gate, instruction: Before.}}")
    manager = manager_with(agents)
    turn = await manager.run("Hello", session="chat")
    edit(file, "agents: {root: {model: calm, instruction: After.}}")
    gate.open.set()
    assert (await turn.result()).text == "before after"
    await ask(manager)
    assert [turn.system for turn in manager.sessions.load("chat").turns] == ["Before.", "After."]


@pytest.mark.parametrize("change", [lambda file: file.unlink(), lambda file: edit(file, "agents: [")])
@on_a_loop
async def test_a_file_that_vanishes_or_is_no_longer_valid_goes_on_as_it_was_and_this_is_told(agents, file, change):
    manager = manager_with(agents)
    await ask(manager, agent="tutor")
    change(file)
    [warning] = await warnings_of(manager)
    assert warning.startswith("agents.yaml")
    assert warning.endswith("; its agents go on as they were loaded before")
    assert manager.sessions.load("chat").turns[-1].system == "Explain."
    edit(file, FILE) if file.exists() else file.write_text(FILE)
    assert await warnings_of(manager) == []


# What the user loads


def test_a_loaded_file_comes_before_the_one_beside_the_notebook(agents, file, tmp_path):
    other = tmp_path / "course.yaml"
    other.write_text("agents: {coach: {}}")
    agents.load(other)
    assert agents.names() == ["coach", "assistant"]
    assert agents.answering().source == str(other)
    agents.load(file)
    assert agents.answering().name == "root"


def test_a_file_that_cannot_be_loaded_changes_nothing(agents, tmp_path):
    agents.load({"agents": {"coach": {}}})
    with pytest.raises(AgentsFileError, match="the file cannot be read"):
        agents.load(tmp_path / "none.yaml")
    with pytest.raises(AgentsFileError, match="shout"):
        agents.load({"agents": {"loud": {"shout": True}}}, strict=True)
    assert agents.answering().name == "coach"


@pytest.mark.parametrize("path", ["~nobody-at-all/agents.yaml", "a" * 5_000, "a\0b"])
def test_a_path_that_cannot_be_is_an_error_in_one_line(agents, path):
    with pytest.raises(AgentsFileError, match="the file cannot be read"):
        agents.load(path)
    with pytest.raises(UnknownAgentError, match="does not exist"):
        agents.answering("", "tutor", f"/{path}")


@on_a_loop
async def test_a_dict_has_agents_too_and_its_sessions_go_on_while_it_is_loaded(home):
    manager = manager_with(Agents({"agents": {"coach": {"instruction": "Train."}}}), TinyStore(home))
    await ask(manager)
    await ask(manager)
    assert agent_of(manager) == ("coach", "agents")
    with pytest.raises(UnknownAgentError, match="cannot answer: the dict agents is not loaded; name another one"):
        await ask(manager_with(Agents(), TinyStore(home)))


def test_an_agent_that_needs_what_we_do_not_have_is_refused_when_it_is_used(agents, tmp_path):
    (tmp_path / "agents.yaml").write_text("agents: {a: {skills: true}, b: {}}")
    with pytest.raises(AgentsFileError, match=r"agents.yaml:1: the agent 'a' needs the key skills"):
        agents.answering("a")
    assert agents.answering("b").name == "b"


def test_definitions_of_a_script_answer_where_there_is_no_file():
    manager = SessionManager(MemoryStore(), Models("calm"), {"critic": AgentDefinition(name="critic")})
    assert manager.agents.answering().name == "critic"
    assert manager.agents.names() == ["critic"]


# Models of the file


@on_a_loop
async def test_a_named_model_is_an_override_of_its_session_and_is_listed(agents, file):
    manager = manager_with(agents)
    await ask(manager, agent="root", model="quick")
    await ask(manager)
    session = manager.sessions.load("chat")
    assert session.agent_model_overrides == {"root": "quick"}
    assert [turn.model for turn in session.turns] == ["quick", "quick"]
    assert manager.sessions.summaries()[0][0].model == "quick"
    assert file.exists()


@on_a_loop
async def test_an_override_of_a_model_that_left_the_file_is_told_and_the_agents_own_answers(agents, file):
    manager = manager_with(agents)
    await ask(manager, agent="root", model="quick")
    edit(file, "agents: {root: {model: recalls}}")
    [warning] = await warnings_of(manager)
    assert warning.startswith(
        "the session's model cannot be used, so recalls answers this turn: 'quick' is not a model"
    )
    assert manager.sessions.load("chat").turns[-1].model == "recalls"
    assert manager.sessions.summaries()[0][0].model == "unresolved (quick)"
    edit(file, FILE)
    await ask(manager)
    assert manager.sessions.load("chat").turns[-1].model == "quick"


@on_a_loop
async def test_a_model_of_the_file_that_is_misspelled_leaves_no_trace(agents, file):
    manager = manager_with(agents)
    with pytest.raises(Exception, match="did you mean 'quick'"):
        await ask(manager, agent="root", model="quik")
    assert manager.sessions.summaries() == ([], [])
    assert file.exists()
