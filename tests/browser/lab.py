"""A JupyterLab server for the tests, and its notebooks, used in the way of a user."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from playwright.sync_api import Error, expect

TOKEN = "sessionmagic"  # noqa: S105  the server is the tests' own
SETUP = """\
%load_ext sessionmagic
from sessionmagic import register_model
from sessionmagic.testing import Call, call, script
from tests import scripted
"""
SECONDS = 30_000
"""Milliseconds to wait for a change of the page. The name lets a test write `2 * SECONDS`."""
expect.set_options(timeout=SECONDS)  # Playwright's five seconds are too few for a busy machine
READY = """async () => {
    await jupyterapp.restored;
    await jupyterapp.shell.currentWidget.revealed;
    jupyterapp.shell.activateById(jupyterapp.shell.currentWidget.id);
}"""
OPEN = "path => jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'})"
LEAVE = """async () => {
    if (!window.opensNotebooks) throw new Error('the page was loaded again, and restores what was open');
    for (const widget of [...jupyterapp.shell.widgets('main')]) widget.dispose();
    if (document.querySelector('.jp-Dialog')) throw new Error('a dialog is open');
    if (document.body.dataset.jpThemeLight === 'false') {
        await jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'});
    }
}"""
KERNEL_READY = """async () => {
    const session = jupyterapp.shell.currentWidget.sessionContext;
    await session.ready;
    await session.session.kernel.info;
}"""
REPOSITORY = Path(__file__).parents[2]


SCROLLS = """area => [...area.querySelectorAll('*')].filter(part => part.checkVisibility()).filter(
    part => ['auto', 'scroll'].includes(getComputedStyle(part).overflowX) && part.scrollWidth > part.clientWidth
).map(part => part.className)"""
"""Find the parts of an element that scroll sideways."""


def place_of(part):
    """Return where a part of a running turn's area is on the page. An update takes it away for a moment."""
    while (box := part.bounding_box()) is None:
        expect(part).to_be_visible()
    return box


def leave(page):
    """Close the notebooks of a page, so that the next test finds JupyterLab as it was; else leave JupyterLab."""
    try:
        page.evaluate(LEAVE)
    except Error:
        page.goto("about:blank")


class Lab:
    """A JupyterLab server on loopback, with separate settings, sessions and notebooks. It runs until `close`.

    Args:
        folder: Its files.
        python: The Python that runs it and its kernels.
    """

    def __init__(self, folder, python=sys.executable):
        self.root = folder / "notebooks"
        self.root.mkdir()
        for name in ("config", "data", "runtime", "settings", "workspaces", "sessions"):
            (folder / name).mkdir()
        for name, settings in {
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "docmanager-extension/plugin": {"autosave": False},
        }.items():
            path = folder / f"settings/@jupyterlab/{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = (folder / "server.log").open("w")
        self._server = subprocess.Popen(
            [
                *(python, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
                *(f"--ServerApp.root_dir={self.root}", "--LabApp.expose_app_in_browser=True"),
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.extension_manager=readonly",
            ],
            env={
                **os.environ,
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "SESSIONMAGIC_HOME": str(folder / "sessions"),
                "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            },
            cwd=folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_up(time.monotonic() + 60)
        except BaseException:
            self.close()
            raise

    def _wait_until_up(self, deadline):
        while True:
            assert self._server.poll() is None, f"the server has ended: {Path(self._log.name).read_text()[-2000:]}"
            try:
                self.ask("GET", "status")
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
            else:
                return

    def ask(self, method, path):
        """Send a request to the server's REST API and return the decoded reply."""
        request = urllib.request.Request(  # noqa: S310  the scheme is http
            f"{self.url}/api/{path}", method=method, headers={"Authorization": f"token {TOKEN}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            body = response.read()
        return json.loads(body) if body else None

    def end_kernels(self):
        """End all kernels, as after a restart of the machine."""
        for session in self.ask("GET", "sessions"):
            self.ask("DELETE", f"sessions/{session['id']}")

    def close(self):
        """End the server and its kernels."""
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()

    def write(self, name, *cells, setup=""):
        """Write a notebook with these cells after a setup cell, which loads the extension and runs `setup`."""
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in (SETUP + setup, *cells)]
        nbformat.write(notebook, self.root / name)


class Notebook:
    """A notebook in a page. Cell 0 is the setup cell; the other cells start at 1."""

    def __init__(self, lab, page, name):
        self.lab, self.page, self.name = lab, page, name

    @property
    def path(self):
        return self.lab.root / self.name

    def colleagues_copy(self):
        """Return a copy of the saved notebook, as on another machine: not trusted, and without its kernel."""
        notebook = nbformat.read(self.path, 4)
        notebook.metadata = {"kernelspec": {"name": "elsewhere", "display_name": "Elsewhere"}}
        copy = Notebook(self.lab, self.page, self.name.replace(".ipynb", "_copy.ipynb"))
        nbformat.write(notebook, copy.path)
        return copy

    def open_without_kernel(self):
        """Open a notebook whose kernel does not exist, and choose to have no kernel."""
        self.page.goto(f"{self.lab.url}/lab/workspaces/{Path(self.name).stem}/tree/{self.name}?token={TOKEN}")
        self.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click(timeout=2 * SECONDS)
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=SECONDS)
        return self

    def open(self):
        """Open the notebook and wait until its cells are visible."""
        if self.page.url.startswith(self.lab.url):
            self.page.evaluate(OPEN, self.name)
        else:
            self.page.goto(f"{self.lab.url}/lab/workspaces/{Path(self.name).stem}/tree/{self.name}?token={TOKEN}")
            self.page.evaluate("window.opensNotebooks = true")
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=2 * SECONDS)
        self.page.evaluate(READY)
        return self

    def wait_for_kernel(self):
        self.page.evaluate(KERNEL_READY)
        return self

    def cell(self, number):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number):
        return self.cell(number).locator(".jp-Cell-outputArea")

    def area(self, number):
        """Return the live area of a turn, which exists while the turn runs."""
        return self.output(number).locator(".jupyter-widgets")

    def scrolls(self, number):
        """Return the classes of the parts of the cell's output that scroll sideways."""
        return self.output(number).evaluate(SCROLLS)

    def answer(self, number):
        """Return the static answer with its footer, which exists once the turn has ended."""
        return self.cell(number).locator(".jp-Cell-outputArea:has(.jp-RenderedHTML:visible)")

    def stop_button(self, number):
        return self.output(number).get_by_role("button", name="Stop")

    def run(self, number):
        """Start a cell with the keyboard, without waiting for it."""
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        self.page.keyboard.press("Control+Enter")

    def prompt(self, number):
        return self.cell(number).locator(".jp-InputPrompt")

    def expect_running(self, number):
        expect(self.prompt(number)).to_have_text("[*]:", timeout=SECONDS)

    def expect_done(self, number):
        expect(self.prompt(number)).to_have_text(re.compile(r"\[\d+\]:"), timeout=2 * SECONDS)

    def set_up(self):
        """Run the setup cell, and wait until it has ended."""
        self.run(0)
        self.expect_done(0)
        assert self.output(0).inner_text().strip() == ""
        return self

    def use_theme(self, name):
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {name}"
        )
        expect(self.page.locator(f"body[data-jp-theme-light={str(name == 'Light').lower()}]")).to_be_attached()

    def save(self):
        """Save with the keyboard, and return the saved notebook."""

        def is_it(response):
            return response.request.method == "PUT" and f"/api/contents/{self.name}" in response.url

        with self.page.expect_response(is_it, timeout=SECONDS) as saving:
            self.page.keyboard.press("Control+s")
        assert saving.value.ok
        return nbformat.read(self.path, 4)

    def say(self, name, text, *, end=False):
        """Append to the file that a model streams; `end` ends the model's answer."""
        with (self.lab.root / name).open("a") as file:
            file.write(text + ("\x04" if end else ""))
