"""Which tools a turn offers: all, only some, or none."""

import pytest

pytestmark = pytest.mark.once

KERNEL = {"list_variables", "inspect_variable", "read_cells", "run_python", "run_python_isolated", "insert_cell"}
MARKED = "import sessionmagic\n@sessionmagic.tool\ndef marked() -> str: return 'x'\ndef named() -> str: return 'y'"


@pytest.fixture
def offered(start, session):
    """Run a cell with these options in a separate kernel, and return the names of the tools that were offered."""
    kernel = start()
    kernel.run(f"{MARKED}\nmodel = scripted.acts('Done.'); register_model('acts', model)").ok()

    def offered(options="", before=""):
        kernel.run(before).ok()
        kernel.run(f"%%agent -m acts -s {session} {options}\ngo").ok()
        return set(eval(kernel.value("list(model.offered[-1])")))

    return offered


def test_a_turn_without_tools_offers_only_what_it_names(offered):
    assert offered() == KERNEL | {"marked"}
    assert offered("--no-tools") == set()
    assert offered("--no-tools --tools named") == {"named"}
    assert offered() == KERNEL | {"marked"}


def test_kernels_tools_can_be_left_out_everywhere_and_offered_in_one_turn(offered):
    assert offered("-t named", "%config AgentMagics.kernel_tools = False") == {"marked", "named"}
    assert offered("--kernel-tools") == KERNEL | {"marked"}
    assert offered() == {"marked"}


def test_a_session_chooses_its_tools_until_a_turn_does(offered, session):
    usual = offered()
    assert offered(before=f"%agent set -s {session} --no-tools") == set()
    assert offered("--kernel-tools") == KERNEL | {"marked"}
    assert offered(f"-s {session}-other") == usual
    assert offered(before=f"%agent set -s {session} --clear") == usual
    assert offered(before="%config AgentMagics.kernel_tools = False") == {"marked"}
    assert offered(before=f"%agent set -s {session} --kernel-tools") == KERNEL | {"marked"}
    assert offered(f"-s {session}-other") == {"marked"}


def test_a_session_without_tools_is_one_after_a_restart_too(start, session):
    start().run(f"%%agent -m hello -s {session}\nhi").ok()
    start().run(f"%agent set -s {session} --no-tools").ok()
    kernel = start()
    assert "no tools but those of --tools" in kernel.run(f"%agent set -s {session}").ok().text
    assert kernel.run(f"%agent tools -s {session}").ok().text.count("run_python") == 0


def test_a_session_that_denies_all_offers_none(offered, session):
    offered()
    assert offered(before=f'%agent permissions {session} --deny "*"') == set()
    assert offered(f"-s {session}-other") == KERNEL | {"marked"}


def test_a_turn_without_tools_is_not_answered_with_one_that_had_some(start, session):
    kernel = start()
    ask = f"%%agent -m hello -s {session} --reuse"
    kernel.run(f"{ask}\ngo", cell_id="a").ok()
    assert kernel.value("_agent.reused") == "False"
    kernel.run(f"{ask}\ngo", cell_id="a").ok()
    assert kernel.value("_agent.reused") == "True"
    kernel.run(f"{ask} --no-tools\ngo", cell_id="a").ok()
    assert kernel.value("_agent.reused") == "False"
