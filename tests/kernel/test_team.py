"""Agents of a file that give each other tasks, and hand sessions over."""

import pytest

from tests.kernel.acting import needs_clicks, waiting
from tests.kernel.conftest import restarted

pytestmark = pytest.mark.once

TEAM = """
agents:
  root:
    description: Leads.
    sub_agents: [researcher]
    handoffs: [tutor]
  researcher:
    description: Finds things out.
  tutor:
    description: Explains.
"""
MODELS = "--model root=boss researcher=work tutor=teach"
GIVES = "call('transfer_task', agent='researcher', task='Add the numbers.', expected_output='One number.')"
RUNS = "call('run_python', code='print(40 + 2)')"


@pytest.fixture
def team(kernel, tmp_path):
    """Let a kernel work beside the file; return a function that scripts the models of the agents."""
    (tmp_path / "agents.yaml").write_text(TEAM)

    def scripted(**steps):
        kernel.run(f"import os; os.chdir({str(tmp_path)!r})").ok()
        kernel.run("from sessionmagic.testing import call, hang, script").ok()
        for name, step in {"work": "'?'", "teach": "'?'", **steps}.items():
            kernel.run(f"{name} = script({name!r}, {step})").ok()

    yield scripted
    kernel.run(f"import os; os.chdir({str(kernel.home)!r})").ok()


def test_sub_agent_asks_on_the_page_and_its_work_is_there_after_a_restart(kernel, session, team):
    needs_clicks(kernel)
    team(boss=f"[{GIVES}], 'It is 42.', 'Sure.'", work=f"['Adding. ', {RUNS}], 'The sum is 42.'")
    cell = kernel.send(f"%%agent -s {session} {MODELS}\nAdd.").until_asks()
    assert "researcher asks because" in cell.words
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    assert cell.answer["data"]["text/plain"] == "It is 42."
    assert "· researcher ·" in cell.html
    assert "The sum is 42." in cell.html
    asked = kernel.value("[part.content for message in work.sent[0] for part in message.parts]")
    assert asked == repr(["Add the numbers.\n\nExpected output: One number."])
    kernel.run(f"used = %agent usage {session} --by agent").ok()
    assert kernel.value("[(each.agent, each.requests) for each in used]") == repr([("root", 2), ("researcher", 2)])
    restarted(kernel)
    team(boss="'Sure.'")
    shown = kernel.run(f"%agent show {session}").ok()
    assert "The sum is 42." in shown.html
    assert "Adding." in shown.html
    kernel.run(f"%%agent -s {session}\nSure?").ok()
    assert "The sum is 42." in kernel.value("str(boss.sent[0])")
    assert "Adding." not in kernel.value("str(boss.sent[0])")


def test_figure_of_a_sub_agent_stands_after_the_call_that_it_worked_for(kernel, session, team):
    shows = "call('run_python', code='from IPython.display import HTML, display; display(HTML(\"<b>figure</b>\"))')"
    team(boss=f"[{GIVES}], 'It is 42.'", work=f"[{shows}], 'The sum is 42.'")
    cell = kernel.run(f"%%agent -s {session} --yes {MODELS}\nAdd.").ok()
    shown = [output["data"].get("text/html", "") for output in cell.everything]
    [figure] = [at for at, html in enumerate(shown) if html.endswith(">figure</div>")]
    assert "transfer_task · researcher" in shown[figure - 1]
    assert "It is 42." in shown[figure + 1]


def test_question_of_a_sub_agent_on_stdin_names_it(kernel, session, team):
    team(boss=f"[{GIVES}], 'It is 42.'", work=f"[{RUNS}], 'The sum is 42.'")
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    try:
        cell = kernel.send(f"%%agent -s {session} {MODELS}\nAdd.")
        kernel.reply("y")
        cell.wait().ok()
    finally:
        kernel.run("%config AgentMagics.approval = 'auto'").ok()
    assert "researcher: run_python" in cell.text
    assert "It is 42." in cell.text


def test_call_of_a_sub_agent_in_the_background_is_listed_with_its_name(kernel, session, team):
    team(boss=f"[{GIVES}], 'It is 42.'", work=f"[{RUNS}], 'The sum is 42.'")
    kernel.run("_agent = None").ok()
    kernel.run(f"%%agent -b -s {session} {MODELS}\nAdd.").ok()
    kernel.until(lambda: list(waiting(kernel).values()) == ["run_python"])
    kernel.run("(call_that_waits,) = %agent approve").ok()
    assert kernel.value("call_that_waits.agent") == "'researcher'"
    kernel.run("get_ipython().run_line_magic('agent', f'approve {call_that_waits.id}')").ok()
    kernel.until(lambda: kernel.value("_agent is not None and _agent.status != 'running'") == "True")
    assert kernel.value("str(_agent)") == "'It is 42.'"


def test_message_to_a_turn_whose_sub_agent_works_says_when_it_is_read(kernel, session, team):
    team(boss=f"[{GIVES}], 'It is 42.'", work="['The sum ', hang()]")
    kernel.run(f"%%agent -b -s {session} {MODELS}\nAdd.").ok()
    kernel.until(lambda: kernel.value("len(work.sent)") == "1")
    assert kernel.run(f"%agent steer -s {session} Be brief.").ok().text == (
        f"sent to {session}; root reads it with its next request, after the work of researcher\n"
    )
    kernel.run(f"%agent stop {session}").ok()


def test_interrupt_stops_a_sub_agent_and_keeps_what_it_has_said(kernel, session, team):
    team(boss=f"[{GIVES}], 'It is 42.'", work="['The sum ', hang()]")
    cell = kernel.send(f"%%agent -s {session} {MODELS}\nAdd.")
    cell.until_shows("The sum")
    kernel.interrupt()
    cell.wait()
    shown = kernel.run(f"%agent show {session}").ok()
    assert "The sum" in shown.html
    assert "did not stop" not in shown.html
    team(boss="'Again.'")
    assert kernel.run(f"%%agent -s {session}\nGo on.").ok().answer["data"]["text/plain"] == "Again."


def test_session_that_was_handed_over_stays_so_until_the_user_goes_back(kernel, session, team):
    team(
        boss="'Hello.', ['One moment. ', call('handoff', agent='tutor')], 'Back.'",
        teach="lambda messages: str(messages), 'More.'",
    )
    kernel.run(f"%%agent -s {session} {MODELS}\nHi.").ok()
    cell = kernel.run(f"%%agent -s {session}\nExplain.").ok()
    assert " · tutor · boss, teach · " in cell.footer["data"]["text/plain"]
    assert "handoff · tutor" in cell.html
    for piece in ("Hi.", "Hello.", "Explain.", "One moment."):
        assert piece in kernel.value("str(teach.sent[0])")
    restarted(kernel)
    team(boss="'Back.'", teach="'More.'")
    assert kernel.run(f"%%agent -s {session}\nMore.").ok().answer["data"]["text/plain"] == "More."
    assert "handoff · tutor" in kernel.run(f"%agent show {session}").ok().html
    assert kernel.run(f"%%agent --agent root -s {session}\nBack?").ok().answer["data"]["text/plain"] == "Back."
