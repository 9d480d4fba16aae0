"""The tasks of a first hour in JupyterLab, done with keyboard and mouse: cells, keystrokes, clicks and seconds.

The models are scripts that answer at once, so that the seconds are those of the notebook: from the last key of a cell
until its result can be used. What a task needs besides sessionmagic, such as the data, is there before it begins.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from benchmarks.figures import Figure, sample
from tests.browser.conftest import FLAGS, find_chromium
from tests.browser.lab import SECONDS, Lab, Notebook, leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETUP = """
import pandas as pd
customers = pd.DataFrame({"age": [31, 45, 28], "churned": [0, 1, 0], "cancelled_on": [None, "2026-03-01", None]})
for name in ("first", "second", "third"):
    script(name, "Drop `cancelled_on`: only customers who have left have a date there.")
script("runs", call("run_python", {"code": "customers.groupby('churned').age.mean()"}), "Those who left are older.")
steps = [step for number in range(600) for step in (f"word{number} ", scripted.pause(0.05))]
slow = script("slow", steps)
"""


@dataclass
class User:
    """Somebody at a page with a notebook, whose keys and clicks are counted."""

    notebook: Notebook
    cells: int = 0
    keys: int = 0
    clicks: int = 0
    seconds: float = 0.0

    @property
    def last_editor(self) -> Any:
        return self.notebook.page.locator(".jp-Notebook .jp-Cell").last.locator(".cm-content")

    def press(self, key: str) -> None:
        self.keys += 1
        self.notebook.page.keyboard.press(key)

    def click(self, button: Any) -> None:
        self.clicks += 1
        button.click(timeout=SECONDS)

    def run(self, code: str) -> int:
        """Type a cell at the end of the notebook and run it; return its number."""
        number = self.notebook.page.locator(".jp-Notebook .jp-Cell").count() - 1
        self.cells += 1
        for position, line in enumerate(code.split("\n")):
            if position:
                self.press("Enter")
            self.notebook.page.keyboard.type(line)
            self.keys += len(line)
        self.press("Shift+Enter")
        return number

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the seconds of what the user waits for."""
        began = time.monotonic()
        yield
        self.seconds += time.monotonic() - began

    def sees(self, number: int, text: str) -> None:
        with self.waiting():
            expect(self.notebook.answer(number)).to_contain_text(text, timeout=SECONDS)
            self.notebook.expect_done(number)


def asks_about_a_frame(user: User) -> None:
    user.run("%load_ext sessionmagic")
    number = user.run("%%agent -m first\nWhich column would you drop? $`customers`")
    user.sees(number, "cancelled_on")


def goes_on_after_a_restart(user: User) -> None:
    user.press("Escape")
    user.press("0")
    user.press("0")
    user.press("Enter")
    with user.waiting():
        expect(user.notebook.page.locator(".jp-Dialog")).to_have_count(0, timeout=SECONDS)
        user.notebook.wait_for_kernel()
    user.notebook.run(0)  # the scripts of the models are gone, too
    user.notebook.expect_done(0)
    user.last_editor.click()
    user.run("%load_ext sessionmagic")
    user.sees(user.run("%%agent\nWhy that one?"), "cancelled_on")


def approves_code(user: User) -> None:
    number = user.run("%%agent -m runs\nHow old are those who have left?")
    with user.waiting():
        approve = user.notebook.area(number).get_by_role("button", name="Approve")
        expect(approve).to_be_visible(timeout=SECONDS)
    user.click(approve)
    user.sees(number, "older")
    user.click(user.last_editor)


def compares_three_models(user: User) -> None:
    number = user.run("%%agent --compare first second third\nWhich column would you drop?")
    with user.waiting():
        expect(user.notebook.output(number).get_by_text("Drop")).to_have_count(3, timeout=SECONDS)
        user.notebook.expect_done(number)


def interrupts(user: User) -> None:
    number = user.run("%%agent -m slow\nCount.")
    expect(user.notebook.output(number)).to_contain_text("word5 ", timeout=SECONDS)
    user.press("Escape")
    user.press("i")
    user.press("i")
    user.sees(number, "word5 ")


TASKS: dict[str, Callable[[User], None]] = {
    "a question about a DataFrame": asks_about_a_frame,
    "a follow-up after a restart": goes_on_after_a_restart,
    "code with approval": approves_code,
    "three models": compares_three_models,
    "an interrupt": interrupts,
}


def measure(runs: int) -> list[Figure]:
    done: dict[str, list[User]] = {task: [] for task in TASKS}
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder,
        sync_playwright() as it,
    ):
        browser = it.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        lab = Lab(Path(folder))
        try:
            for run in range(runs):
                notebook = _opened(lab, page, f"tasks-{run}.ipynb")
                for task, do in TASKS.items():
                    user = User(notebook)
                    do(user)
                    done[task].append(user)
                leave(page)
                lab.end_kernels()
        finally:
            lab.close()
            browser.close()
    return [figure for task, users in done.items() for figure in _figures(task, users)]


def _opened(lab: Lab, page: Any, name: str) -> Notebook:
    lab.write(name, "", setup=SETUP)
    notebook = Notebook(lab, page, name).open().wait_for_kernel().set_up()
    notebook.cell(1).locator(".cm-content").click()
    return notebook


def _figures(task: str, users: list[User]) -> list[Figure]:
    counts = {(user.cells, user.keys, user.clicks) for user in users}
    [(cells, keys, clicks)] = counts
    return [
        Figure(f"{task}: cells", sample([cells], "{:.0f}")),
        Figure(f"{task}: keystrokes", sample([keys], "{:.0f}")),
        Figure(f"{task}: clicks", sample([clicks], "{:.0f}")),
        Figure(f"{task}: seconds of waiting", sample([user.seconds for user in users], "{:.2f}")),
    ]
