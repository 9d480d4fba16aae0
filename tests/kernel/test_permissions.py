"""Who lets a tool call run: clicks, `%agent approve`, and the rules of `%agent permissions`; `%agent tools` tells."""

import re
from html import unescape
from itertools import chain

import pytest

from sessionmagic.notebook.kernel.tools import NOT_RETURNED
from sessionmagic.notebook.page.tool_row import ALWAYS_EVERYTHING, KEEP_ASKING, RUN_EVERYTHING
from sessionmagic.notebook.terminal.asking import SURE
from sessionmagic.turns.unasked import KERNEL_ENDS, UNASKED
from tests.kernel.acting import acts, asked, in_background, needs_clicks, question, told, until_over, waiting
from tests.kernel.conftest import restarted
from tests.kernel.kernels import appears, comes_true

pytestmark = pytest.mark.once

RUN = ("run_python", {"code": "ran.append(1)"})
LOOK = ("list_variables", {})
DOUBLE = "def double(n: int) -> int:\n    'Double it.'\n    return 2 * n"


@pytest.fixture
def chat(kernel, session):
    """A session without rules; `ran` is what its calls have run, and `double` a function of the user's."""
    kernel.run(f"ran = []\n{DOUBLE}").ok()
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    return session


@pytest.fixture
def on_stdin(kernel):
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    yield
    kernel.run("%config AgentMagics.approval = 'auto'").ok()


def refused(cell):
    assert (cell.status, cell.ename) == ("error", "UsageError"), cell.text
    assert "\n" not in cell.traceback
    return cell.evalue


def listed(kernel, line, **options):
    """What `%agent tools` says: by tool, where it comes from and what happens when it is called."""
    rows = [re.split(" {2,}", row) for row in kernel.run(f"%agent tools {line}", **options).ok().text.splitlines()]
    return {name: tuple(rest[:2]) for name, *rest in rows if len(rest) > 1}


def happens(kernel, session, call):
    """What happens to a call of the next turn; when it asks, the user says no."""
    acts(kernel, [call], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
    kernel.until(lambda: cell.done or kernel._questions)
    asks = not cell.done
    if asks:
        cell.until_shows(call[0])
        kernel.reply("n")
    cell.wait().ok()
    return "asks" if asks else {"success": "runs", "denied": "is denied"}[told(kernel)[-1][1]]


@pytest.mark.parametrize(("click", "outcome"), [("Approve", "success"), ("Reject", "denied")])
def test_a_proposed_cell_asks_first(kernel, chat, click, outcome):
    needs_clicks(kernel)
    acts(kernel, [("insert_cell", {"code": "first = 1"})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    kernel.click(cell.button(click))
    assert "Done." in cell.wait().ok().text
    proposed = [payload["text"] for payload in cell.reply["payload"]]
    assert proposed == (["first = 1"] if click == "Approve" else [])
    assert [outcome for _, outcome, _ in told(kernel)] == [outcome]


@pytest.mark.parametrize(("click", "outcome"), [("Approve", "success"), ("Reject", "denied")])
def test_isolated_code_asks_first(kernel, chat, tmp_path, click, outcome):
    needs_clicks(kernel)
    mark = tmp_path / "ran"
    acts(kernel, [("run_python_isolated", {"code": f"open({str(mark)!r}, 'w').close()\n6 * 7"})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    assert not mark.exists()
    kernel.click(cell.button(click))
    assert "Done." in cell.wait().ok().text
    assert mark.exists() == (click == "Approve")
    text = "42" if click == "Approve" else "The user rejected this call."
    assert told(kernel) == [("run_python_isolated", outcome, text)]


@pytest.mark.usefixtures("server")
def test_tools_are_listed_with_where_they_come_from(kernel, chat):
    acts(kernel, "Done.")
    kernel.run(f"%%agent -m acts -s {chat}\ngo").ok()
    tools = listed(kernel, f"--tools double {chat}")
    assert tools["list_variables"] == ("notebook", "runs: the tool is read-only")
    assert tools["insert_cell"] == ("notebook", "asks: the tool may change something")
    assert tools["double"] == ("yours", "asks: the tool may change something")
    assert tools["tests__echo"] == ("MCP tests", "runs: the tool is read-only")
    assert tools["tests__add"] == ("MCP tests", "asks: the tool may change something")
    assert "double" not in listed(kernel, chat)
    assert "Say the text again." in kernel.run(f"%agent tools {chat}").ok().text


def test_tools_are_listed_with_what_the_rules_say(kernel, chat):
    kernel.run(f"%agent permissions {chat} --deny run_* --allow dou* --ask list_variables").ok()
    tools = listed(kernel, f"-t double {chat}")
    assert tools["run_python"] == ("notebook", "is denied: the session has a deny rule for run_*")
    assert tools["double"] == ("yours", "runs: the session has an allow rule for dou*")
    assert tools["list_variables"] == ("notebook", "asks: the session has an ask rule for list_variables")
    assert tools["insert_cell"] == ("notebook", "asks: the tool may change something")
    kernel.run(f"%agent permissions {chat} --deny double --forget run_*").ok()
    tools = listed(kernel, f"-t double {chat}")
    assert tools["run_python"] == ("notebook", "asks: the tool may change something")
    assert tools["double"] == ("yours", "is denied: the session has a deny rule for double")


def test_tools_that_would_ask_are_listed_as_denied_where_nobody_can_be_asked(kernel, chat):
    kernel.run(f"%agent permissions {chat} --allow insert_cell").ok()
    tools = listed(kernel, chat, allow_stdin=False)
    assert tools["run_python"] == (
        "notebook",
        "is denied: the tool may change something, and nobody is available to approve the call",
    )
    assert tools["insert_cell"] == ("notebook", "runs: the session has an allow rule for insert_cell")
    assert tools["list_variables"] == ("notebook", "runs: the tool is read-only")


def approve_everything(kernel, cell):
    """Click on both buttons that approve everything."""
    kernel.click(cell.button(ALWAYS_EVERYTHING))
    comes_true(lambda: asks_once_more(kernel, cell))
    kernel.click(cell.button(RUN_EVERYTHING))


def status_of(cell, session):
    """Return the status line of the running turn, as HTML."""
    return next(value for state in cell.widgets.values() if f"{session} · " in (value := str(state.get("value"))))


def asks_once_more(kernel, cell):
    """Return whether the second button is on the page now."""
    widgets, button = kernel.widgets(), f"IPY_MODEL_{cell.button(RUN_EVERYTHING)}"
    [row] = [state for state in widgets.values() if button in state.get("children", ())]
    return widgets[row["layout"].removeprefix("IPY_MODEL_")]["display"] == "flex"


def test_everything_that_is_approved_holds_in_this_kernel_only_and_is_shown(start, session):
    kernel = start()
    needs_clicks(kernel)
    kernel.run(f"ran = []\n{DOUBLE}").ok()
    acts(kernel, [RUN], [("double", {"n": 2})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} -t double\ngo").until_asks()
    assert "unasked" not in status_of(cell, session)
    approve_everything(kernel, cell)
    assert "Done." in cell.wait().ok().text
    assert told(kernel) == [("run_python", "success", NOT_RETURNED), ("double", "success", "4")]
    line = UNASKED.format(until=KERNEL_ENDS, session=session, safety="balanced")
    assert line in cell.words
    assert line in cell.footer["data"]["text/plain"]
    assert line in unescape(cell.footer["data"]["text/html"])
    assert line in kernel.run(f"%agent permissions {session}").ok().text
    assert line in kernel.run(f"%agent show {session}").ok().text
    assert listed(kernel, session)["run_python"] == ("notebook", "runs: everything was approved until this kernel ends")
    later = kernel.run(f"%%agent -m acts -s {session}\ngo").ok()
    assert line in later.words
    assert line in later.footer["data"]["text/plain"]
    restarted(kernel)
    kernel.run("ran = []\n%config AgentMagics.approval = 'stdin'").ok()
    assert happens(kernel, session, RUN) == "asks"
    assert "unasked" not in kernel.run(f"%agent permissions {session}").ok().text
    assert f"{session} is balanced" in kernel.run(f"%agent permissions {session}").ok().text


def test_everything_is_approved_with_a_second_button_which_a_double_click_does_not_find(kernel, chat):
    needs_clicks(kernel)
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    first = cell.button(ALWAYS_EVERYTHING)
    assert not asks_once_more(kernel, cell)
    kernel.click(first)
    comes_true(lambda: asks_once_more(kernel, cell))
    assert kernel.widgets()[first]["description"] == KEEP_ASKING
    kernel.click(first)
    comes_true(lambda: not asks_once_more(kernel, cell))
    assert kernel.widgets()[first]["description"] == ALWAYS_EVERYTHING
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    assert kernel.value("ran") == "[1]"
    assert "unasked" not in cell.footer["data"]["text/plain"]


def test_button_for_everything_is_in_no_row_with_others(kernel, chat):
    needs_clicks(kernel)
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    buttons = ("Approve", ALWAYS_EVERYTHING, RUN_EVERYTHING)
    cell.until(lambda cell: all(f"'IPY_MODEL_{cell.button(each)}'" in str(cell.widgets) for each in buttons))
    rows = [state["children"] for state in cell.widgets.values() if state.get("_model_name") == "HBoxModel"]
    approve, first, second = map(cell.button, buttons)
    assert f"IPY_MODEL_{approve}" in {*chain(*rows)}
    assert [f"IPY_MODEL_{first}"] in rows
    [confirming] = [row for row in rows if f"IPY_MODEL_{second}" in row]
    assert not {f"IPY_MODEL_{approve}", f"IPY_MODEL_{first}"} & {*confirming}
    kernel.click(cell.button("Reject"))
    cell.wait().ok()


def test_everything_is_asked_about_again_after_a_click_while_the_turn_runs(kernel, chat, tmp_path):
    needs_clicks(kernel)
    third = f"open({str(tmp_path / 'third')!r}, 'w').close()\nwhile not again: time.sleep(0.01)"
    acts(kernel, [RUN], [RUN], [("run_python", {"code": third})], [RUN], "Done.")
    kernel.run("import time; again = False").ok()
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    approve_everything(kernel, cell)
    cell.until(lambda cell: "Ask again" in str(cell.widgets) and "unasked" in status_of(cell, chat))
    appears(tmp_path / "third")
    kernel.click(cell.button("Ask again"))
    cell.until(lambda cell: "unasked" not in status_of(cell, chat))
    kernel.run("again = True", subshell=kernel.subshell()).ok()
    cell.until_asks(2)
    kernel.click(cell.button("Reject", 1))
    cell.wait().ok()
    assert [outcome for _, outcome, _ in told(kernel)] == ["success", "success", "success", "denied"]
    assert "unasked" not in cell.footer["data"]["text/plain"]


@pytest.mark.parametrize("mode", ["balanced", "strict"])
@pytest.mark.usefixtures("on_stdin")
def test_a_safety_mode_takes_back_that_everything_was_approved(kernel, chat, mode):
    acts(kernel, [RUN], [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo")
    kernel.reply("a")
    assert kernel.reply("everything") == SURE
    cell.wait().ok()
    assert listed(kernel, chat)["run_python"][1].startswith("runs")
    assert "unasked" not in kernel.run(f"%agent permissions {chat} --safety {mode}").ok().text
    assert happens(kernel, chat, RUN) == "asks"


@pytest.mark.usefixtures("on_stdin")
def test_a_rule_leaves_everything_approved_and_is_asked_about(kernel, chat):
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo")
    kernel.reply("all")
    kernel.reply("EVERYTHING")
    cell.wait().ok()
    kernel.run(f"%agent permissions {chat} --ask insert_cell --deny list_variables").ok()
    assert happens(kernel, chat, RUN) == "runs"
    assert happens(kernel, chat, ("insert_cell", {"code": "1"})) == "asks"
    assert happens(kernel, chat, LOOK) == "is denied"


@pytest.mark.usefixtures("on_stdin")
def test_other_sessions_and_copies_are_asked_about_though_everything_was_approved(kernel, chat):
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo")
    kernel.reply("a")
    kernel.reply("everything")
    cell.wait().ok()
    kernel.run(f"%agent fork {chat}-copy -s {chat}").ok()
    assert happens(kernel, f"{chat}-copy", RUN) == "asks"
    assert happens(kernel, f"{chat}-other", RUN) == "asks"
    assert happens(kernel, chat, RUN) == "runs"


def test_everything_that_is_approved_does_not_hold_in_another_kernel(start, session):
    one, other = (start() for _ in range(2))
    for kernel in (one, other):
        kernel.run(
            f"ran = []\n%config AgentMagics.approval = 'stdin'\n%config AgentMagics.store = {str(one.store)!r}"
        ).ok()
    acts(one, [RUN], "Done.")
    cell = one.send(f"%%agent -m acts -s {session}\ngo")
    one.reply("a")
    one.reply("everything")
    cell.wait().ok()
    assert happens(one, session, RUN) == "runs"
    assert happens(other, session, RUN) == "asks"


@pytest.mark.usefixtures("on_stdin")
def test_interrupt_while_everything_is_confirmed_approves_nothing(kernel, chat):
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo")
    kernel.reply("a")
    kernel.until(lambda: kernel._questions)
    kernel._questions.clear()
    kernel.interrupt()
    assert cell.wait().ename == "KeyboardInterrupt"
    assert kernel.value("ran") == "[]"
    assert listed(kernel, chat)["run_python"][1].startswith("asks")


def test_autonomous_session_says_so_in_its_footer(kernel, chat):
    kernel.run(f"%agent permissions {chat} --safety autonomous").ok()
    acts(kernel, [RUN], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {chat}\ngo").ok()
    assert UNASKED.format(until="", session=chat, safety="balanced") in cell.footer["data"]["text/plain"]


def test_approve_for_the_tool_asks_for_other_tools_still(kernel, chat):
    acts(kernel, [RUN], [RUN], [("double", {"n": 2})], "Done.")
    in_background(kernel, chat, "-t double")
    said = kernel.run(f"%agent approve {question(kernel, 'run_python')} --tool").ok().text
    assert "run_python is approved" in said
    kernel.run(f"%agent approve {question(kernel, 'double')}").ok()
    until_over(kernel)
    assert kernel.value("ran") == "[1, 1]"
    assert [outcome for _, outcome, _ in told(kernel)] == ["success"] * 3
    assert listed(kernel, chat)["run_python"] == ("notebook", "runs: the session has an allow rule for run_python")


def test_approve_for_all_asks_no_more_but_where_a_rule_does(kernel, chat):
    kernel.run(f"%agent permissions {chat} --ask list_*").ok()
    acts(kernel, [RUN], [("double", {"n": 2})], [LOOK], "Done.")
    in_background(kernel, chat, "-t double")
    asks = kernel.send(f"%agent approve {question(kernel, 'run_python')} --all")
    assert kernel.reply("everything") == SURE
    asks.wait().ok()
    kernel.run(f"%agent approve {question(kernel, 'list_variables')} --reject").ok()
    until_over(kernel)
    assert [(tool, outcome) for tool, outcome, _ in told(kernel)] == [
        ("run_python", "success"),
        ("double", "success"),
        ("list_variables", "denied"),
    ]
    assert "run unasked until this kernel ends" in kernel.run(f"%agent permissions {chat}").ok().text


@pytest.mark.parametrize("answer", ["", "y", "a", "yes"])
def test_approve_for_all_that_is_not_confirmed_approves_nothing(kernel, chat, answer):
    acts(kernel, [RUN], "Done.")
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    asks = kernel.send(f"%agent approve {waits} --all")
    kernel.reply(answer)
    assert f"{waits} still waits" in asks.wait().ok().text
    assert waiting(kernel) == {waits: "run_python"}
    assert "leave it out" in refused(kernel.run(f"%agent approve {waits} --all", allow_stdin=False))
    kernel.run(f"%agent approve {waits} --reject").ok()
    until_over(kernel)
    assert kernel.value("ran") == "[]"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("some reason with an apostrophe, don't", " Reason: some reason with an apostrophe, don't"),
        ("""it's "mine" --all -h \\n $x""", """ Reason: it's "mine" --all -h \\n $x"""),
        ("'quoted as a whole'", " Reason: quoted as a whole"),
        ("", ""),
    ],
)
def test_a_rejection_takes_the_rest_of_the_line_to_the_model(kernel, chat, written, read):
    acts(kernel, [RUN], "Well then.")
    in_background(kernel, chat)
    said = kernel.run(f"%agent approve {question(kernel, 'run_python')} --reject {written}").ok().text
    assert "run_python is rejected" in said
    until_over(kernel)
    assert told(kernel) == [("run_python", "denied", f"The user rejected this call.{read}")]
    assert kernel.value("ran") == "[]"
    assert kernel.value("str(_agent)") == "'Well then.'"


@pytest.mark.parametrize(
    ("change", "call", "before", "after", "back"),
    [
        ("--allow run_*", RUN, "asks", "runs", "--forget run_*"),
        ("--deny run_python", RUN, "asks", "is denied", "--forget run_python"),
        ("--ask LIST_*", LOOK, "runs", "asks", "--forget LIST_*"),
        ("--deny list_variables", LOOK, "runs", "is denied", "--forget list_variables"),
        ("--safety autonomous", RUN, "asks", "runs", "--safety balanced"),
        ("--safety strict", LOOK, "runs", "asks", "--safety balanced"),
        ("--safety restricted", RUN, "asks", "is denied", "--safety balanced"),
    ],
)
@pytest.mark.usefixtures("on_stdin")
def test_permissions_change_what_happens_to_the_next_call(kernel, chat, change, call, before, after, back):
    for options, expected in (("", before), (change, after), (back, before)):
        kernel.run(f"%agent permissions {chat} {options}").ok()
        assert happens(kernel, chat, call) == expected
        _, decision = listed(kernel, chat)[call[0]]
        assert decision.startswith(f"{expected}:")


def test_a_rule_that_fits_no_tool_is_kept_with_a_note(kernel, chat):
    said = kernel.run(f"%agent permissions {chat} --deny run_pyton:code=*open*").ok().text
    assert "⚠ no offered tool matches 'run_pyton'; %agent tools lists them" in said
    assert "⚠" not in kernel.run(f"%agent permissions {chat} --deny RUN_*:code=*open*").ok().text


@pytest.mark.usefixtures("server")
def test_a_rule_on_an_argument_that_no_tool_has_is_kept_with_a_note(kernel, chat):
    said = kernel.run(f"%agent permissions {chat} --deny run_*:cod=*open* --allow tests__add:c=1").ok().text
    assert "⚠ run_* has no argument 'cod'; it takes code, timeout" in said
    assert "⚠ tests__add has no argument 'c'; it takes a, b" in said
    assert "⚠" not in kernel.run(f"%agent permissions {chat} --deny tests__*:text=* --deny run_python:code=*").ok().text
    assert "matches 'run_python:code'" in kernel.run(f"%agent permissions {chat} --deny run_python:code").ok().text


def test_a_line_may_have_several_rules_of_a_kind(kernel, chat):
    kernel.run(f"%agent permissions {chat} --deny run_python --deny insert_cell --ask list_* --deny insert_cell").ok()
    tools = listed(kernel, f"{chat} --tools double")
    decisions = {name: tools[name][1].partition(":")[0] for name in ("run_python", "insert_cell", "list_variables")}
    assert decisions == {"run_python": "is denied", "insert_cell": "is denied", "list_variables": "asks"}
    kernel.run(f"%agent permissions {chat} --forget run_python --forget list_*").ok()
    assert listed(kernel, chat)["run_python"][1].startswith("asks")
    assert "give it to only one" in refused(kernel.run(f"%agent permissions {chat} --deny read* --ask read*"))


def test_a_marked_function_is_offered_once_whatever_it_is_called(kernel, chat):
    kernel.run("import sessionmagic\n@sessionmagic.tool(name='load', read_only=True)\ndef load_orders(): return 1").ok()
    try:
        tools = listed(kernel, f"{chat} --tools load_orders")
        assert ("load_orders" in tools, tools["load"]) == (False, ("yours", "runs: the tool is read-only"))
    finally:
        kernel.run("from sessionmagic.tools.functions import registered; del registered['load']").ok()


def test_rules_may_be_there_before_a_sessions_first_turn(kernel, session):
    assert kernel.run(f"%agent permissions {session} --deny run_*").ename == "SessionNotFoundError"
    assert "give one" in refused(kernel.run("%agent permissions --new --deny run_*"))
    refused(kernel.run(f"%agent permissions {session} --new --safety strikt"))
    said = kernel.run(f"%agent permissions {session} --new --deny run_* --safety strict").ok().text
    assert f"{session} is strict" in said
    assert kernel.run(f"%agent permissions {session} --new --deny run_*").ename == "SessionExistsError"
    acts(kernel, [RUN], "Done.")
    kernel.run(f"ran = []\n%agent use {session}").ok()
    kernel.run("%%agent -m acts --yes\ngo").ok()
    assert told(kernel) == [
        ("run_python", "denied", "This call is not allowed: the session has a deny rule for run_*.")
    ]


def test_a_session_is_named_as_in_a_cell_or_without_an_option(kernel, chat):
    for line in (f"show {chat}", f"show -s {chat}", f"show --session {chat}"):
        assert "world" in kernel.run(f"%agent {line}").ok().text
    assert kernel.run(f"%agent stop -s {chat}").ok().text == f"{chat} has no running turn in this kernel\n"


@pytest.mark.parametrize(
    ("option", "words", "back"),
    [
        (
            "--tool",
            "run_python is approved, and so are later calls of it; %agent permissions {} --forget run_python",
            "--forget run_python",
        ),
        ("--all", "until this kernel ends; %agent permissions {} --safety strict asks again", "--safety strict"),
    ],
)
def test_a_lasting_decision_says_how_it_is_taken_back(kernel, chat, option, words, back):
    acts(kernel, [RUN], "Done.")
    kernel.run(f"%agent permissions {chat} --safety strict").ok()
    kernel.run(f"%agent rename {chat} 'my {chat}'").ok()
    chat = f'"my {chat}"'
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    listed_as = "[str(row) for row in get_ipython().run_line_magic('agent', 'sessions')._cells()]"
    assert "waits for your answer" in str(eval(kernel.value(listed_as)))
    approves = kernel.send(f"%agent approve {waits} {option}")
    if option == "--all":
        kernel.reply("everything")
    assert words.format(chat) in approves.wait().ok().text
    until_over(kernel)
    kernel.run(f"%agent permissions {chat} {back}").ok()
    assert listed(kernel, chat)["run_python"][1].startswith("asks")


def test_functions_may_be_named_one_by_one(kernel, chat):
    kernel.run("def triple(n: int): return 3 * n").ok()
    assert {"double", "triple"} <= set(listed(kernel, f"-t double {chat} --tools triple"))


def test_a_model_that_cannot_call_tools_is_warned_of(kernel, chat):
    kernel.run("script('mute', 'Done.', profile={'supports_tools': False})").ok()
    cell = kernel.run(f"%%agent -m mute -s {chat} -t double\ngo").ok()
    assert "mute cannot call tools, so it is not offered double" in cell.html
    assert "mute cannot call tools; none are offered to it" in kernel.run(f"%agent tools {chat}").ok().text
    assert "cannot call tools" not in kernel.run(f"%%agent -s {chat}\ngo").ok().html


def test_tools_are_listed_with_the_rules_on_their_arguments(kernel, chat):
    kernel.run(f"%agent permissions {chat} --deny RUN_*:code=*open*").ok()
    assert listed(kernel, chat)["run_python"][1] == "asks: the tool may change something; deny RUN_*:code=*open*"
    assert listed(kernel, chat)["list_variables"][1] == "runs: the tool is read-only"


@pytest.mark.parametrize(
    ("change", "answer", "why"),
    [
        ("--deny run_python", "", "the session has a deny rule for run_python"),
        ("--deny run_python", "--tool", "the session has a deny rule for run_python"),
        ("--deny run_*", "--all", "the session has a deny rule for run_*"),
        ("--safety restricted", "", "the tool may change something, and the session's safety mode is restricted"),
    ],
)
def test_a_denial_that_comes_while_a_call_waits_wins_over_its_approval(kernel, chat, change, answer, why):
    acts(kernel, [RUN], "Done.")
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    kernel.run(f"%agent permissions {chat} {change}").ok()
    approves = kernel.send(f"%agent approve {waits} {answer}")
    if answer == "--all":
        kernel.reply("everything")
    approves.wait().ok()
    until_over(kernel)
    assert told(kernel) == [("run_python", "denied", f"This call is not allowed: {why}.")]
    assert kernel.value("ran") == "[]"


def test_a_denial_that_comes_while_a_call_waits_wins_over_a_click(kernel, chat):
    needs_clicks(kernel)
    acts(kernel, [RUN], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {chat}\ngo").until_asks()
    kernel.run(f"%agent permissions {chat} --deny run_python", subshell=kernel.subshell()).ok()
    kernel.click(cell.button("Always run_python"))
    assert "the session has a deny rule for run_python" in cell.wait().ok().html
    assert kernel.value("ran") == "[]"


@pytest.mark.parametrize("change", ["--allow *", "--safety autonomous"])
def test_approved_code_cannot_change_what_is_permitted(kernel, chat, change):
    before = kernel.run(f"%agent permissions {chat}").ok().text
    command = f"get_ipython().run_line_magic('agent', 'permissions {chat} {change}')"
    nested = f"get_ipython().run_cell({command!r}, store_history=False).raise_error()"
    for code in (command, nested):
        acts(kernel, [("run_python", {"code": code})], "Done.")
        kernel.run(f"%%agent -m acts -s {chat} --yes\ngo").ok()
        assert "ToolError: code that run_python runs cannot change permissions" in told(kernel)[-1][2]
    in_thread = f"import threading\nthread = threading.Thread(target=lambda: {command})\nthread.start(); thread.join()"
    acts(kernel, [("run_python", {"code": in_thread})], "Done.")
    kernel.run(f"%%agent -m acts -s {chat} --yes\ngo")
    assert kernel.run(f"%agent permissions {chat}").ok().text == before


def test_approved_code_cannot_change_the_mode_of_new_sessions(kernel, chat):
    acts(kernel, [("run_python", {"code": "%config AgentMagics.safety = 'autonomous'"})], "Done.")
    kernel.run(f"%%agent -m acts -s {chat} --yes\ngo").ok()
    assert kernel.value("get_ipython().run_line_magic('config', 'AgentMagics.safety')") == "'balanced'"


def test_approved_code_cannot_approve_another_call(kernel, chat, session):
    approves = "get_ipython().run_line_magic('agent', 'approve ' + waiting + ' --all')"
    acts(kernel, [RUN], "Done.")
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    kernel.run(f"waiting = {waits!r}").ok()
    acts(kernel, [("run_python", {"code": approves})], "Done.")
    kernel.run(f"%%agent -m acts -s other-{session} --yes\ngo").ok()
    [(_, outcome, said)] = told(kernel)
    assert (outcome, "code that run_python runs cannot decide on a tool call" in said) == ("failed", True)
    kernel.run(f"%agent approve {waits} --reject").ok()
    until_over(kernel)
    assert kernel.value("ran") == "[]"


def test_isolated_code_does_not_know_the_store_and_changes_no_permissions(kernel, chat):
    code = (
        "import os\nfrom sessionmagic import SessionManager\n"
        "print([name for name in os.environ if name == 'SESSIONMAGIC_HOME'])\n"
        f"SessionManager().sessions.set_permissions({chat!r}, {{'*': 'allow'}})"
    )
    acts(kernel, [("run_python_isolated", {"code": code})], "Done.")
    kernel.run(f"%%agent -m acts -s {chat} --yes\ngo").ok()
    [(_, outcome, said)] = told(kernel)
    assert outcome == "failed"
    assert said.startswith("[]\n")
    assert "code that run_python_isolated runs cannot change permissions" in said


def test_permissions_of_a_colleagues_file_are_shown_and_hold_once_they_are_confirmed(kernel, chat):
    kernel.run(
        "from dataclasses import replace\nfrom sessionmagic import SessionManager\nstore = SessionManager().store\n"
        "new = {'permissions': {'allow': ['run_*'], 'deny': ['insert_cell']}, 'safety': 'autonomous'}\n"
        f"store.update(store.find({chat!r}), lambda session: replace(session, **new))"
    ).ok()
    said = kernel.run(f"%agent permissions {chat}").ok().text
    assert "allow (not confirmed)" in said
    assert f"{chat} is balanced" in said
    assert f"%agent permissions '{chat}' --confirm sets them" in said
    assert listed(kernel, chat)["run_python"][1].startswith("asks")
    acts(kernel, [RUN], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {chat}\ngo", allow_stdin=False).ok()
    assert "do not hold: safety autonomous, allow run_*" in cell.html
    assert kernel.value("ran") == "[]"
    said = kernel.run(f"%agent permissions '{chat}' --confirm").ok().text
    assert f"{chat} is autonomous" in said
    assert "not confirmed" not in said
    acts(kernel, [RUN], [("insert_cell", {"code": "1"})], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {chat}\ngo", allow_stdin=False).ok()
    assert "do not hold" not in cell.html
    assert kernel.value("ran") == "[1]"
    assert [outcome for _, outcome, _ in told(kernel)][-2:] == ["success", "denied"]


def test_a_rule_set_in_mid_turn_holds_for_the_turns_next_call(kernel, chat):
    acts(kernel, [RUN], [RUN], [LOOK], "Done.")
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    kernel.run(f"%agent permissions {chat} --allow run_python --deny list_*").ok()
    kernel.run(f"%agent approve {waits}").ok()
    until_over(kernel)
    assert kernel.value("ran") == "[1, 1]"
    assert [outcome for _, outcome, _ in told(kernel)] == ["success", "success", "denied"]


def test_an_unknown_safety_mode_gets_a_hint_and_changes_nothing(kernel, chat):
    before = kernel.run(f"%agent permissions {chat}").ok().text
    assert "did you mean 'autonomous'?" in refused(kernel.run(f"%agent permissions {chat} --safety autonomus"))
    assert "did you mean" not in refused(kernel.run(f"%agent permissions {chat} --safety xyzzy"))
    assert kernel.run(f"%agent permissions {chat}").ok().text == before


def test_a_line_with_an_unknown_safety_mode_changes_no_rule(kernel, chat):
    before = kernel.run(f"%agent permissions {chat}").ok().text
    refused(kernel.run(f"%agent permissions {chat} --allow run_* --safety autonomus"))
    assert kernel.run(f"%agent permissions {chat}").ok().text == before


@pytest.mark.parametrize("option", ["--allow", "--ask", "--deny"])
@pytest.mark.parametrize("pattern", ["''", "' '", ":code=*"])
def test_a_pattern_that_names_no_tool_is_refused(kernel, chat, option, pattern):
    before = kernel.run(f"%agent permissions {chat}").ok().text
    assert "does not name a tool" in refused(kernel.run(f"%agent permissions {chat} {option} {pattern}"))
    assert kernel.run(f"%agent permissions {chat}").ok().text == before


def test_a_rule_that_is_not_there_cannot_be_forgotten(kernel, chat):
    before = kernel.run(f"%agent permissions {chat} --allow run_*").ok().text
    assert "did you mean 'run_*'?" in refused(kernel.run(f"%agent permissions {chat} --forget run*"))
    refused(kernel.run(f"%agent permissions {chat} --forget ''"))
    assert kernel.run(f"%agent permissions {chat}").ok().text == before


def test_a_key_queues_once_while_a_turn_runs(kernel, chat):
    acts(kernel, [RUN], "First.", "Second.", "Third.")
    in_background(kernel, chat)
    waits = question(kernel, "run_python")
    first = kernel.run(f"%agent queue -s {chat} --key K And now the second.").ok().text
    again = kernel.run(f"%agent queue -s {chat} --key K And now the second.").ok().text
    assert ("nothing was queued" in first, "nothing was queued" in again) == (False, True)
    kernel.run(f"%agent approve {waits}").ok()
    until_over(kernel)
    assert asked(kernel) == ["hi", "go", "And now the second."]
    assert kernel.value("str(_agent)").endswith("Second.'")


def test_a_key_queues_once_on_an_idle_session(kernel, chat):
    kernel.run("_agent = None").ok()
    queued = [kernel.run(f"%agent queue -s {chat} --key K second question").ok() for _ in range(2)]
    assert ["nothing was queued" in cell.text for cell in queued] == [False, True]
    until_over(kernel)
    late = kernel.run(f"%agent queue -s {chat} --key K second question").ok()
    assert "nothing was queued" in late.text
    kernel.run("_agent = None").ok()
    other = kernel.run(f"%agent queue -s {chat} --key L third question").ok()
    assert "nothing was queued" not in other.text
    until_over(kernel)
    shown = kernel.run(f"%agent show {chat}").ok().text
    assert (shown.count("second question"), shown.count("third question")) == (1, 1)
