"""One turn at a time per session, from wherever the second one comes."""

import re

import pytest

from tests.kernel.cells import SOON
from tests.kernel.conftest import ready
from tests.kernel.kernels import Kernel


@pytest.fixture(scope="module")
def shared_other(shared_kernel):
    other = Kernel(shared_kernel.home)
    yield ready(other)
    other.shutdown(now=True)


@pytest.fixture
def other(shared_other):
    """A second kernel on the same store."""
    yield shared_other
    shared_other.settle()


@pytest.fixture
def subshell(kernel):
    return kernel.subshell()


def test_a_second_prompt_from_a_subshell_is_refused_and_changes_nothing(kernel, session, pen, subshell):
    first = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("one")
    first.until_shows("one")
    second = kernel.run(f"%%agent -m hello -s {session}\nzebra", subshell=subshell)
    assert second.ename == "SessionBusyError"
    assert [output["type"] for output in second.outputs] == ["error"]
    assert repr(session) in second.evalue
    assert re.search(rf"cell In \[{first.number}\] has held it since \d\d:\d\d:\d\d", second.evalue)
    assert not first.done
    pen.end()
    assert first.wait().ok().text == "one"
    after = kernel.run(f"%%agent -m recalls -s {session}\nthird").ok().text
    assert "zebra" not in after
    assert "text: one" in after


def test_two_sessions_of_one_kernel_run_side_by_side(kernel, session, pen, subshell):
    first = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("one")
    first.until_shows("one")
    second = kernel.run(f"%%agent -m hello -s {session}-b\nhi", subshell=subshell).ok()
    assert second.answer["data"]["text/plain"] == "Hello **world**"
    assert not first.done
    pen.end()
    assert first.wait().ok().answer["data"]["text/plain"] == "one"


@pytest.mark.once
def test_a_second_kernel_is_refused_and_told_who_holds_the_session(kernel, other, session, pen):
    first = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("one")
    first.until_shows("one")
    second = other.run(f"%%agent -m hello -s {session}\nzebra")
    assert second.ename == "SessionBusyError"
    assert repr(session) in second.evalue
    assert f"process {kernel.pid}" in second.evalue
    assert re.search(r"since \d\d:\d\d:\d\d", second.evalue)
    assert second.seconds < SOON
    pen.end()
    first.wait().ok()
    after = other.run(f"%%agent -m recalls -s {session}\nthird").ok().text
    assert "text: one" in after
    assert "zebra" not in after


@pytest.mark.once
def test_a_refused_prompt_leaves_the_model_as_it_was(kernel, other, session, pen):
    kernel.run(f"%%agent -m recalls -s {session}\nfirst").ok()
    holding = kernel.send(f"%%agent -m dictated --once -s {session}\n{pen}")
    holding.until_shows("waiting for the model")
    assert other.run(f"%%agent -m hello -s {session}\nzebra").ename == "SessionBusyError"
    pen.end()
    holding.wait()
    assert "recalls" in other.run(f"%agent model -s {session}").ok().text


@pytest.mark.once
def test_wait_goes_on_when_the_session_is_free(kernel, other, session, pen):
    first = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("one")
    first.until_shows("one")
    second = other.send(f"%%agent -m recalls --wait -s {session}\nzebra")
    second.until(lambda cell: cell.outputs)
    assert not second.done
    pen.end()
    assert "text: one" in second.wait().ok().text
    first.wait().ok()


@pytest.mark.once
def test_wait_refuses_when_its_time_is_over(kernel, other, session):
    first = kernel.send(f"%%agent -m hang -s {session}\nhi")
    first.until_shows("partial answer")
    second = other.run(f"%%agent -m hello --wait 0.2 -s {session}\nzebra")
    assert second.ename == "SessionBusyError"
    assert 0.2 <= second.seconds < SOON


@pytest.mark.once
def test_a_new_session_of_one_name_is_made_once_by_two_kernels(kernel, other, session):
    cells = [each.send(f"%%agent -m recalls --wait -s {session}\nfrom {n}") for n, each in enumerate((kernel, other))]
    texts = sorted((cell.wait().ok().text for cell in cells), key=len)
    assert ("from 0" in texts[0]) != ("from 1" in texts[0])
    assert "from 0" in texts[1]
    assert "from 1" in texts[1]
    listing = kernel.run("%agent sessions").ok().text
    assert len(re.findall(rf"\b{session}\b", listing)) == 1


@pytest.mark.once
def test_a_running_session_is_listed_as_running_by_the_other_kernel(kernel, other, session):
    first = kernel.send(f"%%agent -m hang -s {session}\nhi")
    first.until_shows("partial answer")
    other.run("found = %agent sessions").ok()
    status = f"[item.status for item in found if item.name == {session!r}]"
    assert other.value(status) == "['running']"
    kernel.settle()
    other.run("found = %agent sessions").ok()
    assert other.value(status) == "['interrupted']"


@pytest.mark.once
def test_a_session_that_another_kernel_runs_is_not_deleted(kernel, other, session):
    first = kernel.send(f"%%agent -m hang -s {session}\nhi")
    first.until_shows("partial answer")
    assert other.run(f"%agent delete {session} --yes").ename == "SessionBusyError"
    kernel.settle()
    other.run(f"%agent delete {session} --yes").ok()
    assert session not in kernel.run("%agent sessions").text
