import json
import sys
from contextlib import suppress
from functools import partial
from itertools import count

import ipykernel
import pytest

from tests.kernel import acting
from tests.kernel.forked import forking
from tests.kernel.kernels import LOST_SECONDS, TESTS, Kernel, comes_true

MODELS = """
import asyncio, scripted
from sessionmagic import register_model
from sessionmagic.testing import Call, call, hang, paced, script, think
script("hello", ["Hello ", "**world**"])
script("slow", paced([f"word{i} " for i in range(400)], 0.01))
script("hang", ["partial answer", hang()])
script("dictated", scripted.dictated)
script("recalls", scripted.recalls)
script("prompts", scripted.lists_prompts)
script("fails", ["some words", RuntimeError("it broke")])
script("dumb", RuntimeError("it broke"));
"""

_numbers = count(1)


needs_subshells = pytest.mark.skipif(
    ipykernel.version_info < (7,), reason="this ipykernel has no subshells, so a click waits for the end of the cell"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if {"subshell", "subshells"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.threads)
            item.add_marker(needs_subshells)  # found out before a kernel is started


def ready(kernel):
    with forking():
        kernel.start()
    try:
        return loaded(kernel)
    except AssertionError:  # on a busy machine, an ipykernel 7 now and then answers nothing at all after its start
        return restarted(kernel)


def restarted(kernel):
    with forking():
        kernel.restart()
    return loaded(kernel)


def loaded(kernel):
    first = kernel.send("%load_ext sessionmagic")
    with suppress(AssertionError):  # ipykernel 7 loses a request now and then while it starts
        first.wait(LOST_SECONDS)
    kernel.forget(first)
    kernel.run("%load_ext sessionmagic").ok()
    kernel.run(MODELS).ok()
    return kernel


@pytest.fixture(scope="module")
def shared_kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    try:
        yield ready(kernel)
    finally:
        kernel.shutdown(now=True)


@pytest.fixture
def kernel(shared_kernel):
    """A kernel with the scripted models, shared by the module's tests."""
    yield shared_kernel
    shared_kernel.settle()


@pytest.fixture
def start(tmp_path):
    """Start separate kernels for this test, all with one store."""
    kernels = []

    def start(*arguments, **env):
        kernel = Kernel(tmp_path, arguments, **env)
        kernels.append(kernel)
        return ready(kernel)

    yield start
    for kernel in kernels:
        kernel.shutdown(now=True)


@pytest.fixture
def session():
    """A session's name that no other test uses."""
    return f"chat{next(_numbers)}"


@pytest.fixture
def acts(kernel):
    """Register the model `acts` with the given steps."""
    return partial(acting.acts, kernel)


@pytest.fixture
def server(kernel, tmp_path):
    """Add the MCP server `tests` from a file, and wait until it runs."""
    pytest.importorskip("fastmcp")
    file = tmp_path / "mcp.json"
    servers = {"tests": {"command": sys.executable, "args": [str(TESTS / "mcp_server.py")]}}
    file.write_text(json.dumps({"mcpServers": servers}))
    kernel.run(f"%agent tools add-mcp {file}").ok()
    comes_true(lambda: "): running" in kernel.run("%agent tools").ok().text)
    yield
    kernel.run("%agent tools remove-mcp tests").ok()


@pytest.fixture
def subshells():
    """Skip the test where the kernel has no subshells."""


class Pen:
    """Writes the answer of the model `dictated`, whose prompt is this object."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return str(self.path)

    def write(self, text):
        with self.path.open("a") as file:
            file.write(text)

    def end(self):
        self.write("\x04")


@pytest.fixture
def pen(tmp_path):
    return Pen(tmp_path / "dictation")
