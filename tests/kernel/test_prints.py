"""What a tool call prints is shown while it runs, and kept when the call is stopped."""

import re
from html import unescape

import pytest

from sessionmagic.conversation.printed import LENGTH
from tests.kernel.acting import needs_clicks, told

WAITS = """
import pathlib, time
def until(path):
    while not pathlib.Path(path).exists(): time.sleep(0.01)
def mine(path: str) -> str:
    print("first")
    until(path)
    print("second")
    return "mine"
async def theirs(path: str) -> str:
    import asyncio
    print("first")
    while not pathlib.Path(path).exists(): await asyncio.sleep(0.01)
    print("second")
    return "theirs"
"""
CODE = "import pathlib, time\nprint('first')\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.01)\nprint('second')"


def call_of(tool, path):
    return (tool, {"code": CODE.format(str(path))}) if tool.startswith("run") else (tool, {"path": str(path)})


def printed(cell):
    """Return what the area shows of the prints of running calls."""
    found = re.findall(r"<pre[^>]*border-left[^>]*>(.*?)</pre>", cell.area, flags=re.DOTALL)
    return unescape("\n".join(found))


TOOLS = ["run_python", "run_python_isolated", "mine", "theirs"]


@pytest.mark.parametrize("tool", TOOLS)
def test_prints_are_shown_as_they_come_and_stand_in_the_result(kernel, session, acts, tmp_path, tool):
    kernel.run(WAITS).ok()
    acts([call_of(tool, tmp_path / "go")], "Done.")
    subshells = kernel.has_subshells  # a request, which could not be answered while a cell runs
    cell = kernel.send(f"%%agent -t mine,theirs --yes -m acts -s {session}\ngo")
    cell.until(lambda cell: "first" in printed(cell))
    assert f"running {tool}" in cell.words
    assert "second" not in printed(cell)
    shown = kernel.run(f"%agent show {session}", subshell=kernel.subshell()).ok() if subshells else None
    (tmp_path / "go").touch()
    cell.wait().ok()
    assert shown is None or "first" in shown.html.partition("</details>")[2]
    assert "first\nsecond" in cell.html
    assert "border-left" not in cell.html.partition("</details>")[2]


@pytest.mark.parametrize("how", ["Stop", "Interrupt"])
@pytest.mark.parametrize("tool", TOOLS)
def test_call_that_is_stopped_keeps_its_prints_and_is_interrupted_whichever_way_it_was_stopped(
    kernel, session, acts, tmp_path, tool, how
):
    if how == "Stop":
        needs_clicks(kernel)
    kernel.run(WAITS).ok()
    acts([call_of(tool, tmp_path / "never")], "Done.")
    cell = kernel.send(f"%%agent -t mine,theirs --yes -m acts -s {session}\ngo")
    cell.until(lambda cell: "first" in printed(cell))
    kernel.click(cell.button("Stop")) if how == "Stop" else kernel.interrupt()
    cell.wait()
    errors = [output["evalue"] for output in cell.outputs if output["type"] == "error"]
    assert errors == ([] if how == "Stop" else ["turn interrupted"])
    cell.until(lambda cell: "■ interrupted" in cell.html)
    assert re.search(rf"<summary[^>]*>■ {tool} · [\d.]+ m?s · interrupted</summary>", cell.html)
    assert "first</pre>" in cell.html
    assert "Traceback" not in cell.html
    shown = kernel.run(f"%agent show {session}").ok()
    answer = cell.html.partition('<div style="overflow-wrap: break-word">')[2].partition("<p class")[0]
    assert answer in shown.html
    assert (cell.footer["metadata"]["sessionmagic"]["status"], kernel.value("_agent.status")) == (
        "interrupted",
        "'interrupted'",
    )
    acts("Well.")
    kernel.run(f"%%agent -m acts -s {session}\nagain").ok()
    assert told(kernel) == [(tool, "interrupted", "first\n[interrupted]")]


def test_progress_bar_is_shown_and_saved_as_its_last_state(kernel, session, acts, tmp_path):
    code = (
        "import pathlib, time\n"
        "for at in range(500):\n"
        "    print(f'\\r\\x1b[32m{at} of 500\\x1b[0m ', end='')\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
        "print('\\r500 of 500')"
    )
    acts([("run_python", {"code": code})], "Done.")
    cell = kernel.send(f"%%agent --yes -m acts -s {session}\ngo")
    cell.until(lambda cell: printed(cell) == "499 of 500")
    (tmp_path / "go").touch()
    cell.wait().ok()
    assert ">500 of 500</pre>" in cell.html
    assert told(kernel) == [("run_python", "success", "500 of 500")]


@pytest.mark.parametrize("tool", ["run_python", "run_python_isolated"])
def test_megabytes_of_prints_are_shown_in_bounded_size(kernel, session, acts, tool):
    code = "import time\nfor at in range(60):\n    print(f'{at} ' * 9_000)\n    time.sleep(0.02)\nprint('the end')"
    acts([(tool, {"code": code})], "Done.")
    cell = kernel.run(f"%%agent --yes -m acts -s {session}\ngo").ok()
    frames = [
        content["data"]["state"]["value"]
        for content in cell.contents("comm_msg")
        if str(content["data"].get("state", {}).get("value")).startswith("<pre")
    ]
    assert frames
    assert max(map(len, frames)) < 2 * LENGTH
    assert "the end" in cell.html
    assert "[cut: " in cell.html
