"""Runs that nobody watches: they get the static answer and nothing else, and wait for nobody."""

import pytest

from tests.kernel.kernels import appears

PLAIN = {"status", "execute_input", "display_data"}


def kinds(cell):
    return {message["msg_type"] for message in cell.messages}


@pytest.mark.parametrize("option", ["", "-b "])
def test_only_the_static_answer_is_shown(kernel, session, option):
    cell = kernel.run(f"%%agent -m hello {option}-s {session}\nhi", allow_stdin=False).ok()
    assert kinds(cell) <= PLAIN
    assert cell.answer["data"]["text/plain"] == "Hello **world**"
    assert "Hello <strong>world</strong>" in cell.answer["data"]["text/html"]
    assert cell.answer["metadata"]["sessionmagic"]["session"] == session


def test_a_background_turn_runs_in_the_foreground(kernel, session, pen):
    cell = kernel.send(f"%%agent -m dictated -b -s {session}\n{pen}", allow_stdin=False)
    pen.write("to the end")
    assert not cell.done
    pen.end()
    shown = cell.wait().ok().messages
    assert cell.text == "to the end"
    assert shown == cell.messages
    assert kernel.value("str(_agent)") == "'to the end'"


def test_a_failed_background_turn_is_the_cells_error(kernel, session):
    cell = kernel.run(f"%%agent -m fails -b -s {session}\nhi", allow_stdin=False)
    assert cell.ename == "TurnFailedError"
    assert cell.outputs[0]["data"]["text/plain"] == "some words"
    assert kinds(cell) <= PLAIN | {"error"}


def test_an_interrupt_keeps_the_partial_answer(kernel, session, tmp_path):
    mark = tmp_path / "hangs"
    kernel.run(f"script('marks', scripted.hangs('partial answer', mark={str(mark)!r}))").ok()
    cell = kernel.send(f"%%agent -m marks -s {session}\nhi", allow_stdin=False)
    appears(mark)
    kernel.interrupt()
    assert cell.wait().ename == "KeyboardInterrupt"
    assert cell.outputs[0]["data"]["text/plain"] == "partial answer"


def test_text_streams_on_stdout_when_that_is_asked_for(start, session, pen):
    kernel = start("--AgentMagics.view=text")
    cell = kernel.send(f"%%agent -m dictated -s {session}\n{pen}", allow_stdin=False)
    pen.write("first ")
    cell.until(lambda cell: cell.contents("stream"))
    assert not cell.done
    pen.write("second\x1b[2J")
    pen.end()
    cell.wait().ok()
    streamed = "".join(content["text"] for content in cell.contents("stream"))
    assert streamed.startswith("first second")
    assert "\x1b" not in streamed
    assert cell.answer["data"]["text/plain"].startswith("first second")
