"""Real front ends, each in an environment of its own. A module of tests says which one in `ENVIRONMENT`."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import browser  # noqa: F401  a fixture
from tests.matrix.environments import OfflineError, made

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
