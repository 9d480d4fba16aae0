"""The numbers of cells: what a page does while a cell waits for its turn counts as no execution."""

import pytest

CALLS = [("run_python", {"code": "6 * 7"})]


def numbers(cell):
    """All numbers that the page is given for the cell: beside it, beside its value, and with its end."""
    shown = [content["execution_count"] for content in cell.contents("execute_input", "execute_result")]
    return [*shown, cell.reply["execution_count"]]


@pytest.fixture
def waiting(kernel, acts, session):
    """A cell whose turn waits for approval, and whose value is shown at its end."""
    acts(CALLS, CALLS, "Done.")
    cell = kernel.send(f"get_ipython().run_cell_magic('agent', '-m acts -s {session}', 'go')\n_agent.status")
    return cell.until_asks()


@pytest.mark.usefixtures("subshells")
@pytest.mark.parametrize("with_subshell", [True, False], ids=["on a subshell", "on the main shell"])
def test_clicks_and_a_reload_leave_the_number_of_a_running_cell(kernel, waiting, with_subshell):
    subshell = kernel.subshell() if with_subshell else None
    kernel.widgets()
    kernel.click(waiting.button("Approve"), subshell)
    waiting.until_asks(2)
    kernel.click(waiting.button("Approve", 1), subshell)
    waiting.wait().ok()
    assert numbers(waiting) == [waiting.number] * 3
    assert kernel.run("1 + 1").number == waiting.number + 1


@pytest.mark.usefixtures("subshells")
def test_steering_and_stopping_leave_the_number_of_a_running_cell(kernel, waiting):
    box = waiting.box("tell the model something")
    kernel.type(box, "be brief")
    kernel.press_enter(box)
    kernel.click(waiting.button("Stop"), kernel.subshell())
    waiting.wait()
    assert set(numbers(waiting)) == {waiting.number}
    assert kernel.run("1 + 1").number == waiting.number + 1
