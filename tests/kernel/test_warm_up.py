"""What is imported while no cell runs: it is never seen, and never in the way of a cell."""

import json
import time

import pytest

from tests.kernel.cells import SOON
from tests.kernel.conftest import needs_subshells
from tests.kernel.kernels import Kernel, comes_true

TEST_MODEL = "%config AgentMagics.model = 'test'\n%config AgentMagics.kernel_tools = False"
NO_THREAD = "raise RuntimeError('no thread can be started')"
CONFIGURED = "--IPKernelApp.extra_extensions=sessionmagic"
BROKEN = "raise RuntimeError('the library is broken')"


SLOW = """
import os, signal, sys, threading, time
from pathlib import Path
main, home = threading.main_thread().ident, Path({home!r})
home.joinpath("begun").touch()
while sys._current_frames()[main].f_code.co_name != "pause":
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGINT)
while not home.joinpath("end").exists():
    time.sleep(0.01)
"""


@pytest.fixture
def cold(tmp_path):
    """Start kernels in which no cell has run, with modules that come before the installed ones."""
    kernels = []

    def cold(stderr=None, arguments=(), **modules):
        home = tmp_path / str(len(kernels))
        front = home / "front"
        front.mkdir(parents=True)
        for name, source in modules.items():
            (front / f"{name}.py").write_text(source)
        kernel = Kernel(home, arguments)
        kernel.env["PYTHONPATH"] = f"{front}:{kernel.env['PYTHONPATH']}"
        kernels.append(kernel)
        return kernel.start(stderr=stderr)

    yield cold
    for kernel in kernels:
        kernel.shutdown(now=True)


def load(kernel, *more):
    return kernel.run("\n".join(["%load_ext sessionmagic", TEST_MODEL, *more])).ok()


def warm(kernel):
    """Wait until the warm-up has done everything. Asking for it is a cell, which holds up the next step."""

    def steps():
        time.sleep(0.6)
        return kernel.value("[o for o in gc.get_objects() if type(o).__name__ == 'WarmUp'][0]._steps.qsize()")

    kernel.run("import gc").ok()
    comes_true(lambda: steps() == "0")


def test_after_the_warm_up_the_first_turn_imports_nothing_and_looks_for_no_garbage_among_all_objects(cold):
    kernel = cold()
    loaded = load(kernel)
    warm(kernel)
    kernel.run("import sys; before = set(sys.modules); collected = gc.get_stats()[-1]['collections']").ok()
    cell = kernel.run("%%agent\nhi").ok()
    assert "success" in cell.answer["data"]["text/plain"]
    assert kernel.value("gc.get_stats()[-1]['collections'] - collected") == "0"
    assert kernel.value("sorted(set(sys.modules) - before)") == "[]"
    assert not loaded.contents("stream")


@pytest.mark.once
def test_nothing_is_imported_while_the_cell_that_loads_runs(cold):
    kernel = cold()
    cell = load(kernel, "import sys, time; time.sleep(1)", "print('ipywidgets' in sys.modules)")
    assert cell.text.strip() == "False"


@pytest.mark.once
@pytest.mark.parametrize("seconds", [0, 0.5, 1])
def test_a_kernel_that_ends_during_the_warm_up_is_silent(cold, tmp_path, seconds):
    with (tmp_path / "stderr").open("w") as stderr:
        kernel = cold(stderr=stderr)
    kernel.manager.shutdown_wait_time = 60
    cell = load(kernel)
    time.sleep(seconds)
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < SOON
    assert not cell.contents("stream")
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert [line for line in lines if not line.startswith("[IPKernelApp]")] == []


@pytest.mark.once
@pytest.mark.parametrize("seconds", [0, 0.4, 0.6])
def test_a_cell_that_imports_the_same_at_the_same_time_works(cold, seconds):
    kernel = cold()
    load(kernel)
    time.sleep(seconds)
    kernel.run("from pydantic_ai.models.test import TestModel\nfrom openai import OpenAI\nimport pandas").ok()
    kernel.run("%%agent\nhi").ok()


@pytest.mark.once
def test_an_error_is_told_by_the_cell_that_needs_the_library(cold, tmp_path):
    tried = tmp_path / "tried"
    kernel = cold(genai_prices=f"open({str(tried)!r}, 'a').write('x')\n{BROKEN}")
    loaded = load(kernel)
    comes_true(tried.exists)
    cell = kernel.run("%%agent\nhi")
    assert "the library is broken" in json.dumps(cell.reply)
    assert not loaded.contents("stream")
    assert not loaded.contents("error")


@pytest.mark.once
def test_loading_again_warms_up_once(cold):
    kernel = cold()
    load(kernel, "%reload_ext sessionmagic", "%load_ext sessionmagic")
    threads = "[t.name for t in __import__('threading').enumerate() if 'warm' in t.name]"
    assert kernel.value(threads) == "['sessionmagic warm-up']"


@pytest.mark.parametrize("code", ["raise SystemError('it ran')", "no Python ("])
def test_an_interrupt_while_a_cell_waits_ends_that_cell_only(cold, tmp_path, code):
    kernel = cold(genai_prices=SLOW.format(home=str(tmp_path)))
    load(kernel)
    comes_true((tmp_path / "begun").exists)
    cell = kernel.run(code)
    assert cell.reply["ename"] == ("KeyboardInterrupt" if "it ran" in code else "SyntaxError")
    assert not cell.contents("stream")
    (tmp_path / "end").touch()
    kernel.run("1 + 1").ok()


def test_an_extension_that_a_configuration_loads_works(cold):
    kernel = cold(arguments=[CONFIGURED])
    kernel.run(TEST_MODEL).ok()
    assert "success" in kernel.run("%%agent\nhi").ok().answer["data"]["text/plain"]
    kernel.run("%%agent --background\nhi").ok()


@pytest.mark.once
def test_an_extension_that_a_configuration_loads_loses_no_request_while_the_kernel_starts(cold, tmp_path):
    with (tmp_path / "stderr").open("w") as stderr:
        cold(stderr=stderr, arguments=[CONFIGURED]).run("1 + 1").ok()
    assert "Invalid message" not in (tmp_path / "stderr").read_text()


@needs_subshells
def test_an_extension_that_a_configuration_loads_shows_turns_live_and_asks_on_the_page(cold):
    kernel = cold(arguments=[CONFIGURED])
    kernel.run(TEST_MODEL).ok()
    kernel.run("def change() -> str: return 'changed'").ok()
    cell = kernel.send("%%agent --tools change\nchange it", cell_id="asks")
    behind = kernel.send("print('behind')", cell_id="behind")
    cell.until_asks()
    behind.until_shows("waits for your answer")
    kernel.click(cell.button("Approve"), kernel.subshell())
    assert "changed" in cell.wait().ok().text


@pytest.mark.once
def test_an_extension_that_a_configuration_loads_warms_up_before_the_first_cell(cold, tmp_path):
    tried = tmp_path / "tried"
    cold(arguments=[CONFIGURED], genai_prices=f"open({str(tried)!r}, 'a')")
    comes_true(tried.exists)


@pytest.mark.once
def test_a_configuration_that_is_not_valid_is_named_in_one_line(cold):
    cell = cold(arguments=["--AgentMagics.view=cinema"]).run("%load_ext sessionmagic")
    assert cell.ename == "UsageError"
    assert cell.evalue.startswith("a setting in IPython's configuration is not valid: The 'view' trait of ")
    assert cell.evalue.endswith("; correct it there")
    assert cell.traceback.count("\n") == 0


@pytest.mark.once
def test_the_extension_is_loaded_where_no_thread_can_be_started(cold):
    kernel = cold()
    kernel.run(f"import threading\nstart = threading.Thread.start\ndef fail(_): {NO_THREAD}").ok()
    loaded = kernel.run("threading.Thread.start = fail\n%load_ext sessionmagic\nthreading.Thread.start = start").ok()
    kernel.run(TEST_MODEL).ok()
    assert not loaded.contents("stream")
    kernel.run("%%agent\nhi").ok()
