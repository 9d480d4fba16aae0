"""Tab in the magics' lines, with jedi and without."""

import pytest


@pytest.fixture(params=[True, False], ids=["jedi", "no jedi"])
def kernel(kernel, request):
    kernel.run(f"%config Completer.use_jedi = {request.param}").ok()
    return kernel


@pytest.fixture
def chat(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}x\nhi").ok()
    return f"{session}x"


def test_options(kernel):
    assert kernel.complete("%%agent --sess") == ["%%agent --session"]
    assert set(kernel.complete("%%agent --w")) == {"%%agent --wait"}
    everything = kernel.complete("%%agent ")
    assert {"%%agent --model", "%%agent --once", "%%agent --timeout"} <= set(everything)
    assert all(line.startswith("%%agent --") for line in everything)


def test_divisions_of_usage(kernel):
    assert kernel.complete("%agent usage --by re") == ["%agent usage --by request"]


def test_options_after_others(kernel):
    assert kernel.complete("%%agent -m hello --ba") == ["%%agent -m hello --background"]


def test_subcommands(kernel):
    assert kernel.complete("%agent sess") == ["%agent sessions"]
    assert set(kernel.complete("%agent s")) >= {"%agent sessions", "%agent show", "%agent stop", "%agent star"}
    assert all(line.startswith("%agent s") for line in kernel.complete("%agent s"))


@pytest.mark.parametrize(
    "line",
    [
        "%%agent -s ",
        "%agent steer --session ",
        "%agent show ",
        "%agent delete ",
        "%agent tools ",
        "%agent permissions ",
    ],
)
def test_sessions(kernel, chat, line):
    assert kernel.complete(line + chat[:-1]) == [line + chat]


def test_a_session_name_with_a_space_is_completed_in_quotes(kernel, chat):
    kernel.run(f'%agent rename {chat} "{chat} two words"').ok()
    assert f'%%agent -s "{chat} two words"' in kernel.complete("%%agent -s ")


@pytest.mark.parametrize("line", ["%%agent -m ", "%%agent --model ", "%agent model "])
def test_model_references(kernel, line):
    assert kernel.complete(f"{line}recal") == [f"{line}recalls"]
    assert {f"{line}default", f"{line}auto", f"{line}test", f"{line}hello"} <= set(kernel.complete(line))


def test_recordings_are_sessions_and_files(kernel, chat):
    kernel.run(f"%agent record {chat} lesson-{chat}.jsonl --force").ok()
    assert kernel.complete(f"%%agent -m replay:{chat[:-1]}") == [f"%%agent -m replay:{chat}"]
    file = f"lesson-{chat}.jsonl"
    for line in ("%%agent -m replay:", "%%agent --compare hello replay:", "%agent replay "):
        assert kernel.complete(f"{line}lesson-{chat}") == [line + file]
    kernel.run("import os; os.makedirs('inside', exist_ok=True)").ok()
    kernel.run(f"%agent record {chat} inside/{file} --force").ok()
    assert kernel.complete(f"%agent replay inside/lesson-{chat}") == [f"%agent replay inside/{file}"]
    assert kernel.complete(f"%agent record {chat[:-1]}") == [f"%agent record {chat}"]


def test_members_of_an_alloy(kernel):
    for line in ("%%agent -m ", "%%agent --compare test ", "%agent model ", "%agent compare --judge "):
        assert kernel.complete(f"{line}hello,recal") == [f"{line}hello,recalls"]
        assert kernel.complete(f"{line}hello,defau") == []


def test_variables_where_a_value_is_wanted_and_functions_where_one_is(kernel):
    kernel.run("import json as wonder_module\nwonder_list = ['a']\ndef wonder_score(answer, row): return 1").ok()
    for option in ("%agent compare --prompts", "%%agent --attach", "%agent compare --models hello --prompts"):
        assert kernel.complete(f"{option} wonder_") == [f"{option} wonder_list"]
    for option in ("%agent compare --score", "%%agent --tools"):
        assert kernel.complete(f"{option} wonder_") == [f"{option} wonder_score"]
    assert "%agent compare --prompts wonder_list.append" in kernel.complete("%agent compare --prompts wonder_list.app")
    assert kernel.complete("%agent compare --prompts nowhere.x") == []


def test_references_of_a_judge(kernel):
    assert kernel.complete("%agent compare --judge recal") == ["%agent compare --judge recalls"]
    assert kernel.complete("%agent compare --judge defau") == []


@pytest.mark.usefixtures("chat")
def test_servers_and_what_can_be_done_with_them(kernel):
    kernel.run("%agent tools add-mcp weather no-such-command").ok()
    try:
        assert {"%agent tools add-mcp", "%agent tools remove-mcp"} <= set(kernel.complete("%agent tools "))
        assert kernel.complete("%agent tools remove-mcp ") == ["%agent tools remove-mcp weather"]
    finally:
        kernel.run("%agent tools remove-mcp weather").ok()


def test_in_an_assignment_the_shell_completes(kernel):
    kernel.run("wonderful_value = 1").ok()
    assert "x = wonderful_value" in kernel.complete("x = wonderful_va")


def test_the_prompt_s_lines_get_no_options(kernel):
    assert not [line for line in kernel.complete("%%agent -m hello\n--sess") if "--session" in line]


def test_other_magics_complete_as_ever(kernel):
    assert kernel.complete("%load_e") == ["%load_ext"]
    assert not [line for line in kernel.complete("%%time\nimport o") if "agent" in line]


def test_a_quoted_name_is_completed_after_its_first_word(kernel, chat):
    kernel.run(f'%agent rename {chat} "{chat} two words"').ok()
    assert kernel.complete(f'%%agent -s "{chat} two') == [f'%%agent -s "{chat} two words"']


def test_options_of_a_subcommand(kernel):
    assert kernel.complete("%agent star --o") == ["%agent star --off"]
    assert kernel.complete("%agent model --s") == ["%agent model --session"]


def test_an_empty_last_line_is_no_line_of_ours(kernel):
    offered = kernel.complete("x = 1\n")
    assert "x = 1\nprint" in offered
    assert not [line for line in offered if "--session" in line]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("%%agent --sess", "option"),
        ("%agent sess", "subcommand"),
        ("%agent star --o", "option"),
        ("%%agent -m recal", "model"),
        ("%agent set temp", "setting"),
        ("%agent usage --by re", "division"),
        ("%%agent --type list", "type"),
    ],
)
def test_what_is_offered_has_a_kind(kernel, line, kind):
    reply = kernel.request("complete_request", {"code": line, "cursor_pos": len(line)})
    offered = reply["metadata"]["_jupyter_types_experimental"]
    assert offered
    assert {each["type"] for each in offered} == {kind}


def test_sessions_are_offered_as_sessions(kernel, chat):
    line = f"%agent show {chat[:-1]}"
    reply = kernel.request("complete_request", {"code": line, "cursor_pos": len(line)})
    assert [(each["text"], each["type"]) for each in reply["metadata"]["_jupyter_types_experimental"]] == [
        (chat, "session")
    ]
