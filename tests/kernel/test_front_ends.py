"""Front ends that cannot click or change an output get text and questions on stdin, by themselves and once."""

from html import unescape

import ipykernel
import pytest

from tests.kernel import acting
from tests.kernel.cells import WIDGET
from tests.kernel.conftest import needs_subshells
from tests.kernel.kernels import appears, comes_true


def kinds(cell):
    return {message["msg_type"] for message in cell.messages}


def python(code):
    return [["run_python", {"code": code}]]


@pytest.fixture
def served(start):
    """A kernel of a notebook that is open in a server."""
    return start(JPY_SESSION_NAME="/somewhere/lesson.ipynb")


def test_console_shows_text_once_with_the_footer(kernel, session):
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi", front_end="console").ok()
    assert kinds(cell) <= {"status", "execute_input", "stream"}
    (output,) = cell.everything
    assert output["text"].count("Hello **world**") == 1
    assert f"{session} · " in output["text"]


def test_console_asks_on_stdin(kernel, acts, session):
    acts(python("1 + 1"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo", front_end="console")
    assert kernel.reply("y").startswith("[y]es")
    text = cell.wait().ok().text
    assert text.count("1 + 1") == 1
    assert text.count("Done.") == 1


def test_comparison_and_grid_in_a_console_end_as_text(kernel, session):
    cell = kernel.run(f"%%agent --compare hello recalls -s {session}\nhi", front_end="console").ok()
    assert WIDGET not in str(cell.messages)
    assert "update_display_data" not in kinds(cell)
    assert cell.text.count("Hello **world**") == 1


def test_server_that_runs_the_cells_saves_the_answer(served, session):
    cell = served.run(f"%%agent -m hello -s {session}\nhi", front_end="server").ok()
    assert WIDGET not in str(cell.messages)
    assert "update_display_data" not in kinds(cell)
    assert cell.answer["data"]["text/plain"] == "Hello **world**"
    assert cell.footer


def test_server_that_shows_nothing_before_the_end_is_not_asked_with_buttons(served, session):
    served.run("%config AgentMagics.approval = 'buttons'").ok()
    acting.acts(served, python("6 * 7"), "Done.")
    cell = served.send(f"%%agent -m acts -s {session}\ngo", front_end="server")
    assert "6 * 7" in served.reply("y")
    assert "Done." in cell.wait().ok().text


@pytest.mark.skipif(ipykernel.version_info >= (7,), reason="this ipykernel has subshells, so that clicks arrive")
@pytest.mark.parametrize(("front_end", "takes_input"), [("page", True), ("server", False)])
def test_clicks_that_do_not_arrive_are_not_waited_for(served, session, front_end, takes_input):
    served.run("%config AgentMagics.approval = 'buttons'").ok()
    acting.acts(served, python("6 * 7"), "Done.")
    cell = served.send(f"%%agent -m acts -s {session}\ngo", front_end=front_end, allow_stdin=takes_input)
    if takes_input:
        served.reply("y")
    assert "Done." in cell.wait().ok().text


@pytest.mark.parametrize("takes_input", [True, False])
def test_server_that_runs_the_cells_gets_the_progress_of_a_grid_once(served, takes_input):
    served.run("prompts = ['a', 'b']").ok()
    grid = "results = %agent compare --prompts prompts --models hello --name once"
    cell = served.run(grid, front_end="server", allow_stdin=takes_input).ok()
    assert kinds(cell) <= {"status", "execute_input", "stream"}
    assert cell.text.count("2 of 2 answered") == 1


def test_server_that_runs_the_cells_is_told_where_the_answer_to_a_queued_prompt_is(served, session):
    served.run(f"%%agent -m prompts -s {session}\nfirst", front_end="server").ok()
    queued = served.run(f"%agent queue -s {session} second", front_end="server").ok()
    assert "asked in the background; %agent show shows the answer\n" in queued.text  # perhaps below the answer
    comes_true(lambda: "first\nsecond" in served.run(f"%agent show {session}", front_end="server").ok().text)


SLOW = """\
import time
from sessionmagic.notebook.page.static import StaticView
rendered = StaticView.rendered
def slowly(*given):
    time.sleep(0.3)
    return rendered(*given)
StaticView.rendered = slowly
"""


@pytest.mark.parametrize("takes_input", [True, False])
def test_interrupt_keeps_a_long_answer_where_nothing_is_shown_after_its_cell(served, session, tmp_path, takes_input):
    mark = tmp_path / "hangs"
    served.run(f"{SLOW}script('marks', scripted.hangs('partial answer', mark={str(mark)!r}))").ok()
    cell = served.send(f"%%agent -m marks -s {session}\nhi", front_end="server", allow_stdin=takes_input)
    appears(mark)
    served.interrupt()
    shown = list(cell.wait().everything)
    assert [output["type"] for output in shown] == ["display_data", "display_data", "error"]
    assert shown[0]["data"]["text/plain"].startswith("partial answer")


def test_server_that_runs_the_cells_asks_with_the_code_in_the_prompt(served, session):
    acting.acts(served, python("6 * 7"), "Done.")
    cell = served.send(f"%%agent -m acts -s {session}\ngo", front_end="server")
    assert "6 * 7" in served.reply("y")
    assert "Done." in cell.wait().ok().text


def test_server_without_input_asks_on_the_page_if_buttons_are_wanted(served, session):
    acting.acts(served, python("6 * 7"), "Done.")
    unwatched = served.run(f"%%agent -m acts -s {session}\ngo", front_end="server", allow_stdin=False).ok()
    assert WIDGET not in str(unwatched.messages)
    assert '%config AgentMagics.approval = "buttons"' in unescape(unwatched.answer["data"]["text/html"])
    acting.needs_clicks(served)
    served.run("%config AgentMagics.approval = 'buttons'").ok()
    acting.acts(served, python("6 * 7"), "Done.")
    cell = served.send(f"%%agent -m acts -s {session}\ngo", front_end="server", allow_stdin=False).until_asks()
    served.click(cell.button("Approve"), served.subshell())
    cell.wait().ok()
    assert "update_display_data" not in kinds(cell)
    assert "Done." in cell.answer["data"]["text/plain"]


def test_turns_of_a_loop_do_not_clear_what_the_cell_has_shown(served, session):
    turns = f"for each in 'ab': get_ipython().run_cell_magic('agent', '-m prompts -s {session}', each)"
    cell = served.run(f"print('before')\n{turns}", front_end="server").ok()
    assert "clear_output" not in kinds(cell)
    assert [line for line in cell.text.split("\n") if line in {"before", "a", "b"}] == ["before", "a", "a", "b"]


def test_page_that_others_have_open_gets_no_update_of_an_output_that_is_not_the_last(served, session):
    served.run("open('jupyter_server_ydoc.py', 'w').close()").ok()
    acting.acts(served, python("6 * 7"), "Done.")
    acting.needs_clicks(served)
    cell = served.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    cell.until(lambda cell: "not finished" in cell.html)
    served.click(cell.button("Approve"), served.subshell())
    cell.wait().ok()
    area = cell.contents("display_data")[0]["transient"]["display_id"]
    assert area not in [update["transient"]["display_id"] for update in cell.contents("update_display_data")]
    assert "Done." in cell.answer["data"]["text/plain"]
    assert cell.footer


@pytest.mark.parametrize(
    ("front_end", "said"),
    [
        ("page", ["front end: a notebook page, because the request tells of its cell as pages do", "with widgets"]),
        ("console", ["front end: a console, ", "as text, live; approvals are asked at an input prompt"]),
        ("unlike any", ["front end: a front end that is not known, ", "as text, live"]),
    ],
)
def test_config_says_what_was_recognized_and_why(kernel, front_end, said):
    text = kernel.run("%agent config", front_end=front_end).ok().text
    assert all(words in text for words in said)


@pytest.mark.parametrize("variable", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION"])
def test_hosted_page_that_tells_nothing_of_its_cell_gets_widgets(start, session, variable):
    kernel = start(**{variable: "1"})
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi", front_end="unlike any").ok()
    assert WIDGET in str(cell.messages)
    assert cell.answer["data"]["text/plain"] == "Hello **world**"


def test_front_end_may_change_in_a_session(kernel, session):
    on_page = kernel.run(f"%%agent -m recalls -s {session}\nfirst").ok()
    in_console = kernel.run(f"%%agent -s {session}\nsecond", front_end="console").ok()
    again = kernel.run(f"%%agent -s {session}\nthird").ok()
    assert WIDGET in str(on_page.messages)
    assert WIDGET not in str(in_console.messages)
    assert WIDGET in str(again.messages)
    assert "second" in again.text


@pytest.mark.threads
def test_page_and_console_on_one_kernel_each_show_their_own_turn(kernel, session, pen):
    acting.needs_clicks(kernel)
    page = kernel.run(f"%%agent -m dictated -b -s {session}-page\n{pen}").ok()
    pen.write("On the page, ")
    console = kernel.run(f"%%agent -m hello -s {session}-console\nhi", front_end="console").ok()
    pen.write("to the end.")
    pen.end()
    page.until(lambda cell: WIDGET not in str(cell.everything))
    assert page.answer["data"]["text/plain"] == "On the page, to the end."
    assert kinds(console) <= {"status", "execute_input", "stream"}
    assert "On the page" not in console.text


def test_session_goes_on_in_a_console_after_its_page_has_left_an_approval_unanswered(kernel, acts, session):
    acting.needs_clicks(kernel)
    acts(python("6 * 7"), "Done.")
    left = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    kernel.interrupt()
    assert left.wait().ename == "KeyboardInterrupt"
    cell = kernel.run(f"%%agent -m prompts -s {session}\nagain", front_end="console").ok()
    assert "go\nagain" in cell.text


def test_notebook_that_a_cell_of_another_one_runs_is_watched_by_nobody(served):
    cells = ["%load_ext sessionmagic", "%config AgentMagics.approval = 'buttons'", "%agent config"]
    served.restart()  # a forked process does not show its variables to others
    served.run("from nbclient import NotebookClient; from nbformat import v4").ok()
    text = served.value(
        "NotebookClient(v4.new_notebook(cells=list(map(v4.new_code_cell, "
        f"{cells!r})))).execute().cells[-1].outputs[0].data['text/plain']"
    )
    assert "front end: a runner" in text


def test_answer_stays_where_a_cell_is_cleared_at_once(served, session):
    acting.acts(served, python("6 * 7"), "Done.")
    cell = served.send(f"%%agent -m acts -s {session}\ngo", front_end="server")
    served.reply("y")
    shown = cell.wait().ok().everything
    for content in cell.contents("clear_output"):
        content["wait"] = False
    assert cell.everything == shown


def test_display_id_that_calls_use_again_changes_no_other_call(kernel, acts, session):
    show = "from IPython.display import HTML, update_display\n{}(HTML('<b>{}</b>'), display_id='again')"
    calls = [python(show.format(how, words)) for how, words in (("display", 1), ("display", 2), ("update_display", 3))]
    acts(*calls, "Done.")
    cell = kernel.run(f"%%agent -m acts --yes -s {session}\ngo").ok()
    kernel.run("display(HTML('mine'), display_id='again')").ok()
    assert [output["data"]["text/html"].split(">")[1][:1] for output in cell.displays] == ["1", "2", "3"]


@needs_subshells
def test_page_that_refuses_widgets_gets_outputs_and_is_asked_on_stdin(start, session):
    kernel = start()
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi").until_shows("partial answer")
    stop = cell.button("Stop")
    kernel.refuse(stop)
    kernel.click(stop)  # on another page, which has accepted it
    cell.wait().ok()
    acting.acts(kernel, python("6 * 7"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
    assert kernel.reply("y").startswith("[y]es")
    cell.wait().ok()
    assert WIDGET not in str(cell.messages)
    assert "update_display_data" in kinds(cell)
    assert cell.answer["data"]["text/plain"] == "Done."
    assert "a notebook page without widgets" in kernel.run("%agent config").ok().text
    compared = kernel.run(f"%%agent --compare hello recalls -s {session}\nhi").ok()
    assert WIDGET not in str(compared.messages)
    assert "update_display_data" in kinds(compared)
