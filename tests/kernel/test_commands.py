"""`%agent SUBCOMMAND`: what each does, and what it says when it cannot."""

import re
from importlib import metadata

import pytest

from tests.provider import ScriptedProvider, chunk, streams

pytestmark = pytest.mark.once

SUBCOMMANDS = [
    "sessions",
    "show",
    "use",
    "models",
    "doctor",
    "model",
    "stop",
    "drop",
    "rename",
    "star",
    "delete",
    "search",
    "usage",
    "context",
    "compact",
    "config",
]


@pytest.fixture
def chat(kernel, session):
    """A session with two turns."""
    kernel.run(f"%%agent -m hello -s {session}\nfirst question").ok()
    kernel.run(f"%%agent -m recalls -s {session}\nsecond question").ok()
    return session


def refused(cell, name):
    assert (cell.status, cell.ename) == ("error", name), cell.text
    assert cell.traceback == f"{name}: {cell.evalue}"
    assert "\n" not in cell.traceback
    return cell.evalue


def test_alone_it_lists_all_subcommands(kernel):
    text = kernel.run("%agent").ok().text
    for name in SUBCOMMANDS:
        assert name in text.split()


@pytest.mark.parametrize(("typed", "meant"), [("sesions", "sessions"), ("usge", "usage"), ("renam", "rename")])
def test_an_unknown_subcommand_gets_a_hint(kernel, typed, meant):
    assert f"did you mean '{meant}'?" in refused(kernel.run(f"%agent {typed}"), "UsageError")


def test_a_question_mark_after_a_subcommand_shows_its_help(kernel):
    assert "--max-cost" in kernel.run("%agent compare?").ok().text


def test_nonsense_is_refused_without_a_guess(kernel):
    assert "did you mean" not in refused(kernel.run("%agent xyzzy"), "UsageError")


def test_an_unknown_option_gets_a_hint(kernel, chat):
    assert "'--session'" in refused(kernel.run(f"%agent model --sesion {chat}"), "UsageError")
    assert "'--model'" in refused(kernel.run("%%agent --modle hello\nhi"), "UsageError")


@pytest.mark.parametrize(
    "command", ["show", "use", "stop", "star", "delete", "usage", "context", "compact -s", "model -s"]
)
def test_an_unknown_session_gets_a_hint(kernel, chat, command):
    assert f"did you mean '{chat}'?" in refused(kernel.run(f"%agent {command} {chat}x"), "SessionNotFoundError")


@pytest.mark.parametrize("command", ["use", "delete", "rename", "usage too many", "rename a b c"])
def test_missing_and_superfluous_words_are_refused(kernel, command):
    refused(kernel.run(f"%agent {command}"), "UsageError")


def test_sessions_is_a_table_a_list_and_a_frame(kernel, chat):
    cell = kernel.run("%agent sessions").ok()
    (result,) = cell.contents("execute_result")
    assert chat in result["data"]["text/plain"]
    assert "<table" in result["data"]["text/html"]
    kernel.run("found = %agent sessions").ok()
    kernel.run(f"mine, = [item for item in found if item.name == {chat!r}]").ok()
    assert kernel.value("found[0].name") == repr(chat)
    assert kernel.value("mine.title, mine.turns, mine.model, mine.status, mine.starred") == (
        "('first question', 2, 'recalls', 'completed', False)"
    )
    assert kernel.value("mine.input_tokens > 0, mine.output_tokens > 0, mine.cost") == "(True, True, None)"
    assert kernel.value("found.to_frame().set_index('name').turns[mine.name].item()") == "2"


def test_show_displays_every_prompt_and_answer(kernel, chat):
    cell = kernel.run(f"%agent show {chat}").ok()
    texts = [output["data"]["text/plain"] for output in cell.outputs]
    assert [text.splitlines()[0] for text in texts] == ["> first question", "> second question"]
    assert "Hello **world**" in texts[0]
    assert "Hello <strong>world</strong>" in cell.html
    assert not cell.widgets


def test_diff_shows_how_two_turns_differ(kernel, chat):
    (shown,) = kernel.run(f"%agent diff {chat}@1 {chat}").ok().outputs
    assert "[-first -][+second +]question" in shown["data"]["text/plain"]
    assert "<ins" in shown["data"]["text/html"]
    kernel.run(f"%agent use {chat}").ok()
    for turns in ("@2 @1", "-1@2 -1@1"):
        assert "[-second -][+first +]" in kernel.run(f"%agent diff {turns}").ok().text
    assert "has no turn '9'" in refused(kernel.run("%agent diff @9 @1"), "UsageError")


def test_show_displays_only_the_last_turns_on_request(kernel, chat):
    (shown,) = kernel.run(f"%agent show {chat} --last 1").ok().outputs
    assert shown["data"]["text/plain"].startswith("> second question")
    assert shown["data"]["text/markdown"].startswith("> ```\n> second question\n> ```\n\n")
    assert len(kernel.run(f"%agent show {chat} --last 9").ok().outputs) == 2
    refused(kernel.run(f"%agent show {chat} --last -1"), "UsageError")


def test_use_makes_a_session_the_active_one(kernel, chat):
    kernel.run("%%agent -m hello --new\nelsewhere").ok()
    assert chat in kernel.run(f"%agent use {chat}").ok().text
    kernel.run("%%agent\nthird").ok()
    assert kernel.value("_agent.session, _agent.turn") == f"('{chat}', '3')"


def test_models_lists_what_can_be_used_here(kernel):
    kernel.run("models = %agent models").ok()
    known = kernel.value("[entry.model for entry in models]")
    for reference in ("auto", "hello", "test"):
        assert repr(reference) in known
    assert "demo model" in kernel.run("%agent models").text
    assert "anthropic:claude" not in known


def test_models_are_filtered_by_words_and_never_all_shown_unasked(kernel):
    kernel.run("found = %agent models claude needs").ok()
    assert kernel.value("all(entry.model.startswith('anthropic:') for entry in found) and len(found) > 2") == "True"
    assert "no model fits" in kernel.run("%agent models no such words").ok().text
    kernel.run("everything = %agent models --all").ok()
    assert kernel.value("{entry.kind for entry in everything} >= {'named', 'local', 'catalog'}") == "True"
    names = "[f'many{number:03}' for number in range(60)]"
    kernel.run(f"for name in {names}: script(name, 'Hi')").ok()
    text = kernel.run("%agent models many").ok().text
    assert text.count("many0") == 40
    assert "not shown: 20 more" in text
    assert "%agent models many --all shows all" in text
    assert kernel.run("%agent models many --all").ok().text.count("many0") == 60
    kernel.run(f"from sessionmagic.models import sources\nfor name in {names}: del sources._registered[name]").ok()


def test_models_of_a_running_server_are_listed_asked_and_completed(kernel, session):
    hello = streams(chunk({"content": "Hi"}), finish="stop")
    with ScriptedProvider(
        hello, lists=lambda handler: handler.reply(200, '{"data": [{"id": "zz-model", "max_model_len": 4096}]}')
    ) as server:
        kernel.run(f"%config AgentMagics.endpoints = {{'lab': '{server.url}'}}").ok()
        assert kernel.complete("%%agent -m lab:zz") == []
        kernel.run("found = %agent models lab").ok()
        assert kernel.value("[(each.model, each.kind, each.context) for each in found][-1]") == (
            "('lab:zz-model', 'server', 4096)"
        )
        assert kernel.complete("%%agent -m lab:zz") == ["%%agent -m lab:zz-model"]
        assert kernel.run(f"%%agent -m lab:zz-model -s {session}\nhi").ok().text == "Hi"
        kernel.run("found = %agent models lab").ok()
        assert kernel.value("{each.model: each.kind for each in found}['lab:zz-model']") == "'recent'"
    kernel.run("%config AgentMagics.endpoints = {}").ok()


def test_model_shows_sets_and_takes_back_the_override(kernel, chat):
    assert "recalls" in kernel.run(f"%agent model -s {chat}").ok().text
    kernel.run(f"%agent model hello -s {chat}").ok()
    assert kernel.run(f"%%agent -s {chat}\nthird").ok().text == "Hello **world**"
    kernel.run(f"%agent model hello,recalls -s {chat}").ok()
    assert "hello,recalls (an alloy: each model request goes to one of 2" in kernel.run(f"%agent model -s {chat}").text
    assert f"{chat}: auto (here local)" in kernel.run(f"%agent model auto -s {chat}").ok().text
    refused(kernel.run(f"%agent model hello,recals -s {chat}"), "ModelReferenceError")
    kernel.run(f"%agent model hello -s {chat}").ok()
    refused(kernel.run(f"%agent model opnai:x -s {chat}"), "ModelReferenceError")
    assert "hello" in kernel.run(f"%agent model -s {chat}").text
    assert "default" in kernel.run(f"%agent model default -s {chat}").ok().text


def test_stop_says_when_there_is_nothing_to_stop(kernel, chat):
    assert "no running turn" in kernel.run(f"%agent stop {chat}").ok().text


def test_rename_keeps_the_conversation(kernel, chat):
    kernel.run(f'%agent rename {chat} "{chat} renamed"').ok()
    assert "first question" in kernel.run(f'%%agent -s "{chat} renamed"\nthird').ok().text
    refused(kernel.run(f"%agent show {chat}"), "SessionNotFoundError")


def test_rename_refuses_a_name_that_is_taken(kernel, chat):
    kernel.run(f"%%agent -m hello -s {chat}-b\nhi").ok()
    refused(kernel.run(f"%agent rename {chat}-b {chat}"), "SessionExistsError")
    assert f"{chat}-b" in kernel.run("%agent sessions").text


def test_star_and_unstar(kernel, chat):
    kernel.run(f"%agent star {chat}").ok()
    assert "★" in next(line for line in kernel.run("%agent sessions").text.splitlines() if chat in line)
    kernel.run(f"%agent star --off {chat}").ok()
    assert "★" not in next(line for line in kernel.run("%agent sessions").text.splitlines() if chat in line)


def test_delete_removes_the_session_for_good(kernel, chat):
    kernel.run(f"%agent delete {chat} --yes").ok()
    assert chat not in kernel.run("%agent sessions").text
    kernel.run(f"%%agent -m recalls -s {chat}\nfresh").ok()
    assert kernel.value("str(_agent)") == "'user-prompt: fresh'"


def test_deleted_session_is_no_longer_active(kernel, chat):
    kernel.run(f"%agent use {chat}").ok()
    kernel.run(f"%agent delete {chat} --yes").ok()
    line = refused(kernel.run("%agent compact"), "SessionNotFoundError")
    assert line == "no session is active; name one, or run a %%agent cell"


def test_delete_stops_a_running_turn_and_nothing_writes_it_back(kernel, session):
    cell = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    cell.until_shows("partial answer")
    kernel.run(f"%agent delete {session} --yes").ok()
    kernel.run("_agent, ended = None, _agent").ok()
    assert session not in kernel.run("%agent sessions").text
    assert not [path for path in (kernel.store / "sessions").glob("*.json") if session in path.read_text()]


def test_usage_adds_up_model_by_model(kernel, chat):
    kernel.run(f"%%agent -m test -s {chat}\nthird question").ok()
    kernel.run(f"used = %agent usage {chat}").ok()
    assert kernel.value("len(used), sum(entry.turns for entry in used)") == "(3, 3)"
    assert kernel.value("all(entry.output_tokens > 0 and entry.cost is None for entry in used)") == "True"
    assert "unpriced" in kernel.run(f"%agent usage {chat}").text
    kernel.run(f"%agent use {chat}").ok()
    assert f"session {chat!r}" in kernel.run("%agent usage").ok().text


def test_search_shows_the_hit_and_what_opens_it(kernel, chat):
    text = kernel.run(f"%agent search SECOND -s {chat}").ok().text
    assert "second question" in text
    assert f"%agent show {chat} --turn 2" in text
    shown = kernel.run(f"%agent show {chat} --turn 2").ok().text
    assert "second question" in shown
    assert "first question" not in shown.splitlines()[0]


def test_latest_session_is_minus_one_in_lines_and_cells(kernel, chat):
    assert chat in kernel.run("%agent sessions -n 1").ok().text
    kernel.run("%agent star -1").ok()
    kernel.run("%%agent -m recalls -s -1\nthird question").ok()
    assert kernel.value("_agent.session, _agent.turn") == f"({chat!r}, '3')"
    assert "turn 1" in kernel.run("%agent use -1@1").ok().text
    refused(kernel.run("%%agent -m hello -s -99999\nhi"), "SessionNotFoundError")


def test_budget_of_a_cell_refuses_the_next_one_and_is_raised(kernel, session):
    missing = refused(kernel.run(f"%%agent -m hello -s {session} --budget 0.50\nhi"), "UsageError")
    assert "hello has no known price" in missing
    refused(kernel.run(f"%agent show {session}"), "SessionNotFoundError")
    for budget in ("0", "-1", "cheap", "nan"):
        refused(kernel.run(f"%%agent -m hello -s {session} --budget {budget}\nhi"), "UsageError")
    kernel.run("%config AgentMagics.prices = {'hello': [1e6, 0]}").ok()
    kernel.run(f"%%agent -s {session} -m hello --budget 0.50\nhi").ok()
    cell = kernel.run(f"%%agent -s {session}\nagain")
    assert f"of its budget of $0.5000; %agent set --budget AMOUNT -s {session} raises it" in refused(
        cell, "TurnLimitError"
    )
    kernel.run(f"%agent set -s {session} --budget 1e9").ok()
    kernel.run(f"%%agent -s {session}\nagain").ok()
    kernel.run(f"%agent set -s {session} --budget none").ok()
    kernel.run("%config AgentMagics.budget = 0.01").ok()
    assert "this kernel has spent" in refused(kernel.run(f"%%agent -s {session}\nagain"), "TurnLimitError")
    kernel.run("%config AgentMagics.budget = None").ok()
    kernel.run("%config AgentMagics.prices = {}").ok()


def test_config_shows_the_defaults_and_where_sessions_live(kernel):
    text = kernel.run("%agent config").ok().text
    assert str(kernel.store) in text
    for name in ("model", "session", "timeout", "refresh_hz", "view"):
        assert name in text.split()


def test_doctor_shows_versions_and_the_front_end(kernel):
    text = kernel.run("%agent doctor", front_end="page").ok().text
    assert f"ipykernel {metadata.version('ipykernel')}" in text
    assert "store" in text.split()
    assert "front end: a notebook page" in text


def test_a_kernel_without_a_session_says_what_to_do(start):
    kernel = start()
    for command in ("show", "stop", "star", "model"):
        assert "name one" in refused(kernel.run(f"%agent {command}"), "SessionNotFoundError")
    assert kernel.run("%agent sessions").ok().text == "no sessions; a %%agent cell starts one"
    assert kernel.value("get_ipython().run_line_magic('agent', 'sessions').to_frame().empty") == "True"


def test_every_subcommand_and_the_cell_magic_show_their_help(kernel):
    listed = kernel.value("[entry.subcommand for entry in get_ipython().run_line_magic('agent', '')]")
    for name in eval(listed):
        shown = kernel.run(f"%agent {name} --help").ok().text
        assert f"%agent {name}" in shown
        assert "-h, --help" in shown
    assert "--session NAME" in kernel.run("%%agent -h\nhi").ok().text
    assert "write %agent use SESSION" in kernel.run("%agent use").evalue


def test_a_result_as_a_cells_value_is_shown_as_its_answer(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    shown = kernel.run("_agent").ok()
    assert "Hello <strong>world</strong>" in shown.html
    assert shown.text.strip() == "Hello **world**"


def test_drop_takes_the_latest_turn_off(kernel, chat):
    cell = kernel.run(f"%agent drop -s {chat}").ok()
    assert f"took the latest turn off session {chat!r}; the next turn continues turn 1" in cell.text
    assert "second question" not in kernel.run(f"%agent show {chat}").ok().text
    assert "only one turn" in refused(kernel.run(f"%agent drop 2 -s {chat}"), "UsageError")
    assert "drop -s NAME" in refused(kernel.run(f"%agent drop {chat}"), "UsageError")


def test_show_sent_shows_the_last_request(kernel, chat):
    text = kernel.run(f"%agent show {chat} --sent").ok().text
    assert "user: first question" in text
    assert "user: second question" in text
    assert "assistant: Hello **world**" in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%agent list", "%agent sessions lists the sessions"),
        ("%agent chat about it", "a prompt is the text of a cell that begins with %%agent"),
        ("%%agent --temperature 0\nhi", "write %%agent --set temperature=0"),
        ("%%agent --system-prompt x\nhi", "write %%agent --system TEXT"),
    ],
)
def test_what_other_tools_call_it_is_answered_with_what_to_type(kernel, line, words):
    cell = kernel.run(line)
    assert cell.ename == "UsageError"
    assert words in cell.evalue


def test_help_lists_the_subcommands(kernel):
    assert "sessions" in kernel.run("%agent --help").ok().text


def test_usage_says_what_all_sessions_have_used_too(kernel, chat):
    kernel.run(f"%agent use {chat}").ok()
    assert re.search(
        r"all \d+ sessions: [\d,]+ → [\d,]+ tokens, cost .*; --all divides this up",
        kernel.run("%agent usage").ok().text,
    )


def test_package_that_is_broken_is_a_row_of_the_models(kernel, tmp_path):
    about = tmp_path / "broken_models-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-models\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sessionmagic.models]\nbroken = broken_models\n")
    kernel.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})").ok()
    try:
        assert kernel.complete("%agent model brok") == ["%agent model broken:"]
        text = kernel.run("%agent models").ok().text
        assert "⚠ the entry point broken of broken-models 1.0 has failed: ModuleNotFoundError" in text
        assert "hello" in text
        assert "has failed" in refused(kernel.run("%%agent -m broken:m\nhi"), "ModelReferenceError")
    finally:
        kernel.run("del sys.path[0]").ok()
