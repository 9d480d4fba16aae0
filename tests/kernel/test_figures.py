"""Clicks that arrive while code plots: the figure is shown once, whole, by the code that has made it."""

import pytest

from tests.kernel.kernels import appears

PLOT = """{first}
import pathlib, time
plt.plot([1, 2])
pathlib.Path({begun!r}).touch()
while not pathlib.Path({clicked!r}).exists(): time.sleep(0.01)
plt.title("whole");
"""
INLINE = "%matplotlib inline\nimport matplotlib.pyplot as plt"


def figures(cell):
    return [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]


@pytest.fixture
def begun(tmp_path):
    """The file that `plot` creates when it has plotted."""
    return tmp_path / "begun"


@pytest.fixture
def clicked(tmp_path):
    """The file that `plot` waits for before it adds the title."""
    return tmp_path / "clicked"


@pytest.fixture
def plot(begun, clicked):
    return PLOT.format(first=INLINE, begun=str(begun), clicked=str(clicked))


@pytest.mark.usefixtures("subshells")
def test_click_while_a_cell_plots_leaves_it_its_whole_figure(kernel, session, plot, begun, clicked):
    subshell = kernel.subshell()
    background = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    cell = kernel.send(plot)
    appears(begun)
    kernel.click(background.button("Stop"), subshell)
    kernel.run("'handled after the click'", subshell=subshell).ok()
    clicked.touch()
    cell.wait().ok()
    background.until(lambda background: "interrupted" in background.html)
    undisturbed = kernel.run(plot).ok()
    assert len(figures(undisturbed)) == 1
    assert figures(cell) == figures(undisturbed)
    assert figures(background) == []


@pytest.mark.usefixtures("subshells")
def test_click_while_a_tool_plots_leaves_it_its_whole_figure(kernel, session, acts, plot, begun, clicked):
    acts([("run_python", {"code": plot})], "Done.")
    cell = kernel.send(f"%%agent -m acts --yes -s {session}\ngo")
    appears(begun)
    cell.until(lambda cell: any(state.get("description") == "Tell" for state in cell.widgets.values()))
    kernel.click(cell.button("Tell"))
    kernel.widgets()  # answered after the click
    clicked.touch()
    cell.wait().ok()
    undisturbed = kernel.run(plot).ok()
    assert len(figures(undisturbed)) == 1
    assert figures(cell) == figures(undisturbed)


@pytest.mark.usefixtures("subshells")
def test_figure_of_another_thread_is_shown_while_no_cell_runs(kernel):
    kernel.run(INLINE).ok()
    cell = kernel.run("plt.plot([1, 2]);", subshell=kernel.subshell()).ok()
    cell.until(figures)
