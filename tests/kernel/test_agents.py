"""Agents files: found beside the notebook, listed, loaded, and answering."""

import re

import pytest

from tests.kernel.acting import told
from tests.kernel.conftest import restarted

pytestmark = pytest.mark.once

TUTOR = """
models:
  quick: {model: recalls, temperature: 0.2}
agents:
  root:
    model: hello
    description: Greets.
  tutor:
    model: quick
    description: Explains one step at a time.
    instruction: Explain one step at a time.
"""


@pytest.fixture
def notebook(kernel, tmp_path):
    """The directory of the notebook, which is the kernel's working directory."""
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})").ok()
    yield tmp_path
    kernel.run(f"os.chdir({str(kernel.home)!r})").ok()


@pytest.fixture
def file(notebook):
    path = notebook / "agents.yaml"
    path.write_text(TUTOR)
    return path


@pytest.mark.usefixtures("file")
def test_an_agent_of_the_file_beside_the_notebook_answers_with_its_model_and_instruction(kernel, session):
    cell = kernel.run(f"%%agent --agent tutor -s {session}\nWhat is a mean?").ok()
    assert cell.answer["data"]["text/plain"].splitlines()[-1] == "user-prompt: What is a mean?"
    assert " · tutor · " in cell.footer["data"]["text/plain"]
    assert cell.footer["metadata"]["sessionmagic"]["agent"] == "tutor"
    sent = kernel.run(f"%agent show {session} --sent").ok().text
    assert "Explain one step at a time." in sent
    shown = kernel.run(f"%agent show {session}").ok()
    assert "temperature=0.2" in shown.text
    assert "tutor" in shown.text


def test_a_session_goes_on_with_its_agent_and_its_model_after_a_restart(kernel, file, session):
    kernel.run(f"%%agent --agent tutor -s {session}\nfirst").ok()
    restarted(kernel)
    kernel.run(f"import os; os.chdir({str(file.parent)!r})").ok()
    cell = kernel.run(f"%%agent -s {session}\nsecond").ok()
    assert " · tutor · " in cell.footer["data"]["text/plain"]
    assert "user-prompt: first" in cell.text


@pytest.mark.usefixtures("file")
def test_agents_are_listed_with_their_models_and_the_one_that_answers_is_marked(kernel, session):
    kernel.run(f"%%agent --agent tutor -s {session}\nhi").ok()
    kernel.run(f"found = %agent agents -s {session}").ok()
    assert kernel.value("[(a.name, a.model, a.default, a.answers) for a in found]") == repr(
        [("root", "hello", True, False), ("tutor", "quick", False, True), ("assistant", "local", False, False)]
    )
    text = kernel.run(f"%agent agents -s {session}").ok().text
    assert "root (default)" in text
    assert f"▸ answers the next turn of {session}" in text


def test_without_a_file_the_list_says_where_one_is_looked_for(kernel, notebook):
    text = kernel.run("%agent agents").ok().text
    assert f"no agents.yaml in {notebook}; %agent agents load PATH loads a file" in text


def test_what_is_not_understood_is_listed_with_its_line(kernel, file):
    file.write_text("agents:\n  root:\n    model: hello\n    shout: true\n")
    text = kernel.run("%agent agents").ok().text
    assert "agents.yaml:4: agents.root.shout is not understood; ignored, and an error when an agent needs it" in text
    cell = kernel.run("%%agent --new\nhi")
    assert (cell.ename, cell.evalue) == (
        "AgentsFileError",
        "agents.yaml:4: the agent 'root' needs the key shout (agents.root), which is not understood; remove it",
    )


def test_agent_whose_model_needs_what_is_not_understood_answers_with_another_model(kernel, file, session):
    file.write_text("models:\n  m: {provider: openai, model: x, routing: [1]}\nagents:\n  root: {model: m}\n")
    cell = kernel.run(f"%%agent -s {session}\nhi")
    problem = "'m' needs the key routing (models.m) in agents.yaml:2, which is not understood; remove it"
    assert cell.evalue == f"no --model was given, and the model of agent 'root' cannot be used: {problem}"
    assert kernel.run(f"%%agent -s {session} -m hello\nhi").ok().text == "Hello **world**"


def test_agents_and_models_of_the_file_are_completed(kernel, file):
    assert file.exists()
    assert kernel.complete("%%agent --agent tu") == ["%%agent --agent tutor"]
    assert kernel.complete("%%agent --model qui") == ["%%agent --model quick"]
    assert kernel.complete("%agent agents lo") == ["%agent agents load"]
    assert "quick" in kernel.run("%agent models").ok().text


@pytest.mark.usefixtures("file")
def test_the_model_of_a_session_says_what_its_name_stands_for(kernel, session):
    kernel.run(f"%%agent -s {session}\nhi").ok()
    assert kernel.run(f"%agent model quick -s {session}").ok().text == f"{session}, root: quick (recalls)\n"


def test_settings_and_instructions_say_where_they_come_from(kernel, file, session):
    (file.parent / "AGENTS.md").write_text("Use polars.")
    kernel.run(f"%%agent --agent tutor -s {session}\nhi").ok()
    kernel.run(f"%agent set seed=7 -s {session}").ok()
    shown = kernel.run(f"%agent show {session}").ok().text.splitlines()[0]
    assert shown == (
        f"settings of {session}: temperature=0.2 (model quick) · seed=7 (session) · "
        "--system 'Explain one step at a time.' (agent tutor) · with AGENTS.md"
    )
    listed = kernel.run(f"%agent set -s {session}").ok().text
    assert [line.split()[0] for line in listed.splitlines()[1:3]] == ["temperature", "seed"]
    kernel.run("%config AgentMagics.agents_md = False").ok()
    assert "AGENTS.md" not in kernel.run(f"%agent context {session}").ok().text
    kernel.run("%config AgentMagics.agents_md = True").ok()


def test_context_shows_what_agents_md_takes_of_the_instructions(kernel, file, session):
    (file.parent / "AGENTS.md").write_text("Use polars. " * 50)
    kernel.run(f"%%agent --agent tutor -s {session}\nhi").ok()
    text = kernel.run(f"%agent context {session}").ok().text
    [whole] = map(int, re.findall(r"^instructions +~(\d+)", text, re.MULTILINE))
    [part] = map(int, re.findall(r"^AGENTS.md is about (\d+) tokens of the instructions$", text, re.MULTILINE))
    assert 0.8 * whole < part < whole


@pytest.mark.usefixtures("file")
def test_models_of_several_agents_are_set_on_one_line(kernel, session):
    kernel.run(f"%%agent -m root=recalls tutor=hello -s {session}\nhi").ok()
    assert kernel.run(f"%agent model -s {session}").ok().text == f"{session}, root: recalls"
    assert kernel.run(f"%agent model -a tutor -s {session}").ok().text == f"{session}, tutor: hello"
    assert kernel.run(f"%agent model default -a tutor -s {session}").ok().text == (
        f"{session}, tutor: quick (the default) (recalls)\n"
    )
    assert kernel.complete("%%agent -m root=hello tu") == ["%%agent -m root=hello tutor="]
    assert kernel.complete("%%agent -m root=rec") == ["%%agent -m root=recalls"]
    for line, problem in (
        ("-m hello What is a mean?", "'What is a mean?' follows the model 'hello'; the prompt comes below this line"),
        ("-m root=hello tutor=hello root=recalls", "root is given two models; give it one"),
        ("-m root=hello critic=recalls", "no agent named 'critic'; the agents of agents.yaml are root, tutor"),
    ):
        cell = kernel.run(f"%%agent -s {session} {line}\nhi")
        assert cell.evalue.startswith(problem)


def test_rules_of_the_file_are_part_of_what_happens_to_calls_of_tools(kernel, file, session):
    file.write_text("permissions: {deny: [run_python], allow: ['insert_*']}\nagents: {root: {model: hello}}")
    cell = kernel.run(f"%%agent -s {session}\nhi").ok()
    assert "allow insert_*; %agent agents load agents.yaml --confirm allows it" in cell.html
    decisions = f"{{t.name: t.decision for t in get_ipython().run_line_magic('agent', 'tools {session}')}}"
    assert "'run_python': 'is denied: the agents file has a deny rule for run_python'" in kernel.value(decisions)
    text = kernel.run("%agent agents").ok().text
    assert "⚠ agents.yaml asks for what you have not confirmed" in text


def test_budgets_of_the_file_are_listed_with_their_owners(kernel, file, session):
    file.write_text(
        "budget: {max_tokens: 90_000}\n"
        "agents:\n"
        "  root: {model: hello, budget: {max_cost: 2, max_tokens: 5}, sub_agents: [helper]}\n"
        "  helper: {model: hello, description: helps, budget: {max_tokens: 70}, handoffs: [root]}"
    )
    kernel.run("%config AgentMagics.prices = {'hello': [0, 0]}").ok()
    kernel.run(f"%%agent -s {session}\nhi").ok()
    listed = kernel.run(f"%agent set -s {session}").ok().text
    budgets = [" ".join(line.split()) for line in listed.splitlines() if line.startswith("budget")]
    assert budgets == [
        "budget 5 tokens, $2 agent 'root'",
        "budget 90,000 tokens the budget of agents.yaml",
        "budget 70 tokens agent 'helper'",
    ]
    assert kernel.run(f"%agent show {session}").ok().text.splitlines()[0] == (
        f"budgets of {session}: 5 tokens, $2 (agent 'root') · 90,000 tokens (the budget of agents.yaml) · "
        "70 tokens (agent 'helper')"
    )
    assert "has used" in kernel.run(f"%%agent -s {session}\nhi").evalue
    kernel.run("%config AgentMagics.prices = {}").ok()


def test_a_file_that_breaks_while_the_kernel_runs_is_told_and_goes_on(kernel, file, session):
    kernel.run(f"%%agent -s {session}\nhi").ok()
    file.write_text("agents: [")
    cell = kernel.run(f"%%agent -s {session}\nhi").ok()
    assert "its agents go on as they were loaded before" in cell.html
    assert " · root · " in cell.footer["data"]["text/plain"]
    assert "⚠ agents.yaml:1" in kernel.run("%agent agents").ok().text


# The last one, as what is loaded stays


def test_a_file_or_a_dict_is_loaded_by_name(kernel, notebook, session):
    (notebook / "course.yaml").write_text("agents: {coach: {model: hello, instruction: Train.}}")
    text = kernel.run("%agent agents load course.yaml").ok().text
    assert text.splitlines() == [
        "course.yaml has 1 agent: coach",
        "coach answers new sessions; --agent NAME asks another one",
    ]
    kernel.run("class_of = {'agents': {'marker': {'model': 'hello', 'loud': 1}}}").ok()
    assert "⚠ class_of: agents.marker.loud is not understood" in kernel.run("%agent agents load class_of").ok().text
    strict = kernel.run("%agent agents load class_of --strict")
    assert strict.ename == "AgentsFileError"
    kernel.run(f"%%agent -s {session} -a coach\nhi")
    cell = kernel.run(f"%%agent -s {session} -a coach\nhi")
    assert cell.evalue == "no agent named 'coach'; the agents of class_of are marker"
    for name, problem in (("none.yaml", "the file cannot be read"), ("os", "os is of type module; give a dict")):
        assert problem in kernel.run(f"%agent agents load {name}").evalue


def test_loading_a_file_tells_what_has_no_effect_in_it(kernel, notebook):
    (notebook / "small.yaml").write_text(
        "models: {m: {provider: dmr, model: ai/qwen3, provider_opts: {runtime_flags: [--ngl=33]}}}\n"
        "agents: {root: {model: hello}, worker: {model: m}}"
    )
    text = kernel.run("%agent agents load small.yaml").ok().text
    assert "⚠ small.yaml:1: runtime_flags in the provider_opts of the model m has no effect" in text


def test_powers_hold_when_they_are_confirmed(kernel, notebook, session):
    (notebook / "course.yaml").write_text("permissions: {allow: [insert_cell]}\nagents: {root: {model: hello}}")
    text = kernel.run("%agent agents load course.yaml").ok().text
    assert "⚠ not confirmed, so it does not hold: allow insert_cell; --confirm allows it" in text
    assert "not confirmed" not in kernel.run("%agent agents load course.yaml --confirm").ok().text
    assert "confirmed" not in kernel.run(f"%%agent -s {session}\nhi").ok().html
    decisions = f"{{t.name: t.decision for t in get_ipython().run_line_magic('agent', 'tools {session}')}}"
    assert "'insert_cell': 'runs: the agents file has an allow rule for insert_cell'" in kernel.value(decisions)


TOOLS = """
agents:
  root:
    model: acts
    toolsets:
      - type: filesystem
      - {type: mcp, command: weather-server}
"""


def test_tools_of_the_file_are_listed_and_work_in_the_directory_of_the_notebook(kernel, acts, notebook, session):
    (notebook / "agents.yaml").write_text(TOOLS)
    (notebook / "rain.csv").write_text("may,41")
    acts([("read_file", {"path": "rain.csv"})], "Done.")
    kernel.run("%agent agents load agents.yaml").ok()
    cell = kernel.run(f"%%agent -s {session}\nlook").ok()
    assert told(kernel) == [("read_file", "success", "may,41")]
    assert "start weather-server; %agent agents load agents.yaml --confirm allows it" in cell.html
    rows = {row.split()[0]: row for row in kernel.run(f"%agent tools -s {session}").ok().text.splitlines()}
    assert "runs: " in rows["read_file"]
    assert "asks: " in rows["write_file"]
