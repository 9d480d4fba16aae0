"""A notebook that runs again, from one cell or from the top, in the ways of several front ends."""

import json

import pytest

from tests.kernel.conftest import restarted

pytestmark = pytest.mark.once


@pytest.fixture
def prompts(kernel, session):
    """Run a cell of this session, and return the prompts that its model has read."""

    def prompts(prompt, line="", **options):
        kernel.run(f"%%agent -m prompts -s {session} {line}\n{prompt}", **options).ok()
        return kernel.value("str(_agent)")[1:-1].split("\\n")

    return prompts


def test_cell_that_runs_again_takes_its_turns_place_and_says_the_way_back(kernel, session, prompts):
    for prompt in ("a", "b", "c"):
        prompts(prompt, cell_id=prompt)
    cell = kernel.run(f"%%agent -m prompts -s {session}\nedited", cell_id="b").ok()
    assert cell.text == "a\nedited"
    assert "in the place of turn 2; it and 1 later turn are kept" in cell.html
    assert f"%agent use {session}@3 goes back" in cell.html
    assert "the next turn continues turn 3" in kernel.run(f"%agent use {session}@3").ok().text
    assert prompts("d", cell_id="d") == ["a", "b", "c", "d"]


def test_restart_and_run_all_gives_the_same_conversation_once(kernel, prompts):
    first = [prompts(prompt, cell_id=prompt) for prompt in ("a", "b", "c")]
    restarted(kernel)
    second = [prompts(prompt, cell_id=prompt) for prompt in ("a", "b", "c")]
    assert first == second == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_numbered_ids_replace_the_turns_of_this_kernel_and_later_those_with_the_same_prompt(kernel, prompts):
    ids = [f"vscode-notebook-cell:/a%20b.ipynb#W{number}sZmlsZQ%3D%3D" for number in range(3)]
    prompts("a", cell_id=ids[0])
    prompts("b", cell_id=ids[1])
    assert prompts("edited", cell_id=ids[1]) == ["a", "edited"]
    restarted(kernel)
    assert prompts("a", cell_id=ids[0]) == ["a"]
    assert prompts("inserted", cell_id=ids[1]) == ["a", "inserted"]
    restarted(kernel)
    assert prompts("another", cell_id=ids[0]) == ["a", "inserted", "another"]


def test_cell_that_starts_several_turns_keeps_them_all(kernel, session, prompts):
    loop = f"for at in range(3):\n    get_ipython().run_cell_magic('agent', '-m prompts -s {session}', f'ask {{at}}')"
    prompts("before", cell_id="before")
    kernel.run(loop, cell_id="loop").ok()
    assert prompts("after", cell_id="after") == ["before", "ask 0", "ask 1", "ask 2", "after"]
    kernel.run(loop, cell_id="loop").ok()
    assert prompts("after", cell_id="after") == ["before", "ask 0", "ask 1", "ask 2", "after"]


def test_cell_that_starts_several_turns_reuses_them_all(kernel, session, prompts):
    loop = "for at in range({}):\n    get_ipython().run_cell_magic('agent', '-m prompts --reuse -s {}', f'ask {{at}}')"
    first = kernel.run(loop.format(3, session), cell_id="loop").ok()
    prompts("after", "--reuse", cell_id="after")
    assert saved(kernel.run(loop.format(3, session), cell_id="loop").ok()) == saved(first)
    assert kernel.value("_agent.reused, _agent.turn") == "(True, '3')"
    assert prompts("after", "--reuse", cell_id="after") == ["ask 0", "ask 1", "ask 2", "after"]
    assert kernel.value("_agent.reused, _agent.turn") == "(True, '4')"
    kernel.run(loop.format(4, session), cell_id="loop").ok()
    assert prompts("after", cell_id="after") == ["ask 0", "ask 1", "ask 2", "ask 3", "after"]


def test_queued_prompts_never_take_a_place(kernel, session, prompts):
    prompts("a", cell_id="a")
    for _ in range(2):
        kernel.run(f"%agent queue {session} b", cell_id="queue").ok()
        kernel.run(f"%agent stop {session}").ok()
    assert prompts("c", "--wait", cell_id="c")[0] == "a"


def test_cells_without_ids_are_appended(prompts):
    prompts("a")
    assert prompts("a") == ["a", "a"]


def test_fresh_cell_begins_anew_once_in_each_kernel(kernel, session, prompts):
    assert prompts("a", "--fresh") == ["a"]
    assert prompts("b", "--fresh") == ["a", "b"]
    restarted(kernel)
    cell = kernel.run(f"%%agent -m prompts -s {session} --fresh\na").ok()
    assert cell.text == "a"
    assert f"from the beginning again; 2 turns are kept: %agent use {session}@2 goes back" in cell.html
    assert prompts("b") == ["a", "b"]


def test_fresh_and_append_can_be_set_for_a_kernel(kernel, prompts):
    prompts("a", cell_id="a")
    kernel.run("%config AgentMagics.rerun = 'append'").ok()
    try:
        assert prompts("a", cell_id="a") == ["a", "a"]
    finally:
        kernel.run("%config AgentMagics.rerun = 'branch'").ok()
    restarted(kernel)
    kernel.run("%config AgentMagics.fresh = True").ok()
    try:
        assert prompts("other", cell_id="b") == ["other"]
    finally:
        kernel.run("%config AgentMagics.fresh = False").ok()


def test_notebook_goes_on_with_its_own_session_after_a_restart(start, tmp_path):
    here, elsewhere = tmp_path / "churn.ipynb", tmp_path / "elsewhere" / "churn.ipynb"
    elsewhere.parent.mkdir()
    for path in (here, elsewhere):
        path.touch()
    first = start(JPY_SESSION_NAME=str(here))
    assert "new session" in first.run("%%agent -m prompts\na").ok().html
    assert first.run("%%agent\nb").ok().text == "a\nb"
    other = start(JPY_SESSION_NAME=str(elsewhere))
    assert other.run("%%agent -m prompts\nc").ok().text == "c"
    first.run("%%agent --new -m prompts\nd").ok()
    assert first.value("_agent.session") == "'churn-3'"
    for kernel in (first, other):
        restarted(kernel)
    assert first.run("%%agent\ne").ok().text == "d\ne"
    assert other.run("%%agent\nf").ok().text == "c\nf"
    first.run("%agent delete churn --yes").ok()
    restarted(first)
    assert first.run("%%agent\ng").ok().text == "d\ne\ng"


def saved(cell):
    """Return the outputs of a cell as a front end writes them into the notebook's file."""
    return json.dumps([[output["type"], output["data"], output["metadata"]] for output in cell.everything])


def test_unchanged_cells_show_their_stored_answers_after_a_restart(kernel, session):
    kernel.run("%config AgentMagics.reuse = True").ok()
    cell = f"%%agent -m prompts -s {session}\nab $`x`"
    kernel.run("x = 1").ok()
    first = kernel.run(cell, cell_id="ab").ok()
    restarted(kernel)
    kernel.run("%config AgentMagics.reuse = True\nx = 1").ok()
    second = kernel.run(cell, cell_id="ab").ok()
    assert kernel.value("_agent.reused, _agent.turn") == "(True, '1')"
    assert saved(second) == saved(first)
    assert "the stored answer of turn 1, not asked again" in second.words
    kernel.run("x = 2").ok()
    assert kernel.run(cell, cell_id="ab").ok().text == "ab 2"
    assert kernel.value("_agent.reused") == "False"
    kernel.run("%config AgentMagics.reuse = False").ok()


DISPLAYS = """
from IPython.display import HTML, Image, Latex, Markdown, SVG, display
import base64
dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
display(Image(base64.b64decode(dot), width=20), HTML("<b>bold</b> $x$"), Markdown("*hi* my password is hunter2abc"))
display(Latex("$x$"), SVG("<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>"))
print("done")
"""


@pytest.mark.parametrize("view", ["widgets", "static"])
def test_figures_of_a_reused_turn_are_shown_again(kernel, session, view):
    step = (
        f"from sessionmagic.testing import call, script\nscript('draws', call('run_python', code={DISPLAYS!r}), 'So.')"
    )
    cell = f"%%agent -m draws --yes --reuse -s {session}\ndraw"
    kernel.run(f"{step}\n%config AgentMagics.view = {view!r}").ok()
    first = kernel.run(cell, cell_id="draw").ok()
    assert len(first.displays) == 5
    restarted(kernel)
    kernel.run(f"{step}\n%config AgentMagics.view = {view!r}").ok()
    second = kernel.run(cell, cell_id="draw").ok()
    assert kernel.value("_agent.reused") == "True"
    assert saved(second) == saved(first)
    kernel.run("%config AgentMagics.view = 'auto'").ok()
