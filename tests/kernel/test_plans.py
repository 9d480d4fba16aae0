"""`%%agent --plan` asks for a plan, and `%agent go` carries it out."""

import pytest

from sessionmagic.notebook.captions import PLAN

pytestmark = pytest.mark.once

WANTED = "ran = []\ndef order(what: str) -> str:\n    ran.append(what)\n    return 'ordered'"
MAKES = "plans = script('plans', call('order', what='tea'), 'Order tea.')"
DOES = "does = script('does', call('order', what='tea'), 'Done.')"


@pytest.fixture
def planned(kernel, session):
    """A session with a plan."""
    kernel.run(f"{WANTED}\n{MAKES}\n{DOES}").ok()
    return kernel.run(f"%%agent -m plans -s {session} -t order --yes --plan\nI am thirsty", cell_id=f"{session}p").ok()


def mark(cell):
    return cell.footer["data"]["text/plain"].splitlines()[0]


def test_a_plan_runs_nothing_and_is_marked_in_the_saved_answer(kernel, planned, session):
    assert planned.text == "Order tea."
    assert mark(planned) == f"{PLAN}; %agent go -s {session} carries it out"
    assert PLAN in planned.footer["data"]["text/html"]
    assert "a plan is made without order, a function that may change something" in planned.html
    assert kernel.value("ran") == "[]"
    assert (
        kernel.value(
            "[name for offered in plans.offered for name in offered if name not in "
            "('list_variables', 'inspect_variable', 'read_cells')]"
        )
        == "[]"
    )


@pytest.mark.usefixtures("planned")
def test_go_carries_the_plan_out_under_the_options_of_a_cell(kernel, session):
    cell = kernel.run(f"%agent go -m does -s {session} -t order --yes -o done Only one $`'cup'`.").ok()
    assert cell.text == "Done."
    assert PLAN not in mark(cell)
    assert kernel.value("ran") == "['tea']"
    assert (
        kernel.value("(str(done), does.sent[0][-1].parts[0].content)")
        == "('Done.', 'Carry out the plan.\\n\\nOnly one cup.')"
    )
    assert f"{session} · turn 2" in cell.footer["data"]["text/plain"]
    again = kernel.run(f"%agent go -s {session}")
    assert (again.ename, again.evalue) == (
        "UsageError",
        f"the plan of turn 1 was carried out already, in turn 2; %agent use {session}@1 goes back to it",
    )


@pytest.mark.usefixtures("planned")
def test_go_asks_before_it_changes_something(kernel, session):
    cell = kernel.run(f"%agent go -m does -s {session} -t order", allow_stdin=False).ok()
    assert "⊘ order" in cell.html
    assert kernel.value("ran") == "[]"


@pytest.mark.usefixtures("planned")
def test_go_runs_in_the_background(kernel, session):
    kernel.run(f"%agent go -b -m does -s {session} -t order --yes").ok()
    assert kernel.run("str(_agent.result())").until_shows("Done.")


@pytest.mark.usefixtures("planned")
def test_cells_that_run_again_plan_and_carry_out_anew(kernel, session):
    for _ in range(2):
        kernel.run(f"%%agent -s {session} -m plans --plan\nI am thirsty", cell_id=f"{session}p").ok()
        kernel.run(f"%agent go -m does -s {session}", cell_id=f"{session}g").ok()
    tree = kernel.value(
        f"[(row.kind, row.on_path) for row in get_ipython().run_line_magic('agent', 'branches {session}')]"
    )
    assert tree == "[('plan', False), ('plan', False), ('go', False), ('plan', True), ('go', True)]"


def test_a_session_without_a_plan_has_nothing_to_carry_out(kernel, session):
    cell = kernel.run(f"%agent go -s {session}")
    assert (cell.ename, cell.evalue) == (
        "UsageError",
        f"session '{session}' has no plan to carry out; %%agent --plan asks for one",
    )
    assert session not in kernel.run("%agent sessions").ok().html


def test_a_plan_of_the_active_session_is_still_there_after_a_restart(start):
    kernel = start()
    kernel.run("%%agent -m hello --plan --session kept\nhi").ok()
    kernel.run("%agent use kept").ok()
    kernel = start("--AgentMagics.fresh=True")
    shown = kernel.run("%agent show kept").ok()
    assert PLAN in shown.text
    assert "--system" not in shown.text
    cell = kernel.run("%agent go -s kept").ok()
    assert cell.text == "Hello **world**"


def test_models_are_not_compared_by_their_plans(kernel, session):
    cell = kernel.run(f"%%agent --plan --compare hello recalls -s {session}\nhi")
    assert (cell.ename, cell.evalue) == ("UsageError", "--plan does not go with --compare; leave it out")


def test_the_option_and_the_subcommand_are_completed(kernel):
    assert kernel.complete("%%agent --pl") == ["%%agent --plan"]
    assert "%agent go" in kernel.complete("%agent g")
    assert "%agent go --yes" in kernel.complete("%agent go --ye")
