"""Real front ends, each in an environment of its own. A module of tests says which one in `ENVIRONMENT`."""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.browser.conftest import browser  # noqa: F401  a fixture
from tests.matrix.environments import OfflineError, made
from tests.notebooks.offline import forbid_network, handed_out

GO = "%%agent -m acts -s lesson\nGo."
"""A cell with a turn that calls a tool once."""
SETUP = """\
%load_ext sessionmagic
from sessionmagic.testing import call, script
script("acts", [call("run_python", code="print(6 * 7)")], ["It is **42**."]);
"""


@pytest.fixture(scope="module")
def python(request):
    """The Python of the module's environment."""
    try:
        return made(request.module.ENVIRONMENT)
    except OfflineError as error:
        pytest.skip(str(error))


@pytest.fixture
def env(python, tmp_path):
    """The variables of a process in that environment, with separate settings and sessions."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "SESSIONMAGIC_HOME")
    folders = {name: str(tmp_path / name.lower()) for name in names}
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "JPY_SESSION_NAME"}}
    return {**kept, **folders, "PATH": path}


@pytest.fixture
def written(tmp_path):
    """Write a notebook with these cells after a setup cell, and return its path."""
    import nbformat

    def write(*sources):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *sources)]
        nbformat.write(nbformat.v4.new_notebook(metadata=metadata, cells=cells), tmp_path / "lesson.ipynb")
        return tmp_path / "lesson.ipynb"

    return write


@pytest.fixture
def lesson(env, tmp_path):
    """The example notebook with a lesson, where it is executed without network."""
    forbid_network(Path(env["IPYTHONDIR"]))
    yield handed_out("lesson", tmp_path)
    assert not (tmp_path / "network-was-used").exists()


@pytest.fixture
def ran(python, env, tmp_path):
    """Run a program of the environment to its end, and return what it has printed."""

    def run(program, *arguments):
        command = [str(Path(python).parent / program), *map(str, arguments)]
        done = subprocess.run(command, env=env, cwd=tmp_path, timeout=100, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def served(python, env, tmp_path):
    """Start a module of the environment that serves HTTP, with these arguments and a port, and return its address."""
    started = []

    def serve(module, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [python, "-m", module, "--no-browser", *map(str, arguments), f"--port={port}"]
        with (tmp_path / "server.log").open("w") as log:
            started.append(subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log))
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not answers(port):
            assert started[0].poll() is None, (tmp_path / "server.log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        return address

    yield serve
    for server in started:
        server.terminate()
        server.wait(30)


def answers(port):
    """Return whether something listens."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def is_static(cell):
    """Assert that a cell has the answer of a turn whose call was denied, once and with its footer, and nothing else."""
    answer, footer = cell.outputs
    assert "nobody is available to approve the call" in answer.data["text/html"]
    assert "AgentMagics.approval" not in answer.data["text/html"]
    assert answer.data["text/plain"].count("It is **42**.") == 1
    assert "lesson · turn 1" in footer.data["text/plain"]


def is_the_lesson(notebook):
    """Assert that an executed lesson has the recorded answers, and the values that its cells make of them."""
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert "the raw data stay as they are" in outputs["tools"][0].data["text/html"]
    assert "Twelve answers to a questionnaire" in outputs["compare"][0].data["text/html"]
    assert outputs["use"][0].data["text/plain"] == "['The median is 5.5 hours.']"
    footers = [outputs[name][-1].data["text/plain"] for name in ("ask", "follow", "tools", "value", "hint", "summary")]
    assert all("replay of teacher-script" in footer for footer in footers)
