"""A session survives its kernel."""

import pytest

from tests.kernel.conftest import restarted


@pytest.mark.once
def test_a_session_goes_on_after_a_restart_with_its_model_and_whole_history(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nfirst").ok()
    kernel.run(f"%%agent -m recalls -s {session}\nsecond").ok()
    kernel.run("%%agent -m hello --new\nof the kernel that was").ok()
    restarted(kernel)
    kernel.run("%%agent -m recalls\nof a fresh kernel").ok()
    assert kernel.value("str(_agent)") == "'user-prompt: of a fresh kernel'"
    text = kernel.run(f"%%agent -s {session}\nthird").ok().answer["data"]["text/plain"]
    assert text.splitlines()[:3] == ["user-prompt: first", "text: Hello **world**", "user-prompt: second"]
    assert text.splitlines()[-1] == "user-prompt: third"
    assert kernel.value("_agent.turn") == "'3'"


def test_a_restart_in_mid_stream_ends_the_turn_and_frees_the_session(kernel, session):
    before = kernel.send(f"%%agent -m hang -s {session}\nfirst")
    before.until_shows("partial answer")
    kernel.interrupt()
    before.wait()
    kernel.run(f"%%agent -m hang -b -s {session}\nsecond").ok().until_shows("partial answer")
    restarted(kernel)
    shown = kernel.run(f"%agent show {session}").ok()
    assert shown.text.count("partial answer") == 2
    assert shown.html.count("interrupted") == 2
    text = kernel.run(f"%%agent -m recalls -s {session}\nthird").ok().text
    assert text.count("text: partial answer") == 2


@pytest.mark.once
def test_a_model_that_is_gone_after_a_restart_is_said_and_the_default_answers(kernel, session):
    kernel.run("script('gone', 'from the lost model')").ok()
    kernel.run(f"%%agent -m gone -s {session}\nfirst").ok()
    restarted(kernel)
    kernel.run("%config AgentMagics.model = 'hello'").ok()
    cell = kernel.run(f"%%agent -s {session}\nsecond").ok()
    assert cell.answer["data"]["text/plain"] == "Hello **world**"
    assert "gone" in cell.html
    assert "unresolved" in kernel.run("%agent sessions").text
    kernel.run("script('gone', 'found again')").ok()
    assert kernel.run(f"%%agent -s {session}\nthird").ok().text == "found again"
