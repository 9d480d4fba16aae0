"""jupyter-server-nbmodel: the server runs the cells, and asks for input in its replies to the page."""

import json
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS, TOKEN, Lab, Notebook
from tests.matrix.conftest import GO, SETUP

ENVIRONMENT = "nbmodel"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def lab(python, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("nbmodel"), python)
    yield lab
    lab.close()


@pytest.fixture
def kernel(lab):
    lab.write("lesson.ipynb")
    asked = {"path": "lesson.ipynb", "name": "lesson.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    _, _, session = ask(lab, "POST", "/api/sessions", asked)
    kernel = Kernel(lab, session["kernel"]["id"])
    kernel.run(SETUP)
    yield kernel
    lab.end_kernels()


def ask(lab, method, path, body=None):
    """Return the status, the headers and the decoded content of the server's reply."""
    request = urllib.request.Request(  # noqa: S310  the scheme is http
        f"{lab.url}{path}",
        json.dumps(body).encode() if body else None,
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unraised())
    with opener.open(request, timeout=PATIENCE) as reply:
        return reply.status, reply.headers, json.loads(reply.read() or b"null")


class Unraised(urllib.request.HTTPErrorProcessor):
    def http_response(self, request, response):  # noqa: ARG002
        return response


class Kernel:
    """A kernel whose cells the server runs."""

    def __init__(self, lab, kernel_id):
        self.lab, self.path = lab, f"/api/kernels/{kernel_id}"
        self.asked = []
        """The prompts of the questions on stdin."""

    def run(self, code, *answers):
        """Run a cell, give these answers to its questions, and return its outputs as the server saves them."""
        left = list(answers)
        _, headers, _ = ask(self.lab, "POST", f"{self.path}/execute", {"code": code, "metadata": {"cell_id": "abc"}})
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline
            status, _, reply = ask(self.lab, "GET", headers["Location"])
            if status == 300:
                self.asked.append(reply["input_request"]["prompt"])
                ask(self.lab, "POST", f"{self.path}/input", {"input": left.pop(0)})
            elif status != 202:
                assert status == 200, reply
                outputs = reply["outputs"]
                return json.loads(outputs) if isinstance(outputs, str) else outputs
            time.sleep(0.05)


def test_answer_is_saved_once_after_a_call_was_approved_that_the_question_shows(kernel):
    [config] = kernel.run("%agent config")
    assert "front end: a Jupyter server" in config["data"]["text/plain"]
    answer, footer = kernel.run(GO, "y")
    [asked] = kernel.asked
    assert "print(6 * 7)" in asked
    assert "42" in answer["data"]["text/html"]
    assert answer["data"]["text/plain"].count("It is **42**.") == 1
    assert "lesson · turn 1" in footer["data"]["text/plain"]


@pytest.mark.nightly
def test_page_shows_the_answer_and_asks_in_its_input_box(browser, lab):
    lab.write("page.ipynb", SETUP, "%%agent -m acts -s page\nGo.")
    page = browser.new_page()
    it = Notebook(lab, page, "page.ipynb").open().wait_for_kernel()
    it.run(1)
    it.run(2)
    box = page.locator(".jp-Stdin-input")
    expect(it.output(2)).to_contain_text("print(6 * 7)", timeout=SECONDS)
    box.fill("y")
    box.press("Enter")
    expect(it.output(2)).to_contain_text("page · turn 1", timeout=SECONDS)
    answer, footer = it.save().cells[2].outputs
    assert answer.data["text/plain"].count("It is **42**.") == 1
    assert "page · turn 1" in footer.data["text/plain"]
    page.close()
    lab.end_kernels()
