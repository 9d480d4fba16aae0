"""Code that a model runs in the user's kernel: what comes of it, and what it cannot do."""

import time

import pytest

from sessionmagic.notebook.kernel.tools import NOT_RETURNED
from tests.kernel.cells import SOON
from tests.kernel.kernels import appears, comes_true

PNG = "import base64; dot = base64.b64decode({!r})".format(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def python(code):
    return [("run_python", {"code": code})]


def run(kernel, session, *options):
    return kernel.run(f"%%agent -m acts -s {session} --yes {' '.join(options)}\ngo")


def told(kernel):
    """What the model was told of its calls, in order: outcome and text."""
    return eval(
        kernel.value(
            "[(part.outcome, part.model_response_str(wrap_if_error=False)) for message in _agent.messages"
            " for part in message.parts if part.part_kind == 'tool-return']"
        )
    )


def test_a_call_that_waits_in_c_is_ended_by_the_timeout(kernel, session, acts):
    acts(python("import time; time.sleep(60)"), "Done.")
    cell = run(kernel, session, "--timeout 0.5")
    assert cell.ename == "TurnTimeoutError"
    assert cell.seconds < SOON


@pytest.mark.usefixtures("subshells")
def test_a_call_that_waits_in_c_is_ended_by_a_click(kernel, session, acts):
    acts(python("import time; began = True; time.sleep(60)"), "Done.")
    kernel.run("began = False").ok()
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo").until_shows("run_python")
    subshell = kernel.subshell()
    comes_true(lambda: kernel.run("print(began)", subshell=subshell).ok().text.strip() == "True")
    kernel.click(cell.button("Stop"))
    cell.wait(SOON).ok()
    assert "interrupted" in cell.html


def test_a_call_in_the_background_that_waits_in_c_does_not_hold_up_the_next_cell(kernel, session, acts):
    acts(python("import time; time.sleep(60)"), "Done.")
    kernel.run(f"%%agent -m acts -b -s {session} --yes --timeout 0.5\ngo").ok()
    time.sleep(0.3)
    assert kernel.run("1 + 1").ok().seconds < SOON


def test_what_was_cut_is_said(kernel, session, acts):
    acts(python("print('x' * 1_000_000)"), [("run_python_isolated", {"code": "print('x' * 1_000_000)"})], "Done.")
    run(kernel, session).ok()
    for outcome, text in told(kernel):
        assert outcome == "success"
        assert len(text) < 20_000
        assert "[cut: 990,0" in text


def test_output_comes_in_the_order_in_which_it_appeared(kernel, session, acts):
    acts(python("print('one', end='')\ndisplay({'two': 2})\nprint('three')\n4"), "Done.")
    run(kernel, session).ok()
    assert told(kernel) == [("success", "one\n{'two': 2}\nthree\n4")]


def test_images_of_any_library_are_shown_and_reach_the_model(kernel, session, acts):
    acts(
        python(f"{PNG}\nfrom IPython.display import Image\nImage(dot, width=7)"),
        python("import PIL.Image\nPIL.Image.new('RGB', (2, 2))"),
        python(
            "import io\nPIL.Image.new('RGB', (2, 2)).save(file := io.BytesIO(), 'JPEG')\n"
            "display({'image/jpeg': base64.b64encode(file.getvalue()).decode()}, raw=True)"
        ),
        "Done.",
    )
    cell = run(kernel, session).ok()
    assert told(kernel) == [("success", "[1 figure shown to the user]")] * 3
    kinds = [set(output["data"]) & {"image/png", "image/jpeg"} for output in cell.outputs]
    assert kinds.count({"image/png"}) == 2
    assert kinds.count({"image/jpeg"}) == 1
    assert any(output["metadata"].get("image/png") == {"width": 7} for output in cell.outputs)
    images = kernel.value(
        "sum(getattr(content, 'is_image', False) for message in model.sent[-1] for part in message.parts"
        " if isinstance(getattr(part, 'content', None), list) for content in part.content)"
    )
    assert images == "3"


FRAMES = f"""
from IPython.display import HTML, Image, clear_output, display
{PNG}
def frame(n):
    return HTML(f'<b>frame {{n}}</b>')
"""


@pytest.fixture(params=["run_python", pytest.param("run_python_isolated", marks=pytest.mark.once)])
def frames(request, kernel, session, acts):
    """Have code that displays frames run; return what stands under the cell after the answer, and the result."""

    def frames(code):
        acts([(request.param, {"code": FRAMES + code})], "Done.")
        shown = [output["data"] for output in run(kernel, session).ok().displays]
        [(outcome, text)] = told(kernel)
        assert outcome == "success"
        return shown, text

    return frames


def test_of_too_many_figures_the_first_are_shown_and_it_is_said_how_many_are_not(frames):
    shown, text = frames("for n in range(7): display(frame(n), Image(dot))")
    assert ["image/png" in data for data in shown] == [False, True] * 5
    assert "frame 4" in shown[8]["text/html"]
    assert text.endswith(
        "[only the first 10 figures and other displays are shown; 4 more are not]\n[5 figures shown to the user]"
    )


@pytest.mark.parametrize("option", ["", "wait=True"])
def test_of_a_display_that_is_cleared_for_each_frame_the_last_frame_is_shown(frames, option):
    code = f"for n in range(12):\n    clear_output({option})\n    print('epoch', n)\n    display(frame(n))"
    [data], text = frames(code)
    assert "frame 11" in data["text/html"]
    assert text.splitlines()[0] == "epoch 11"
    assert "not]" not in text


def test_what_is_to_be_cleared_stays_until_something_else_comes(frames):
    [data], text = frames("print('the end')\ndisplay(frame(1))\nclear_output(wait=True)")
    assert "frame 1" in data["text/html"]
    assert "the end" in text


def test_an_update_takes_the_place_of_what_it_updates(frames):
    shown, text = frames(
        "handle, late = display(frame(0), display_id=True), display(display_id=True)\n"
        "display(Image(dot))\n"
        "for n in range(30): handle.update(frame(n)); late.update(frame(-n))"
    )
    assert ["image/png" in data for data in shown] == [False, True, False]
    assert "frame 29<" in shown[0]["text/html"]
    assert "frame -29<" in shown[2]["text/html"]
    assert "not]" not in text


@pytest.mark.parametrize("content", ["'abc'", "base64.b64encode(b'GIF89a').decode()", "'é'", "5"])
def test_an_image_that_is_none_is_not_sent_and_fails_no_call(frames, content):
    [data], text = frames(f"print('ran fine')\ndisplay({{'image/png': {content}}}, raw=True)")
    assert data == {"text/plain": "[not shown: image/png]"}
    assert text == "ran fine\n[not shown: image/png]"


CHART = "application/vnd.vegalite.v5+json"


@pytest.mark.parametrize(
    ("bundle", "seen"),
    [
        ({CHART: {}, "text/plain": "Chart(...)"}, f"Chart(...)\n[not shown: {CHART}]"),
        ({CHART: {}, "text/html": "<div><script>plot()</script></div>"}, f"[not shown: {CHART}, text/html]"),
        ({"text/html": "<style>b {}</style>", "text/plain": "HTML(...)"}, "HTML(...)\n[not shown: text/html]"),
    ],
    ids=["no HTML", "a script", "a style"],
)
def test_of_what_cannot_be_shown_its_text_is_and_what_is_missing_is_said(frames, bundle, seen):
    [data], text = frames(f"display({bundle!r}, raw=True)")
    assert data == {"text/plain": seen}
    assert text == seen


def test_what_can_be_shown_has_no_note_of_another_form_that_it_has(frames):
    bundle = {CHART: {}, "text/html": "<b>Chart</b>", "text/plain": "Chart(...)"}
    [data], text = frames(f"display({bundle!r}, raw=True)")
    assert "Chart" in data["text/html"]
    assert (data["text/plain"], text) == ("Chart(...)", "Chart(...)")


def test_a_drawing_is_shown_as_an_image_in_which_nothing_runs(kernel, session, acts):
    acts(
        python('from IPython.display import SVG\nSVG(\'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>\')'),
        "Done.",
    )
    cell = run(kernel, session).ok()
    assert '<img alt="figure" src="data:image/svg+xml;base64,' in cell.html
    assert "<svg" not in cell.html
    assert told(kernel) == [("success", "[1 figure shown to the user]")]


def test_markdown_that_code_displays_is_rendered_and_read(kernel, session, acts):
    acts(python("from IPython.display import Markdown\nMarkdown('**bold** <script>x()</script>')"), "Done.")
    cell = run(kernel, session).ok()
    assert "<strong>bold</strong>" in cell.html
    assert "<script" not in cell.html
    assert "**bold**" in told(kernel)[0][1]


def test_html_that_code_displays_shows_no_key_and_typesets_no_formula(kernel, session, acts):
    kernel.run("import os; os.environ['MINE_API_KEY'] = 'very-secret-key'").ok()
    try:
        acts(
            python(
                "from IPython.display import HTML\nHTML('<em>' + os.environ['MINE_API_KEY'] + '</em> $\\\\href{x}{y}$')"
            ),
            "Done.",
        )
        cell = run(kernel, session).ok()
    finally:
        kernel.run("del os.environ['MINE_API_KEY']").ok()
    assert "<em>[key left out]</em>" in cell.html
    assert not any("very-secret" in str(output) for output in cell.outputs)
    [shown] = [
        o["data"]["text/html"] for o in cell.outputs if "<em>[key left out]" in o.get("data", {}).get("text/html", "")
    ]
    assert shown.startswith('<div class="mathjax_ignore')


def test_html_without_end_is_not_put_on_the_page(kernel, session, acts):
    acts(python("from IPython.display import HTML\nHTML('<b>x</b>' * 2_000_000)"), "Done.")
    cell = run(kernel, session).ok()
    assert sum(len(str(output)) for output in cell.outputs) < 100_000


@pytest.mark.usefixtures("subshells")
def test_what_another_thread_shows_meanwhile_is_not_taken_for_the_model_s(kernel, session, acts):
    kernel.run("import threading; begun, seen = threading.Event(), threading.Event()").ok()
    acts(python("begun.set(); seen.wait(20)"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    user = kernel.run("begun.wait(20); print('printed'); 'of the ' + 'user'", subshell=kernel.subshell()).ok()
    kernel.run("seen.set()", subshell=kernel.subshell()).ok()
    cell.wait().ok()
    assert "printed" in user.text
    assert "of the user" in user.text
    assert told(kernel) == [("success", "True")]


@pytest.mark.threads
def test_what_threads_and_processes_print_stands_under_the_cell_as_the_model_knows(kernel, session, acts):
    thread = "import os, threading; t = threading.Thread(target=print, args=('by a thread',)); t.start(); t.join()"
    acts(python(f"{thread}\nprocess = os.system('echo by a process')"), "Done.")
    cell = run(kernel, session).ok().until_shows("by a process")
    assert "by a thread" in cell.text
    assert told(kernel) == [("success", NOT_RETURNED)]
    assert "threads and other processes" in NOT_RETURNED


def test_an_interrupt_that_code_raises_itself_fails_the_call_and_not_the_cell(kernel, session, acts):
    kernel.run("def stops():\n    raise KeyboardInterrupt('mine')").ok()
    acts(python("raise KeyboardInterrupt('mine')"), [("stops", {})], "Went on.")
    cell = run(kernel, session, "--tools stops").ok()
    assert "Went on." in cell.text
    assert [outcome for outcome, _ in told(kernel)] == ["failed", "failed"]
    assert all("KeyboardInterrupt: mine" in text for _, text in told(kernel))


def test_a_value_is_described_where_it_was_made_and_not_on_the_thread_of_all_turns(kernel, session, acts):
    kernel.run(
        "import threading\n"
        "class Slow:\n"
        "    def __repr__(self): return threading.current_thread().name\n"
        "def slow(): return Slow()\n"
        "async def slow_too(): return Slow()"
    ).ok()
    acts([("slow", {})], [("slow_too", {})], "Done.")
    run(kernel, session, "--tools slow,slow_too").ok()
    (_, here), (_, there) = told(kernel)
    assert here == "MainThread"
    assert there != "sessionmagic"


def test_what_a_turn_within_a_call_would_ask_is_denied(kernel, session, acts):
    kernel.run("inner = script('inner', call('run_python', code='asked = True'), 'Inner.')").ok()
    acts(
        [("insert_cell", {"code": "first"})],
        python(f"get_ipython().run_cell_magic('agent', '-m inner -s {session}b', 'go')"),
        [("insert_cell", {"code": "second"})],
        "Done.",
    )
    cell = run(kernel, session).ok()
    assert "Done." in cell.text
    assert kernel.value("'asked' in globals()") == "False"
    assert "nobody is available to approve the call" in kernel.value("str(inner.sent[-1])")
    [payload] = [each for each in cell.reply["payload"] if each["source"] == "set_next_input"]
    assert payload["text"] == "first\n\nsecond"


def test_an_interrupt_within_a_turn_within_a_call_ends_the_cell(kernel, session, acts, tmp_path):
    begun = tmp_path / "begun"
    nested = f"get_ipython().run_cell_magic('agent', '-m hang -s {session}b', 'go')"
    acts(python(f"open({str(begun)!r}, 'w').close()\n{nested}"), "Went on.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    appears(begun)
    time.sleep(0.3)
    kernel.interrupt()
    cell.wait()
    assert cell.ename == "KeyboardInterrupt"
    assert "Went on." not in cell.text


@pytest.mark.threads
def test_code_in_the_background_cannot_ask_and_hold_up_the_kernel(kernel, session, acts):
    acts(python("input('name? ')"), python("import getpass; getpass.getpass()"), "Done.")
    kernel.run(f"%%agent -m acts -b -o asked_in_vain -s {session} --yes\ngo").ok()
    comes_true(lambda: kernel.value("asked_in_vain.finished") == "True")
    assert [outcome for outcome, _ in told(kernel)] == ["failed", "failed"]
    assert all("cannot ask for input in the background" in text for _, text in told(kernel))


@pytest.mark.threads
def test_code_under_a_cell_may_ask(kernel, session, acts):
    acts(python("print('Hello', input('name? '))"), "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    assert kernel.reply("Ada") == "name? "
    cell.wait().ok()
    assert "Hello Ada" in told(kernel)[0][1]


@pytest.mark.parametrize("tool", ["run_python", pytest.param("run_python_isolated", marks=pytest.mark.once)])
def test_help_on_a_name_is_the_models_to_read(kernel, session, acts, tool):
    acts([(tool, {"code": "def add(a, b):\n    'Add two numbers.'\nadd?"})], "Done.")
    cell = run(kernel, session).ok()
    [(outcome, text)] = told(kernel)
    assert (outcome, "Add two numbers." in text, "\x1b" in text) == ("success", True, False)
    assert not cell.reply["payload"]
    assert kernel.run("len?").ok().reply["payload"][0]["source"] == "page"


def test_half_a_character_fails_no_call_that_has_succeeded(kernel, session, acts):
    acts(python("display({'text/plain': 'x\\ud800', 'text/html': '<b>y\\ud800</b>'}, raw=True)"), "Done.")
    assert ">y?</div>" in run(kernel, session).ok().html
    assert [outcome for outcome, _ in told(kernel)] == ["success"]


@pytest.mark.once
@pytest.mark.parametrize("timeout", [0, -1, 10**18])
def test_isolated_code_has_a_sensible_timeout(kernel, session, acts, timeout):
    acts([("run_python_isolated", {"code": "1", "timeout": timeout})], "Done.")
    run(kernel, session).ok()
    [(outcome, text)] = told(kernel)
    assert outcome == "failed"
    assert "at most 3,600 seconds" in text


def test_cells_are_read_although_a_value_cannot_say_what_it_is(kernel, session, acts):
    kernel.run("class Mute:\n    def __repr__(self): raise RuntimeError('mute')")
    kernel.run("Out[get_ipython().execution_count - 1] = Out[get_ipython().execution_count] = Mute()").ok()
    acts([("read_cells", {})], "Done.")
    run(kernel, session).ok()
    [(outcome, text)] = told(kernel)
    assert outcome == "success"
    assert "(a Mute that cannot be described: RuntimeError)" in text


@pytest.mark.parametrize("option", ["", pytest.param("-b", marks=pytest.mark.once)])
def test_code_that_awaits_where_it_cannot_is_told_what_works_instead(kernel, session, acts, option):
    code = "import asyncio\nasync def slow(): return 6 * 7\nbegun = True\n"
    thread = (
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(asyncio.run, slow()).result()"
    )
    isolated = [("run_python_isolated", {"code": f"{code}await slow()"})]
    kernel.run("begun = ended = False").ok()
    acts(python(f"{code}await slow()"), python("begun"), python(code + thread), isolated, "Done.")
    run(kernel, session, option, "-o ended").ok()
    comes_true(lambda: kernel.value("bool(ended) and ended.status != 'running'") == "True")
    assert told(kernel) == [
        (
            "failed",
            (
                "ToolError: top-level await does not work here, so nothing was run; "
                "call asyncio.run in another thread, or use run_python_isolated, where await works"
            ),
        ),
        ("success", "False"),
        ("success", "42"),
        ("success", "42"),
    ]


@pytest.mark.parametrize("code", ["await", "async def late(): await x\n1 /", "%nothing await", "'await x'"])
def test_code_that_only_says_await_is_run(kernel, session, acts, code):
    acts(python(code), "Done.")
    run(kernel, session).ok()
    assert "top-level" not in told(kernel)[0][1]


def test_functions_of_every_kind_can_be_called(kernel, session, acts):
    kernel.run(
        "import functools\n"
        "class Adds:\n"
        "    'Add.'\n"
        "    def __call__(self, a: int) -> int: return a + 1\n"
        "    def method(self, a: int) -> int: return a + 2\n"
        "    async def later(self, a: int) -> int: return a + 3\n"
        "called, method = Adds(), Adds().method\n"
        "part = functools.partial(lambda a, b: int(a) + b, b=4)\n"
        "awaits = lambda a: Adds().later(int(a))\n"
        "untyped = lambda a: int(a) + 5"
    ).ok()
    names = ["called", "method", "part", "awaits", "untyped"]
    acts([(name, {"a": 1}) for name in names], "Done.")
    run(kernel, session, f"--tools {','.join(names)}").ok()
    assert told(kernel) == [("success", text) for text in ["2", "3", "5", "4", "6"]]


def test_a_built_in_that_says_nothing_of_its_arguments_is_refused_in_one_line(kernel, session):
    kernel.run("largest = max").ok()
    cell = kernel.run(f"%%agent -m hello -s {session} --tools largest\ngo")
    assert (cell.ename, cell.traceback.count("\n")) == ("ToolError", 0)


def test_a_cell_cannot_be_proposed_where_none_can_be_added(kernel, session, acts):
    acts([("insert_cell", {"code": "1 + 1"})], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session} --yes\ngo", allow_stdin=False).ok()
    [(outcome, text)] = told(kernel)
    assert (outcome, "would be lost in this front end" in text) == ("failed", True)
    assert not cell.reply["payload"]


def test_a_function_that_was_defined_again_is_called_as_it_is_now(kernel, session, acts):
    kernel.run("import sessionmagic\n@sessionmagic.tool\ndef again() -> str: return 'old'").ok()
    try:
        kernel.run("def again() -> str: return 'new'").ok()
        acts([("again", {})], "Done.")
        run(kernel, session, "--tools again").ok()
        assert told(kernel) == [("success", "new")]
    finally:
        kernel.run("from sessionmagic.tools.functions import registered; del registered['again']").ok()


def test_an_error_that_cannot_say_what_it_is_fails_its_call(kernel, session, acts):
    kernel.run(
        "class Odd(BaseException): pass\n"
        "class Mute(Exception):\n"
        "    def __str__(self): raise Odd\n"
        "def mute(): raise Mute"
    ).ok()
    acts([("mute", {})], python("raise Mute"), "Done.")
    assert "Done." in run(kernel, session, "--tools mute").ok().text
    assert [outcome for outcome, _ in told(kernel)] == ["failed", "failed"]


def test_built_ins_and_classes_are_tools_if_they_say_what_they_take(kernel, session, acts):
    kernel.run(
        "import dataclasses, math\nroot, length = math.sqrt, len\n"
        "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: int = 2"
    ).ok()
    acts([("root", {"x": 9}), ("length", {"obj": "four"}), ("Point", {"x": "1"})], "Done.")
    run(kernel, session, "--tools root,length,Point").ok()
    assert told(kernel) == [("success", "3.0"), ("success", "4"), ("success", "Point(x=1, y=2)")]
    refused = run(kernel, session, "--tools max")
    assert refused.ename == "ToolError"


def test_a_call_whose_value_cannot_be_described_has_succeeded_all_the_same(kernel, session, acts):
    kernel.run(
        "class Mute:\n    def __repr__(self): raise ValueError\n"
        "def mute():\n    print('ran')\n    return Mute()\n"
        "async def mute_too(): return mute()"
    ).ok()
    acts([("mute", {})], [("mute_too", {})], "Done.")
    run(kernel, session, "--tools mute,mute_too").ok()
    assert told(kernel) == [("success", "ran\n(a Mute that cannot be described: ValueError)")] * 2


@pytest.mark.threads
def test_an_asynchronous_tool_may_run_a_cell(kernel, session, acts):
    kernel.run(
        "async def nests(model: str):\n"
        f"    get_ipython().run_cell_magic('agent', f'-m {{model}} -s {session}-of-{{model}} -t nests', 'go')"
    ).ok()
    kernel.run(f"%agent permissions --new {session}-of-nested --allow nests").ok()
    kernel.run("script('nested', call('nests', model='hello'), 'Done within.')").ok()
    acts([("nests", {"model": "nested"})], "Done.")
    assert "Done." in run(kernel, session, "--tools nests").ok().text
    assert told(kernel) == [("success", "(no output)")]
    assert "Done within." in kernel.run(f"%agent show {session}-of-nested").ok().text
    assert "Hello" in kernel.run(f"%agent show {session}-of-hello").ok().text


LOUD = """import asyncio
from IPython.display import HTML, Image, display
{dot}
async def loud(word: str):
    print(word)
    display(HTML('<b>' + word + '</b><script>alert(1)</script>'))
    await asyncio.sleep(0.3)
    print(word, 'again')
    display(Image(dot))
    return word.upper()
def later(word: str):
    print('before')
    return loud(word)
async def fails():
    print('so far')
    1 / 0
async def asks(): return input('who? ')
"""


def test_what_an_asynchronous_tool_prints_and_displays_is_treated_as_that_of_any_other(kernel, session, acts):
    kernel.run(LOUD.format(dot=PNG)).ok()
    shown = "<IPython.core.display.HTML object>"
    figure = "[1 figure shown to the user]"
    acts([("loud", {"word": "one"})], [("later", {"word": "two"})], [("fails", {})], "Done.")
    cell = run(kernel, session, "--tools loud,later,fails").ok()
    assert told(kernel) == [
        ("success", f"one\n{shown}\none again\nONE\n{figure}"),
        ("success", f"before\ntwo\n{shown}\ntwo again\nTWO\n{figure}"),
        ("failed", "so far\nZeroDivisionError: division by zero"),
    ]
    others = [output["data"] for output in cell.displays]
    assert ["image/png" in data for data in others] == [False, True] * 2
    assert "two" in others[2]["text/html"]
    assert "script" not in str(others)
    assert [output for output in cell.outputs if output["type"] == "stream"] == []


@pytest.mark.usefixtures("subshells")
def test_what_others_print_while_an_asynchronous_tool_runs_is_not_its_output(kernel, session):
    kernel.run(
        "import asyncio, sys\n"
        "stream, go_on = sys.stdout, False\n"
        "async def waits(word: str):\n"
        "    print(word)\n"
        "    while not go_on: await asyncio.sleep(0.02)\n"
        "    print(word)"
    ).ok()
    models = [f"script('w{n}', call('waits', word={word!r}), 'Done.')" for n, word in enumerate(("one", "two"))]
    kernel.run(f"models = [{', '.join(models)}]").ok()
    cells = [kernel.run(f"%%agent -m w{n} -b -s {session}-{n} --yes -t waits\ngo").ok() for n in (0, 1)]
    for n, cell in enumerate(cells):
        cell.until_shows("… waits")
        assert kernel.run(f"print('mine', {n})").ok().text.strip() == f"mine {n}"
    assert kernel.run("%%capture mine\nprint('captured')\ngo_on = True").ok().text == ""
    for cell in cells:
        cell.until(lambda cell: "Done." in cell.text)
    sent = "[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'tool-return'] for model in models"
    assert eval(kernel.value(f"[{sent}]")) == [["one\none"], ["two\ntwo"]]
    assert kernel.value("mine.stdout") == repr("captured\n")
    assert kernel.value("sys.stdout is stream") == "True"


@pytest.mark.threads
def test_an_asynchronous_tool_cannot_ask_on_stdin_and_leaves_the_answers_to_others(kernel, session, acts):
    kernel.run(LOUD.format(dot=PNG)).ok()
    acts([("asks", {})], "Done.")
    assert "Done." in run(kernel, session, "--tools asks").ok().text
    assert told(kernel)[0][1].endswith("cannot ask for input; write it with def instead of async def")
    cell = kernel.send("print('you said', input('mine? '))")
    assert kernel.reply("yes") == "mine? "
    assert cell.wait().ok().text.strip() == "you said yes"


RETURNING = """import matplotlib.pyplot as plt
from matplotlib.figure import Figure
class Picture:
    def _repr_png_(self): return dot
def drawn():
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    return figure
def of_its_own():
    figure = Figure()
    figure.subplots().plot([1, 2])
    return figure
def picture(): return Picture()
async def later(): return Picture()
def table():
    import pandas
    return pandas.DataFrame({'a': [1]})
"""


@pytest.mark.parametrize(
    ("tool", "figures"), [("drawn", 1), ("of_its_own", 1), ("picture", 1), ("later", 1), ("table", 0)]
)
def test_a_figure_that_a_function_returns_is_shown_once_and_seen_by_the_model(kernel, session, acts, tool, figures):
    kernel.run(f"{PNG}\n{RETURNING}").ok()
    acts([(tool, {})], "Done.")
    cell = run(kernel, session, f"--tools {tool}").ok()
    [(outcome, text)] = told(kernel)
    assert (outcome, "[1 figure shown to the user]" in text) == ("success", figures == 1)
    assert sum("image/png" in output.get("data", ()) for output in cell.outputs) == figures
    assert kernel.value("str(model.sent[-1]).count('BinaryContent(')") == str(figures)


BLOCKING = """import asyncio, time
async def blocks():
    open({begun!r}, 'w').close()
    time.sleep(60)
async def deaf():
    open({begun!r}, 'w').close()
    for _ in range(600):
        try: await asyncio.sleep(0.1)
        except asyncio.CancelledError: pass
async def quick(): return 'quick'
"""


@pytest.mark.threads
@pytest.mark.parametrize("tool", ["blocks", "deaf"])
def test_an_asynchronous_tool_that_does_not_stop_ends_with_its_turn_and_holds_up_no_other(
    kernel, session, acts, tool, tmp_path
):
    begun = tmp_path / "begun"
    kernel.run(BLOCKING.format(begun=str(begun))).ok()
    subshell = kernel.subshell() if kernel.has_subshells else None
    acts([(tool, {})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes -t {tool}\ngo")
    appears(begun)
    if subshell is not None:
        assert "world" in kernel.run(f"%%agent -m hello -s {session}-other\ngo", subshell=subshell).ok().text
    kernel.interrupt()
    assert cell.wait(SOON).ename == "KeyboardInterrupt"
    cell.until(lambda cell: f"{tool} did not stop with the turn" in cell.html)
    acts([("quick", {})], "Done.")
    assert "Done." in run(kernel, session, "--tools quick").ok().text
    assert told(kernel)[-1] == ("success", "quick")


@pytest.mark.once
def test_a_scratch_kernel_ends_with_its_session_whoever_deletes_it(kernel, session, acts):
    acts([("run_python_isolated", {"code": "import os; os.getpid()"})], "Done.")
    run(kernel, session).ok()
    [(_, pid)] = told(kernel)
    acts(python(f"get_ipython().run_line_magic('agent', 'delete {session} --yes')"), "Never.")
    run(kernel, session)
    alive = f"__import__('os').path.exists('/proc/{int(pid)}/stat')"
    comes_true(lambda: kernel.value(alive) == "False")


def test_a_question_that_cannot_be_asked_is_a_rejection(kernel, session, acts):
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    kernel.run(
        "import sessionmagic.notebook.asker as asker\n"
        "kept = asker.ask_on_stdin\n"
        "def asking_fails(*asked): raise OSError('no terminal')\n"
        "asker.ask_on_stdin = asking_fails"
    ).ok()
    try:
        acts(python("1 + 1"), "Done.")
        cell = kernel.run(f"%%agent -m acts -s {session}\ngo").ok()
    finally:
        kernel.run("asker.ask_on_stdin = kept\n%config AgentMagics.approval = 'auto'").ok()
    assert "Done." in cell.text
    assert "could not be asked (OSError)" in told(kernel)[0][1]


def test_where_stdin_asks_there_are_no_buttons(kernel, session, acts):
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    try:
        acts(python("1 + 1"), "Done.")
        cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_shows("waits for your answer")
        kernel.reply("y")
        cell.wait().ok()
        assert not any(state.get("description") == "Approve" for state in cell.widgets.values())
    finally:
        kernel.run("%config AgentMagics.approval = 'auto'").ok()
