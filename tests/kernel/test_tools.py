"""Tools in a real kernel: what the model may do there, and who lets it."""

import pytest

from tests.kernel.cells import SOON
from tests.kernel.kernels import appears, comes_true

ASKS = "[y]es"
LOOP = "while True: pass"


def results(kernel):
    """What the model was told of its calls, in order."""
    return eval(
        kernel.value(
            "[(part.tool_name, part.outcome, part.model_response_str(wrap_if_error=False))"
            " for message in _agent.messages for part in message.parts if part.part_kind == 'tool-return']"
        )
    )


def python(code):
    return [("run_python", {"code": code})]


def run(kernel, session, *options):
    return kernel.run(f"%%agent -m acts -s {session} {' '.join(options)}\ngo")


def test_looking_is_not_asked_for(kernel, session, acts):
    kernel.run("import pandas\nrows = [1, 2, 3]\nframe = pandas.DataFrame({'age': [30, 40]})\nlen(rows)").ok()
    acts([("list_variables", {}), ("inspect_variable", {"name": "frame"}), ("read_cells", {"last": 3})], "Done.")
    assert "Done." in run(kernel, session).ok().text
    listed, frame, cells = (content for _, _, content in results(kernel))
    assert "rows: list of length 3" in listed
    assert "frame: DataFrame of shape (2, 1)" in listed
    assert "pandas" not in listed
    assert "age: int64" in frame
    assert "mean" in frame
    assert "len(rows)" in cells
    assert "Out" in cells


def test_a_variable_that_is_not_there_is_a_failed_result(kernel, session, acts):
    acts([("inspect_variable", {"name": "nothing_here"})], "Done.")
    run(kernel, session).ok()
    [(_, outcome, text)] = results(kernel)
    assert outcome == "failed"
    assert text.startswith("NameError: no variable named 'nothing_here'; call list_variables")


@pytest.mark.parametrize("through", ["main", "subshell"])
@pytest.mark.usefixtures("subshells")
def test_code_runs_after_a_click_while_the_cell_runs(kernel, session, acts, through):
    kernel.run("x = 41").ok()
    acts(python("x += 1\nprint('hello')\nx"), "It ran.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    assert "x += " in cell.words
    assert "waits for your answer" in cell.words
    assert kernel.value("x", subshell=kernel.subshell()) == "41"
    kernel.click(cell.button("Approve"), kernel.subshell() if through == "subshell" else None)
    assert "It ran." in cell.wait().ok().text
    assert results(kernel) == [("run_python", "success", "hello\n42")]
    assert kernel.value("x") == "42"


@pytest.mark.usefixtures("subshells")
def test_a_rejection_reaches_the_model_with_its_reason(kernel, session, acts):
    acts(python("x = 1"), "Well then.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    kernel.type(cell.box("why not"), "too <b>dangerous</b>")
    kernel.click(cell.button("Reject"))
    cell.wait().ok()
    assert results(kernel) == [
        ("run_python", "denied", "The user rejected this call. Reason: too <b>dangerous</b>"),
    ]
    assert "⊘ run_python" in cell.html
    assert "<b>" not in cell.html


@pytest.mark.usefixtures("subshells")
def test_calls_of_one_step_are_answered_one_by_one(kernel, session, acts):
    kernel.run("ran = []").ok()
    acts([("run_python", {"code": f"ran.append({n})"}) for n in range(3)], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
    for asked, answer in enumerate(["Reject", "Approve", "Approve"]):
        cell.until_asks(asked + 1)
        kernel.click(cell.button(answer, at=asked))
    cell.wait().ok()
    assert kernel.value("ran") == "[1, 2]"
    assert [outcome for _, outcome, _ in results(kernel)] == ["denied", "success", "success"]


@pytest.mark.usefixtures("subshells")
def test_an_answer_for_the_tool_lasts_and_one_click_counts_once(kernel, session, acts):
    kernel.run("ran = []").ok()
    acts(python("ran.append(1)"), python("ran.append(2)"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    for _ in range(3):
        kernel.click(cell.button("Always run_python"))
    cell.wait().ok()
    assert kernel.value("ran") == "[1, 2]"
    assert "run_python" in kernel.run(f"%agent permissions {session}").ok().text


@pytest.mark.usefixtures("subshells")
def test_a_background_turn_is_answered_with_the_line_magic(kernel, session, acts):
    kernel.run("ran = []").ok()
    acts(python("ran.append(1)"), "Done.")
    cell = kernel.run(f"%%agent -m acts -b -s {session}\ngo").ok().until_asks()
    (waiting,) = eval(kernel.value("[entry.id for entry in get_ipython().run_line_magic('agent', 'approve')]"))
    assert kernel.value("ran") == "[]"
    kernel.run(f"%agent approve {waiting}").ok()
    cell.until(lambda cell: "Done." in cell.text)
    assert kernel.value("ran") == "[1]"
    late = kernel.run(f"%agent approve {waiting}")
    assert late.ename == "ApprovalNotOpenError"
    assert "\n" not in late.traceback


@pytest.mark.once
def test_a_question_of_another_kernel_is_not_answered_here(start):
    asking, other = start(), start()
    asking.run("ran = []\nscript('acts', call('run_python', code='ran.append(1)'), 'Done.')").ok()
    asking.run("%%agent -m acts -b -s shared\ngo").ok()
    waiting = "[entry.id for entry in get_ipython().run_line_magic('agent', 'approve')]"
    comes_true(lambda: len(eval(asking.value(waiting))) == 1)
    (question,) = eval(asking.value(waiting))
    assert other.value(waiting) == "[]"
    refused = other.run(f"%agent approve {question}")
    assert (refused.ename, refused.traceback.count("\n")) == ("ApprovalNotOpenError", 0)
    steered = other.run("%agent steer -s shared Be brief.")
    assert steered.ename == "SessionIdleError"
    shown = other.run("%agent show shared").ok().html
    assert "… run_python" in shown
    assert "running in another kernel" in shown
    assert "interrupted" not in shown
    assert asking.value("ran") == "[]"
    asking.run(f"%agent approve {question}").ok()
    comes_true(lambda: asking.value("ran") == "[1]")


@pytest.mark.threads
@pytest.mark.parametrize(
    ("said", "outcome", "told"),
    [
        ("y", "success", "2"),
        ("n", "denied", "The user rejected this call."),
        ("not today", "denied", "The user rejected this call. Reason: not today"),
    ],
)
def test_where_no_click_arrives_stdin_asks(kernel, session, acts, said, outcome, told):
    acts(python("1 + 1"), "Done.")
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    try:
        cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
        assert ASKS in kernel.reply(said)
        cell.wait().ok()
    finally:
        kernel.run("%config AgentMagics.approval = 'auto'").ok()
    assert "1 + 1" in cell.text
    assert results(kernel) == [("run_python", outcome, told)]


def test_a_kernel_without_subshells_asks_on_stdin_by_itself(kernel, session, acts):
    if kernel.has_subshells:
        pytest.skip("this ipykernel has subshells, so clicks arrive")
    acts(python("1 + 1"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
    assert ASKS in kernel.reply("y")
    assert "Done." in cell.wait().ok().text


@pytest.mark.threads
def test_interrupt_while_stdin_asks_ends_the_turn(kernel, session, acts):
    acts(python("1 + 1"), "Done.")
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    try:
        cell = kernel.send(f"%%agent -m acts -s {session}\ngo")
        kernel.until(lambda: kernel._questions)
        at = kernel.interrupt()
        assert cell.wait().ename == "KeyboardInterrupt"
        assert cell.idle_at - at < 1
        kernel._questions.clear()
    finally:
        kernel.run("%config AgentMagics.approval = 'auto'").ok()


def test_nobody_is_asked_where_nobody_watches(kernel, session, acts):
    acts(python("1 + 1"), "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session}\ngo", allow_stdin=False).ok()
    assert "Done." in cell.text
    ((_, outcome, told),) = results(kernel)
    assert outcome == "denied"
    assert "nobody is available to approve the call" in told


def test_output_figures_and_errors_appear_under_the_cell_and_stay(kernel, session, acts):
    plot = "import matplotlib.pyplot as plt\nprint('plotting')\nplt.plot([1, 2])\nplt.show()"
    acts(python("%matplotlib inline"), python(plot), python("1 / 0"), "Done.")
    cell = run(kernel, session, "--yes").ok()
    before, figure, after = cell.outputs
    assert "plotting" in before["data"]["text/html"]
    assert "image/png" in figure["data"]
    assert "ZeroDivisionError" in after["data"]["text/html"]
    assert after["data"]["text/plain"] == "Done."
    _, plotted, failed = results(kernel)
    assert plotted[1:] == ("success", "plotting\n[1 figure shown to the user]")
    assert failed[1] == "failed"
    assert "ZeroDivisionError: division by zero" in failed[2]
    assert "\x1b" not in failed[2]
    assert kernel.value(
        "any(hasattr(p, 'content') and not isinstance(p.content, str) for m in model.sent[2] for p in m.parts)"
    )


def test_figures_stay_where_the_text_is_replaced_by_the_answer(kernel, session, acts):
    acts(python("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"), "Done.")
    kernel.run("%config AgentMagics.view = 'text'").ok()
    try:
        cell = run(kernel, session, "--yes").ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()
    before, figure, after = cell.outputs
    assert "✓ run_python" in before["data"]["text/html"]
    assert "image/png" in figure["data"]
    assert after["data"]["text/plain"] == "Done."


def test_rich_output_of_code_is_cleaned(kernel, session, acts):
    acts(
        python(
            "from IPython.display import HTML, Javascript, display\n"
            "display(HTML('<b>bold</b><script>alert(1)</script><img src=x onerror=alert(1)>'))\n"
            "display(Javascript('alert(1)'))"
        ),
        "Done.",
    )
    cell = run(kernel, session, "--yes").ok()
    shown, script = cell.displays
    assert "bold" in shown["data"]["text/html"]
    assert "<script" not in shown["data"]["text/html"]
    assert "onerror" not in shown["data"]["text/html"]
    assert script["data"].keys() == {"text/plain"}


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "exit()", "raise KeyError('x')", "def broken(:"])
def test_code_that_raises_is_a_failed_result_and_the_kernel_lives(kernel, session, acts, code):
    acts(python(code), "Done.")
    assert "Done." in run(kernel, session, "--yes").ok().text
    assert kernel.value("1 + 1") == "2"


@pytest.mark.once
def test_many_lines_are_bounded(kernel, session, acts):
    acts(python("for n in range(200_000): print(n)"), "Done.")
    cell = run(kernel, session, "--yes").ok()
    ((_, outcome, told),) = results(kernel)
    assert outcome == "success"
    assert told.startswith("0\n1\n")
    assert told.rstrip().endswith("199999")
    assert "cut" in told
    assert len(told) < 25_000
    assert len(cell.html) < 60_000


@pytest.mark.threads
def test_code_that_never_ends_is_ended_by_the_timeout(kernel, session, acts):
    acts(python(LOOP), "Done.")
    cell = run(kernel, session, "--yes", "--timeout 1")
    assert cell.ename == "TurnTimeoutError"
    assert cell.seconds < SOON
    assert kernel.value("1 + 1") == "2"


SWALLOWS = """import time
for _ in range({times}):
    try: time.sleep(60)
    except KeyboardInterrupt: pass
ended = True
"""


def test_code_that_swallows_interrupts_is_interrupted_again_when_its_turn_is_over(kernel, session, acts):
    acts(python(SWALLOWS.format(times=3)), "Done.")
    cell = run(kernel, session, "--yes", "--timeout 1")
    assert cell.ename == "TurnTimeoutError"
    assert cell.seconds < SOON
    assert "run_python did not stop with the turn" in cell.html
    assert kernel.value("ended") == "True"


@pytest.mark.threads
def test_code_that_never_ends_is_ended_by_an_interrupt(kernel, session, acts, tmp_path):
    began = tmp_path / "began"
    acts(python(f"open({str(began)!r}, 'w').close()\n{LOOP}"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    appears(began)
    kernel.interrupt()
    assert cell.wait().ename == "KeyboardInterrupt"
    assert "run_python" in cell.html
    kernel.run("model.sent.append(None)").ok()
    assert "Done." in run(kernel, session).ok().text


@pytest.mark.usefixtures("subshells")
def test_code_that_never_ends_is_ended_by_stop(kernel, session, acts):
    acts(python(LOOP), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    cell.until_shows("… run_python")
    kernel.click(cell.button("Stop"))
    cell.wait().ok()
    assert cell.seconds < SOON
    assert kernel.value("_agent.status") == "'interrupted'"


@pytest.mark.threads
def test_in_the_background_code_runs_between_cells(kernel, session, acts):
    kernel.run("import threading; where = None").ok()
    acts(python("where = threading.current_thread() is threading.main_thread()"), "Done.")
    cell = kernel.run(f"%%agent -m acts -b -s {session} --yes\ngo").ok()
    cell.until(lambda cell: "Done." in cell.text)
    assert kernel.value("where") == "True"


@pytest.mark.parametrize("how", ["interrupt", "stop"])
@pytest.mark.usefixtures("subshells")
def test_in_the_background_code_that_never_ends_can_be_ended(kernel, session, acts, tmp_path, how):
    mark = tmp_path / "began"
    subshell = kernel.subshell()
    acts(python(f"open({str(mark)!r}, 'w').close()\n{LOOP}"), "Done.")
    cell = kernel.run(f"%%agent -m acts -b -s {session} --yes\ngo").ok()
    appears(mark)
    if how == "interrupt":
        kernel.interrupt()
    else:
        kernel.click(cell.button("Stop"), subshell)
    cell.until(lambda cell: "run_python" in cell.html)


@pytest.mark.usefixtures("subshells")
def test_in_the_background_code_gives_up_on_a_kernel_that_stays_busy(kernel, session, acts, tmp_path):
    kernel.run(
        "import os, time, sessionmagic.notebook.kernel.main_thread as m; kept, m.START_SECONDS = m.START_SECONDS, 0.3"
    ).ok()
    try:
        acts(python("came_late = True"), "Done.")
        cell = kernel.send(
            f"get_ipython().run_cell_magic('agent', '-m acts -b -s {session} --yes', 'go')\n"
            f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
        )
        cell.until(lambda cell: "Done." in cell.text)
        assert "busy with another cell" in cell.html
        (tmp_path / "go").touch()
        cell.wait().ok()
        assert kernel.value("'came_late' in globals()") == "False"
    finally:
        kernel.run("m.START_SECONDS = kept").ok()


def test_a_proposed_cell_is_put_below_and_not_run(kernel, session, acts):
    acts([("insert_cell", {"code": "first = 1"}), ("insert_cell", {"code": "second = 2"})], "Done.")
    cell = run(kernel, session, "--yes").ok()
    (payload,) = cell.reply["payload"]
    assert (payload["source"], payload["text"], payload["replace"]) == (
        "set_next_input",
        "first = 1\n\nsecond = 2",
        False,
    )
    reply = "The cell will be added below when this turn ends. It has not been run."
    assert [told for _, _, told in results(kernel)] == [reply] * 2
    assert kernel.value("'first' in globals()") == "False"


def proposed(cell):
    return [payload["text"] for payload in cell.reply["payload"]]


def test_cells_that_several_turns_of_one_cell_propose_are_put_below(kernel, session, acts):
    acts([("insert_cell", {"code": "first"})], "Done.", [("insert_cell", {"code": "second"})], "Done.")
    turn = f"get_ipython().run_cell_magic('agent', '-m acts -s {session} --yes', 'go')"
    assert proposed(kernel.run(f"for _ in range(2): {turn}").ok()) == ["first\n\nsecond"]
    acts([("insert_cell", {"code": "third"})], "Done.")
    assert proposed(run(kernel, session, "--yes").ok()) == ["third"]


DROPPED = "the proposed cell was not added"


@pytest.mark.parametrize("end", ["limit", "timeout", "interrupt", "code"])
def test_a_proposed_cell_that_an_error_keeps_from_the_page_is_not_lost_silently(kernel, session, acts, tmp_path, end):
    begun = tmp_path / "begun"
    acts([("insert_cell", {"code": "first = 1"})], python(f"open({str(begun)!r}, 'w').close()\n{LOOP}"))
    turn = f"get_ipython().run_cell_magic('agent', '-m acts -s {session} --yes --timeout {{}}', 'go')"
    if end == "limit":
        kernel.run("%config AgentMagics.request_limit = 1").ok()
    elif end == "code":
        acts([("insert_cell", {"code": "first = 1"})], "Done.")
    try:
        cell = kernel.send(turn.format(2 if end == "timeout" else 0) + ("\n1 / 0" if end == "code" else ""))
        if end == "interrupt":
            appears(begun)
            kernel.interrupt()
        assert cell.wait().status == "error"
    finally:
        kernel.run("%config AgentMagics.request_limit = 50").ok()
    assert cell.text.count(DROPPED) == 1
    assert "first" in cell.html
    acts([("insert_cell", {"code": "second"})], "Done.")
    assert proposed(run(kernel, session, "--yes").ok()) == ["second"]


def test_of_a_proposed_cell_that_is_below_nothing_else_is_said(kernel, session, acts):
    acts([("insert_cell", {"code": "first"})], python("1 / 0"), "Done.")
    cell = run(kernel, session, "--yes").ok()
    assert proposed(cell) == ["first"]
    assert DROPPED not in cell.text
    assert DROPPED not in kernel.run("1 / 0").text


def test_a_background_turn_cannot_propose_a_cell_and_says_so(kernel, session, acts):
    acts([("insert_cell", {"code": "first = 1"})], "Done.")
    cell = kernel.run(f"%%agent -m acts -b -s {session}\ngo").ok()
    cell.until(lambda cell: "Done." in cell.text)
    assert "needs a foreground cell; run without -b" in cell.html


def test_functions_of_the_user_are_offered_and_run_where_figures_work(kernel, session, acts):
    kernel.run(
        "import threading, sessionmagic\n"
        "def double(n: int) -> int:\n    'Double it.'\n    print('doubling')\n    return 2 * n\n"
        "async def triple(n: int) -> int:\n    'Triple it.'\n    return 3 * n\n"
        "@sessionmagic.tool(read_only=True)\n"
        "def here() -> str:\n    'Say where.'\n    return str(threading.current_thread() is threading.main_thread())\n"
    ).ok()
    acts([("double", {"n": 2}), ("triple", {"n": 2}), ("here", {})], "Done.")
    run(kernel, session, "--tools double,triple", "--yes").ok()
    assert [(outcome, told) for _, outcome, told in results(kernel)] == [
        ("success", "doubling\n4"),
        ("success", "6"),
        ("success", "True"),
    ]
    listed = kernel.run("%agent tools -t double").ok().text
    assert "here" in listed
    assert "Double it." in listed
    kernel.run("from sessionmagic.tools.functions import registered; registered.clear()").ok()


@pytest.mark.parametrize("names", ["nothing_here", "pandas_missing,rows", "42"])
def test_a_name_that_is_no_function_is_refused_before_anything_is_stored(kernel, session, acts, names):
    kernel.run("rows = [1]").ok()
    acts("Done.")
    cell = run(kernel, session, f"--tools {names}")
    assert cell.ename == "ToolError"
    assert "\n" not in cell.traceback
    assert session not in kernel.run("%agent sessions").ok().text


def test_a_turn_within_a_turn_is_busy_on_its_own_session_and_works_on_another(kernel, session, acts):
    nested = "get_ipython().run_cell_magic('agent', '-m hello -s {}', 'hi')"
    sessions = (session, f"{session} --wait", f"{session}-inner")
    acts(*(python(nested.format(each)) for each in sessions), "Done.")
    cell = run(kernel, session, "--yes").ok()
    assert "Done." in cell.text
    assert kernel.value("[p.outcome for m in model.sent[-1] for p in m.parts if p.part_kind == 'tool-return']") == (
        "['failed', 'failed', 'success']"
    )
    assert "SessionBusyError" in cell.html


def test_a_call_that_deletes_its_session_ends_the_turn(kernel, session, acts):
    acts(python(f"%agent delete {session} --yes"), "Done.")
    cell = run(kernel, session, "--yes")
    assert cell.done
    assert session not in kernel.run("%agent sessions").ok().text
    assert kernel.value("1 + 1") == "2"


WATCHED = """import threading
raised, manager = [], get_ipython().magics_manager.registry["AgentMagics"].context.manager
threading.excepthook = lambda about: raised.append(repr(about.exc_value))"""


@pytest.mark.usefixtures("subshells")
def test_what_was_typed_before_enter_is_told_also_when_it_comes_after_it(kernel, session, acts):
    kernel.run(WATCHED).ok()
    acts(python("1 + 1"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    box, subshell = cell.box("tell the model something"), kernel.subshell()
    kernel.press_enter(box)  # an empty one says nothing
    kernel.type(box, "Be")
    kernel.press_enter(box)
    kernel.type(box, "Be bri")
    kernel.type(box, " Be brief.")
    kernel.run(
        "import time\nwhile not manager.turns.running()[0].inbox.waiting: time.sleep(0.05)", subshell=subshell
    ).ok()
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    said = eval(kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'user-prompt']"))
    assert [text.strip() for text in said] == ["go", "Be brief."]
    assert kernel.value("raised") == "[]"


LONG = """import asyncio
told = asyncio.Event()
async def answer(messages):
    said = [part.content for message in messages for part in message.parts if part.part_kind == 'user-prompt']
    yield f'{said[-1:]} is what I heard.'
    if len(said) == 1:
        await told.wait()
script('long', answer)"""
ACCEPTED = """import time
turns = get_ipython().find_line_magic('agent').__self__.context.manager.turns
while not any(turn.inbox.waiting for turn in turns.running()):
    time.sleep(0.02)
told._loop.call_soon_threadsafe(told.set)"""


@pytest.mark.once
@pytest.mark.usefixtures("subshells")
def test_a_long_turn_that_calls_no_tool_can_be_told_something_too(kernel, session):
    kernel.run(LONG).ok()
    cell = kernel.send(f"%%agent -m long -s {session}\ngo").until_shows("['go'] is what I heard.")
    assert "'Tell'" not in str(cell.widgets)
    cell.until(lambda cell: "'Tell'" in str(cell.widgets))
    box = cell.box("tell the model something")
    kernel.type(box, "not __this__\n\nbut $that$")
    kernel.click(cell.button("Tell"))
    kernel.run(ACCEPTED, subshell=kernel.subshell()).ok()
    assert "'not __this__\\n\\nbut $that$'] is what I heard." in cell.wait().ok().text
    said = "not __this__&#10;\nbut $that$</pre>"
    assert said in cell.area
    assert said in cell.html


@pytest.mark.usefixtures("subshells")
def test_a_running_turn_is_steered_and_queued(kernel, session, acts):
    acts(python("1 + 1"), "First.", "Second.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    subshell = kernel.subshell()
    kernel.run(f"%agent queue -s {session} And now the second?", subshell=subshell).ok()
    kernel.type(cell.box("tell the model something"), "Be brief.")
    kernel.click(cell.button("Tell"))
    cell.until(lambda cell: cell.widgets[cell.box("tell the model something")].get("value") == "")
    kernel.run(f"%agent steer -s {session} --turn 1 In French.", subshell=subshell).ok()
    absent = kernel.run(f"%agent steer -s {session} --turn 2 In Latin.", subshell=subshell)
    assert absent.ename == "UsageError"
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    said = eval(kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'user-prompt']"))
    said = "\n\n".join(said).split("\n\n")  # what is said at once is sent as one message
    assert (said[0], {*said[1:3]}, said[3:]) == ("go", {"Be brief.", "In French."}, ["And now the second?"])
    assert cell.text.endswith("Second.")
    idle = kernel.run(f"%agent steer -s {session} Late.")
    assert idle.ename == "SessionIdleError"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("don't do that, and *don't* \\ stop", "don't do that, and *don't* \\ stop"),
        ('"Be brief."', "Be brief."),
        ("say 'a' and -s", "say 'a' and -s"),
        ("the value is $`6 * 7`", "the value is 42"),
        ("--raw the value is $`6 * 7`", "the value is $`6 * 7`"),
    ],
)
@pytest.mark.usefixtures("subshells")
def test_a_line_is_told_as_it_is(kernel, session, acts, line, text):
    acts(python("1 + 1"), "First.", "Second.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    subshell = kernel.subshell()
    kernel.run(f"%agent steer -s {session} {line}", subshell=subshell).ok()
    kernel.run(f"%agent queue --session {session} {line}", subshell=subshell).ok()
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    said = eval(kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'user-prompt']"))
    assert said == ["go", text, text]


def test_an_idle_session_is_asked_what_is_queued_as_it_is(kernel, session):
    cell = kernel.run(f"%%agent -m recalls -s {session}\nfirst").ok()
    cell = kernel.run(f"%agent queue -s {session} don't $`6 * 7`").ok()
    cell.until(lambda cell: "don't 42" in cell.text)


@pytest.mark.parametrize(
    ("line", "ename", "says"),
    [
        ("steer", "UsageError", "needs TEXT"),
        ("steer --sesion x hi", "UsageError", "--session"),
        ("approve 1 2", "UsageError", "has no option before it"),
        ("approve --reject no", "UsageError", "id"),
        ("tools remove-mcp", "UsageError", "needs NAME"),
        ("tools add-mcp", "UsageError", "a file with mcpServers"),
    ],
)
def test_a_line_that_cannot_be_told_is_one_line(kernel, line, ename, says):
    cell = kernel.run(f"%agent {line}")
    assert (cell.ename, cell.traceback.count("\n")) == (ename, 0)
    assert says in cell.evalue


def test_queue_starts_a_turn_on_an_idle_session(kernel, session):
    kernel.run(f"%%agent -m recalls -s {session}\nfirst").ok()
    cell = kernel.run(f"%agent queue -s {session} second").ok()
    cell.until(lambda cell: "second" in cell.text)
    assert "first" in cell.text


def test_hostile_names_arguments_and_results_are_shown_as_text(kernel, session, acts):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m$x^2$"
    acts([(evil, {evil: evil}), ("run_python", {"code": f"print({evil!r})"})], "Done.")
    cell = run(kernel, session, "--yes").ok()
    assert "<script" not in cell.html + cell.area
    assert "<img" not in cell.html + cell.area
    assert "\x1b" not in cell.html + cell.area


def test_limits_stop_the_turn_and_say_how_to_go_on(kernel, session, acts):
    acts([("list_variables", {})])
    cell = run(kernel, session)
    assert cell.ename == "TurnLimitError"
    assert "send another prompt to continue" in cell.evalue
    assert kernel.value("_agent.status") == "'limit'"
