"""`%config AgentMagics`."""

import time

import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def kernel(kernel):
    yield kernel
    for line in ("model = 'local'", "session = ''", "timeout = 0", "view = 'auto'", f"store = {str(kernel.store)!r}"):
        kernel.run(f"%config AgentMagics.{line}").ok()


def test_the_default_model_answers_and_is_no_override(kernel, session):
    kernel.run("%config AgentMagics.model = 'hello'").ok()
    assert kernel.run(f"%%agent -s {session}\nhi").ok().text == "Hello **world**"
    kernel.run("%config AgentMagics.model = 'recalls'").ok()
    assert "user-prompt: hi" in kernel.run(f"%%agent -s {session}\nagain").ok().text


def test_a_sessions_own_model_comes_before_the_default(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    kernel.run("%config AgentMagics.model = 'recalls'").ok()
    assert kernel.run(f"%%agent -s {session}\nhi").ok().text == "Hello **world**"
    assert "user-prompt" in kernel.run(f"%%agent -m default -s {session}\nhi").ok().text


def test_the_default_session_is_used_by_cells_that_name_none(kernel, session):
    kernel.run(f"%config AgentMagics.session = {session!r}").ok()
    kernel.run("%%agent -m hello\nhi").ok()
    assert kernel.value("_agent.session") == repr(session)


def test_an_active_session_comes_before_the_default_one_until_that_changes(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}-used\nhi").ok()
    kernel.run(f"%config AgentMagics.session = {session!r}").ok()
    kernel.run("%%agent -m hello --new\nhi").ok()
    fresh = kernel.value("_agent.session")
    assert fresh not in {repr(session), repr(f"{session}-used")}
    for choice, expected in (
        ("", fresh),
        (f"%agent use {session}-used", repr(f"{session}-used")),
        (f"%config AgentMagics.session = '{session}-2'", repr(f"{session}-2")),
    ):
        kernel.run(choice).ok()
        kernel.run("%%agent -m hello\nhi").ok()
        assert kernel.value("_agent.session") == expected


def test_the_default_timeout_holds_until_a_cell_has_its_own(kernel, session):
    kernel.run("%config AgentMagics.timeout = 0.2").ok()
    assert kernel.run(f"%%agent -m hang -s {session}\nhi").ename == "TurnTimeoutError"
    cell = kernel.send(f"%%agent -m hang --timeout 0 -s {session}\nhi")
    time.sleep(0.5)
    assert not cell.done
    kernel.interrupt()
    assert cell.wait().ename == "KeyboardInterrupt"


def test_another_store_has_other_sessions(kernel, session, tmp_path):
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    kernel.run(f"%config AgentMagics.store = {str(tmp_path / 'other')!r}").ok()
    assert session not in kernel.run("%agent sessions").ok().text
    kernel.run(f"%%agent -m recalls -s {session}\nanew").ok()
    assert kernel.value("str(_agent)") == "'user-prompt: anew'"
    assert list((tmp_path / "other" / "sessions").glob("*.json"))
    kernel.run(f"%config AgentMagics.store = {str(kernel.store)!r}").ok()
    assert session in kernel.run("%agent sessions").text


@pytest.mark.parametrize(
    "line",
    [
        *("view = 'hologram'", "timeout = -1", "refresh_hz = 'fast'", "model = 7"),
        *("request_limit = 0", "request_limit = 'x'", "tool_call_limit = 0", "tool_call_limit = 'x'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kernel, line):
    before = kernel.run("%agent config").text
    (said,) = kernel.run(f"%config AgentMagics.{line}").text.strip().splitlines()
    assert f"'{line.split()[0]}' trait" in said
    assert kernel.run("%agent config").text == before


def test_the_settings_are_listed_by_ipython(kernel):
    text = kernel.run("%config AgentMagics").ok().text
    for name in ("model", "session", "store", "timeout", "refresh_hz", "view"):
        assert f"AgentMagics.{name}=" in text


@pytest.mark.parametrize(
    ("view", "streams", "widgets"), [("widgets", 0, 1), ("display", 0, 0), ("text", 1, 0), ("static", 0, 0)]
)
def test_the_view_can_be_chosen(kernel, session, view, streams, widgets):
    kernel.run(f"%config AgentMagics.view = {view!r}").ok()
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    assert bool(cell.contents("stream")) == streams
    assert bool(cell.widgets) == widgets
    assert cell.answer["data"]["text/plain"] == "Hello **world**"


def test_an_answer_grows_without_widgets(kernel, session, pen):
    kernel.run("%config AgentMagics.view = 'display'").ok()
    cell = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    cell.until(lambda cell: "model" in cell.html)
    pen.write("# Rain\n\nIt rains **now**")
    cell.until(lambda cell: "<strong>now</strong>" in cell.html)
    pen.write(" and then.")
    pen.end()
    cell.wait().ok()
    assert not cell.widgets
    assert cell.answer["data"]["text/plain"].endswith("It rains **now** and then.")
    assert len(cell.everything) == 2


def test_a_presentation_is_large_and_shows_only_the_sessions_of_the_notebook(kernel, session):
    kernel.run(
        "from sessionmagic import SessionManager\n"
        f"SessionManager().run_sync('x', session='of-{session}', model='hello')"
    ).ok()
    kernel.run("%config AgentMagics.presentation = True").ok()
    try:
        cell = kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
        assert "font-size:130%" in cell.answer["data"]["text/html"]
        assert "font-size:130%" in cell.footer["data"]["text/html"]
        listed = kernel.run("%agent sessions").ok().text
        assert f"of-{session}" not in listed
        assert session in listed
    finally:
        kernel.run("%config AgentMagics.presentation = False").ok()
    assert f"of-{session}" in kernel.run("%agent sessions").ok().text
    assert "font-size" not in kernel.run(f"%%agent -m hello -s {session}\nhi").ok().answer["data"]["text/html"]


def test_a_setting_on_the_command_line_holds(start, session):
    kernel = start("--AgentMagics.model=hello", f"--AgentMagics.session={session}")
    kernel.run("%%agent\nhi").ok()
    assert kernel.value("_agent.session, str(_agent)") == f"('{session}', 'Hello **world**')"


def test_title_is_made_from_what_was_typed_where_the_user_wants_one(kernel, session):
    kernel.run(
        "import dataclasses\nscript('titler', 'Totals by month')\n"
        "df = 'a very long table'\n"
        "from sessionmagic.agents.definition import BUILT_IN\n"
        "agents = get_ipython().magics_manager.registry['AgentMagics'].context.agents\n"
        "agents.define(dataclasses.replace(BUILT_IN['assistant'], title_model='titler'))\n"
        "%config AgentMagics.system = 'Be brief.'"
    ).ok()
    title = f"[item.title for item in get_ipython().run_line_magic('agent', 'sessions') if item.name == {session!r}][0]"
    try:
        kernel.run(f"%%agent -m hello -s {session}\nDescribe $`df`").ok()
        assert kernel.value(title) == "'Describe $`df`'"
        kernel.run("%config AgentMagics.titles = True").ok()
        kernel.run(f"%agent delete {session} --yes").ok()
        kernel.run(f"%%agent -m hello -s {session}\nDescribe $`df`").ok()
        kernel.run(f"import time\nwhile {title} != 'Totals by month': time.sleep(0.05)").ok()
        kernel.run(f"%agent delete {session} --yes").ok()
        kernel.run(f"%%agent -m hello -s {session}\nDescribe $`df`", allow_stdin=False).ok()
        assert kernel.value(title) == "'Describe $`df`'"
    finally:
        kernel.run(
            "agents.define(BUILT_IN['assistant'])\n%config AgentMagics.titles = False\n%config AgentMagics.system = ''"
        ).ok()
