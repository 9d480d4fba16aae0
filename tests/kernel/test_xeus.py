"""xeus-python, a Jupyter kernel that is no ipykernel: its cells get the static answer, and Interrupt stops them."""

from importlib.util import find_spec

import pytest

from tests.kernel import acting
from tests.kernel.conftest import ready
from tests.kernel.kernels import Kernel, appears

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(find_spec("xpython") is None, reason="xeus-python is not installed"),
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("xeus"), spec="xpython")
    try:
        yield ready(kernel)
    finally:
        kernel.shutdown(now=True)


def shown(cell):
    return [content["data"] for content in cell.contents("display_data")]


def test_answer_is_static_and_shown_once(kernel, session):
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    answer, footer = shown(cell)
    assert answer["text/plain"] == "Hello **world**"
    assert f"{session} · turn 1" in footer["text/plain"]
    assert {message["msg_type"] for message in cell.messages} <= {"execute_input", "display_data"}


def test_interrupt_keeps_the_partial_answer(kernel, session, tmp_path):
    mark = tmp_path / "hangs"
    kernel.run(f"script('marks', scripted.hangs('partial answer', mark={str(mark)!r}))").ok()
    cell = kernel.send(f"%%agent -m marks -s {session}\nhi")
    appears(mark)
    kernel.interrupt()
    assert cell.wait().evalue == "turn interrupted"
    assert shown(cell)[0]["text/plain"] == "partial answer"


def test_nobody_approves_a_call(kernel, session):
    acting.acts(kernel, [["run_python", {"code": "changed = True"}]], "Understood.")
    answer, _ = shown(kernel.run(f"%%agent -m acts -s {session}\ngo").ok())
    assert "nobody is available to approve the call" in answer["text/html"]
    assert kernel.value("'changed' in globals()") == "False"


def test_code_that_is_approved_in_advance_runs_in_the_kernel(kernel, session):
    acting.acts(kernel, [["run_python", {"code": "print('printed')\nnumber = 6 * 7\nnumber"}]], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session} --yes\ngo").ok()
    answer, _ = shown(cell)
    assert "printed" in answer["text/html"]
    assert not cell.contents("stream")
    assert kernel.value("number") == "42"
