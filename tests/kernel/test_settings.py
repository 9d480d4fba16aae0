"""`--set` and `--system`, `%agent set`, and the traits that set them for the kernel."""

import pytest

pytestmark = pytest.mark.once

NOTES = """
from pydantic_ai.models.function import FunctionModel
async def stream(messages, info):
    yield f"{info.instructions} {dict(sorted((info.model_settings or {}).items()))}"
class Seedless(FunctionModel):
    unsupported_settings = frozenset({"seed", "top_k"})
register_model("notes", FunctionModel(stream_function=stream))
register_model("seedless", Seedless(stream_function=stream));
"""


@pytest.fixture
def kernel(kernel):
    kernel.run(NOTES).ok()
    yield kernel
    for line in ("model_settings = {}", "system = ''"):
        kernel.run(f"%config AgentMagics.{line}").ok()


def refused(cell):
    assert (cell.status, cell.ename) == ("error", "UsageError"), cell.text
    assert cell.traceback == f"UsageError: {cell.evalue}"
    assert "\n" not in cell.traceback
    return cell.evalue


def asked(kernel, session, options=""):
    """Ask the model `notes`, and return its instructions and settings."""
    kernel.run(f"%%agent -m notes -s {session} {options}\nhi").ok()
    return kernel.value("str(_agent)").strip("'\"")


def test_turn_session_and_kernel_have_settings_and_the_nearest_win(kernel, session):
    kernel.run("%config AgentMagics.model_settings = {'top_k': 2, 'seed': 2}").ok()
    kernel.run("%config AgentMagics.system = 'of the kernel'").ok()
    assert asked(kernel, session) == "of the kernel {'seed': 2, 'top_k': 2}"
    said = kernel.run(f'%agent set -s {session} seed=3 temperature=0 --system "of the session"').ok().text
    assert said == f"{session}: seed=3 temperature=0 --system 'of the session'\n"
    assert asked(kernel, session) == "of the session {'seed': 3, 'temperature': 0, 'top_k': 2}"
    kernel.run("style = 'of the turn'").ok()
    answer = asked(kernel, session, "--set seed=4 max_tokens=5 --system $`style`")
    assert answer == "of the turn {'max_tokens': 5, 'seed': 4, 'temperature': 0, 'top_k': 2}"
    said = kernel.run(f"%agent set -s {session} --system $`len(style)`").ok().text
    assert said.splitlines()[0] == "values: len(style)"
    kernel.run(f"%agent set -s {session} --raw --system $`style`").ok()
    assert asked(kernel, session).startswith("$`style` ")
    kernel.run(f'%agent set -s {session} --system "of the session"').ok()
    listed = kernel.run(f"%agent set -s {session}").ok().text
    assert [line.split() for line in listed.splitlines()[1:]] == [
        ["top_k", "2", "kernel"],
        ["seed", "3", "session"],
        ["temperature", "0", "session"],
        ["system", "of", "the", "session", "session"],
    ]


def test_show_says_the_settings_of_the_session_and_of_each_turn(kernel, session):
    asked(kernel, session, '--set seed=4 stop=END --system "Be <b>terse</b>."')
    kernel.run(f"%agent set -s {session} temperature=0").ok()
    cell = kernel.run(f"%agent show {session}").ok()
    assert f"settings of {session}: temperature=0 (session)\n" in cell.text
    assert """seed=4 'stop=["END"]' --system 'Be <b>terse</b>.'""" in cell.text
    assert "<b>terse" not in cell.html


def test_settings_of_a_session_are_removed_one_by_one_or_all(kernel, session):
    asked(kernel, session)
    kernel.run(f"%agent set -s {session} temperature=0 seed=7 --system Brief").ok()
    assert kernel.run(f"%agent set -s {session} temperature=").ok().text == f"{session}: seed=7 --system 'Brief'\n"
    assert kernel.run(f"%agent set -s {session} --clear").ok().text == f"{session}: no settings of its own\n"
    assert "has no settings" in kernel.run(f"%agent set -s {session}").ok().text


@pytest.mark.parametrize("command", ["%%agent -s {} --set {}\nhi", "%agent set -s {} {}"])
def test_what_is_no_setting_is_refused_before_anything_is_stored(kernel, session, command):
    asked(kernel, session)
    before = kernel.run(f"%agent show {session}").ok().text
    assert "did you mean 'temperature'?" in refused(kernel.run(command.format(session, "temprature=0")))
    assert "is not valid" in refused(kernel.run(command.format(session, "seed=7 temperature=9")))
    assert "is not NAME=VALUE" in refused(kernel.run(command.format(session, "seed")))
    assert kernel.run(f"%agent show {session}").ok().text == before


def test_settings_may_stand_before_and_after_options(kernel, session):
    asked(kernel, session)
    said = kernel.run(f"%agent set top_k=3 -s {session} seed=7 --system Brief stop=END").ok().text
    assert said == f"""{session}: top_k=3 seed=7 'stop=["END"]' --system 'Brief'\n"""
    assert "put quotes around a text" in refused(kernel.run(f"%agent set -s {session} --system Be brief"))
    assert "did you mean '--system'?" in refused(kernel.run(f"%agent set -s {session} seed=7 --sytem Brief"))


def test_value_of_the_trait_that_is_no_setting_is_refused(kernel):
    (said,) = kernel.run("%config AgentMagics.model_settings = {'temprature': 0}").text.strip().splitlines()
    assert "did you mean 'temperature'?" in said
    assert kernel.value("get_ipython().magics_manager.registry['AgentMagics'].model_settings") == "{}"


def test_model_that_ignores_a_setting_is_named(kernel, session):
    cell = kernel.run(f"%%agent -m seedless -s {session} --set seed=7\nhi").ok()
    assert "seedless ignores seed: its library does not send it" in cell.html
    said = kernel.run(f"%agent set -s {session} top_k=3").ok().text
    assert said.startswith("⚠ seedless ignores top_k")


def test_names_and_values_are_completed(kernel):
    assert kernel.complete("%%agent --set temp") == ["%%agent --set temperature="]
    assert kernel.complete("%%agent --set temperature=0 see") == ["%%agent --set temperature=0 seed="]
    assert kernel.complete("%%agent --set effort=l") == ["%%agent --set effort=low"]
    assert kernel.complete("%%agent --set seed=7 --sess") == ["%%agent --set seed=7 --session"]
    assert kernel.complete("%agent set max") == ["%agent set max_tokens="]
    assert kernel.complete("%agent set --cl") == ["%agent set --clear"]
