"""Interrupt: the kernel is back in a blink, the partial answer is kept, and Run All stops."""

import pytest

from sessionmagic.storage.journaled import JournaledStorage
from tests.kernel.cells import SOON
from tests.kernel.kernels import appears


def interrupted(kernel, cell):
    kernel.interrupt()
    cell.wait(SOON)
    assert (cell.status, cell.ename) == ("error", "KeyboardInterrupt")
    assert cell.traceback == f"KeyboardInterrupt: {cell.evalue}"
    assert "\n" not in cell.traceback


def free(kernel, session):
    """Whether the session can be used, at once."""
    return kernel.run(f"%%agent -m recalls -s {session}\nand now?").ok().text


def deaf(kernel, session, folder):
    """Return a cell whose model ignores cancellation until there is a file `may_end` in the folder."""
    kernel.run(f"script('deaf', scripted.ignores_cancel('partial answer', folder={str(folder)!r}))").ok()
    return f"%%agent -m deaf -s {session}\nhi"


WAITS = """import pathlib, time
def wait():
    pathlib.Path({mark!r}).touch()
    for _ in range(6000): time.sleep(0.01)  # an interrupt just before one long sleep would be seen after it
"""


@pytest.mark.parametrize("code", ["%agent set --system '$`wait()`' -s {}", "%%agent -s {}\n$`wait()`"])
def test_interrupt_of_an_expression_is_one_line(kernel, session, tmp_path, code):
    mark = tmp_path / "waits"
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    kernel.run(WAITS.format(mark=str(mark))).ok()
    cell = kernel.send(code.format(session))
    appears(mark)
    interrupted(kernel, cell)


@pytest.mark.parametrize(("model", "text"), [("slow", "word10 "), ("hang", "partial answer")])
def test_interrupted_cell_ends_in_a_blink(kernel, session, model, text):
    def seconds():
        cell = kernel.send(f"%%agent -m {model} --wait -s {session}\nhi").until_shows(text)
        at = kernel.interrupt()
        return cell.wait().idle_at - at

    assert any(seconds() < 0.5 for _ in range(10))  # a busy machine pauses now and then, but not each time


def test_interrupt_while_the_model_answers(kernel, session):
    kernel.run("script('endless', paced([f'word{i} ' for i in range(6000)], 0.01))").ok()
    cell = kernel.send(f"%%agent -m endless -s {session}\ncount")
    cell.until_shows("word10 ")
    interrupted(kernel, cell)
    answer, error = cell.outputs
    text = answer["data"]["text/plain"]
    assert text.startswith("word0 word1 ")
    assert "word5999" not in text
    assert "interrupted" in answer["data"]["text/html"]
    assert cell.footer["metadata"]["sessionmagic"]["status"] == "interrupted"
    assert error["type"] == "error"
    said = free(kernel, session)
    assert f"text: {text}" in said


def test_interrupt_while_the_model_hangs(kernel, session):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    interrupted(kernel, cell)
    assert cell.outputs[0]["data"]["text/plain"] == "partial answer"
    assert "partial answer" in free(kernel, session)


def test_interrupt_while_the_model_hears_nothing(kernel, session, tmp_path):
    cell = kernel.send(deaf(kernel, session, tmp_path))
    cell.until_shows("partial answer")
    interrupted(kernel, cell)
    (tmp_path / "may_end").touch()
    again = kernel.run(f"%%agent -m recalls --wait 60 -s {session}\nand now?").ok()
    assert "user-prompt: hi" in again.text


def test_interrupt_while_the_model_holds_up_the_loop(kernel, session, tmp_path):
    kernel.run(f"script('blocks', scripted.blocks('partial answer', folder={str(tmp_path)!r}))").ok()
    cell = kernel.send(f"%%agent -m blocks -s {session}\nhi")
    cell.until_shows("partial answer")
    appears(tmp_path / "blocked")
    interrupted(kernel, cell)
    (tmp_path / "may_end").touch()
    again = kernel.run(f"%%agent -m recalls --wait 60 -s {session}\nand now?").ok()
    assert "user-prompt: hi" in again.text
    assert "interrupted" in kernel.run(f"%agent show {session}").html


def test_interrupt_while_waiting_for_a_busy_session(kernel, session):
    kernel.run(f"%%agent -m hang -b -s {session}\nfirst").ok()
    cell = kernel.send(f"%%agent -m hello --wait -s {session}\nzebra")
    cell.until_shows(" · waiting for the session")
    interrupted(kernel, cell)
    assert [output["type"] for output in cell.outputs] == ["error"]
    kernel.run(f"%agent stop {session}").ok()
    again = kernel.run(f"%%agent -m recalls --wait 60 -s {session}\nthird").ok().text
    assert "first" in again
    assert "zebra" not in again


def test_an_interrupted_turn_stays_in_the_session_and_says_so(kernel, session):
    cell = kernel.send(f"%%agent -m hang -s {session}\nremember this")
    cell.until_shows("partial answer")
    interrupted(kernel, cell)
    assert kernel.value("_agent.status") == "'interrupted'"
    shown = kernel.run(f"%agent show {session}").ok()
    assert "remember this" in shown.text
    assert "partial answer" in shown.text
    assert "interrupted" in shown.html
    (path,) = [path for path in (kernel.store / "sessions").glob("*.json") if session in path.read_text()]
    (turn,) = JournaledStorage(path).read()["turns"].values()
    assert (turn["status"], turn["error_code"]) == ("interrupted", "cancelled")


def test_interrupt_drops_the_queue_of_run_all(kernel, session):
    first = kernel.send(f"%%agent -m hang -s {session}\nhi")
    queued = [kernel.send("ran = True"), kernel.send(f"%%agent -m hello -s {session}\nhi")]
    first.until_shows("partial answer")
    interrupted(kernel, first)
    assert [cell.wait().status for cell in queued] == ["aborted", "aborted"]
    assert kernel.value("'ran' in globals()") == "False"


@pytest.mark.parametrize(
    "code",
    ["%%agent -m opnai:x\nhi", "%%agent\n ", "%agent sesions", "%%agent -m fails --new\nhi"],
)
def test_an_error_drops_the_queue_of_run_all(kernel, code):
    with kernel.held_up():
        failing, queued = kernel.send(code), kernel.send("ran = True")
    assert failing.wait().status == "error"
    assert queued.wait().status == "aborted"
    assert kernel.value("'ran' in globals()") == "False"


def test_an_interrupt_before_the_turn_is_there_leaves_no_turn_running(kernel, session):
    for _ in range(3):
        cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
        cell.until(lambda cell: cell.contents("comm_open"))
        kernel.interrupt()
        assert cell.wait().ename == "KeyboardInterrupt"
        kernel.run(f"%%agent -m prompts --wait 60 -s {session}\nand now?").ok()


def slowly(kernel, method, mark):
    """Let a method take half a second after it has done its work; the file `mark` is there as soon as it has."""
    owner, name = method.rsplit(".", 1)
    module, owner = owner.rsplit(".", 1)
    kernel.run(
        f"import time, pathlib, {module} as _module\n"
        f"def _slowed(*arguments, _done=_module.{owner}.{name}):\n"
        f"    value = _done(*arguments)\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n"
        f"    time.sleep(0.5)\n"
        f"    return value\n"
        f"_kept = _module.{owner}.{name}\n"
        f"_module.{owner}.{name} = _slowed"
    ).ok()
    return f"_module.{owner}.{name} = _kept"


def test_an_interrupt_while_the_area_is_being_opened_is_short_and_hides_nothing(kernel, session, tmp_path):
    restore = slowly(kernel, "sessionmagic.notebook.page.widgets.WidgetView.open", tmp_path / "mark")
    cell = kernel.send(f"%%agent -m hang -s {session}\nzebra")
    appears(tmp_path / "mark")
    kernel.interrupt()
    cell.wait()
    kernel.run(restore).ok()
    assert cell.ename == "KeyboardInterrupt"
    assert "\n" not in cell.traceback
    cell.until(lambda cell: "interrupted" in cell.html)
    assert kernel.run(f"%%agent -m prompts --wait 60 -s {session}\nhi").ok().text == "zebra\n\nhi"


def test_an_interrupt_while_the_prompt_is_being_stored_hides_nothing(kernel, session, tmp_path):
    """What is stored is shown, and what is not shown is not stored."""
    restore = slowly(kernel, "sessionmagic.storage.tiny.TinyStore.create", tmp_path / "mark")
    cell = kernel.send(f"%%agent -m hang -s {session}\nzebra")
    appears(tmp_path / "mark")
    kernel.interrupt()
    cell.wait()
    kernel.run(restore).ok()
    assert cell.ename == "KeyboardInterrupt"
    assert "\n" not in cell.traceback
    after = kernel.run(f"%%agent -m prompts --wait 60 -s {session}\nhi").ok()
    shown = [output for output in cell.outputs if output["type"] == "display_data"]
    assert after.text == ("zebra\n\nhi" if shown else "hi")
    if shown:
        assert "interrupted" in cell.html


def test_a_second_interrupt_ends_the_waiting_and_is_one_line_too(kernel, session, tmp_path):
    waits = tmp_path / "waits"
    kernel.run(
        "import pathlib\n"
        "from sessionmagic.notebook.launch import Launch\n"
        "kept = Launch._wait_briefly\n"
        "def wait_long(self):\n"
        f"    pathlib.Path({str(waits)!r}).touch()\n"
        "    self._thread.wait(self._ended, 60)\n"
        "Launch._wait_briefly = wait_long"
    ).ok()
    try:
        cell = kernel.send(deaf(kernel, session, tmp_path))
        cell.until_shows("partial answer")
        appears(tmp_path / "deaf")
        kernel.interrupt()
        appears(waits)
        interrupted(kernel, cell)
    finally:
        (tmp_path / "may_end").touch()
        kernel.run("Launch._wait_briefly = kept").ok()


def test_an_interrupt_that_a_finalizer_swallows_still_ends_the_turn(kernel, session):
    """Python only prints an exception that leaves a finalizer, also that of an interrupt which came while it ran."""
    kernel.run(
        "import signal\n"
        "from sessionmagic.notebook.launch import Launch\n"
        "class Swallows:\n"
        "    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "kept = Launch.wait_until_over\n"
        "def wait(self):\n"
        "    Swallows()\n"
        "    return kept(self)\n"
        "Launch.wait_until_over = wait"
    ).ok()
    try:
        cell = kernel.run(f"%%agent -m hang -s {session}\nhi")
    finally:
        kernel.run("Launch.wait_until_over = kept").ok()
    assert cell.ename == "KeyboardInterrupt"
