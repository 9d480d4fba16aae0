"""Notebooks that are executed without network and keys, as a student gets them: with the recording beside them."""

import os
import shutil
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[2] / "example_notebooks"
NO_NETWORK = """
import socket

def refused(*_arguments, **_options):
    open("network-was-used", "w").close()
    raise OSError("this test allows no network")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refused)
socket.getaddrinfo = socket.create_connection = refused
"""


def handed_out(name, folder):
    """Copy a notebook and its recording into a folder, as a student gets them, and return the notebook's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".ipynb", ".jsonl"):
        shutil.copy(EXAMPLES / f"{name}{suffix}", folder)
    return folder / f"{name}.ipynb"


def forbid_network(ipython):
    """Let kernels refuse to use the network. They write a file where they run if something tries.

    Args:
        ipython: The folder of IPython's configuration.
    """
    startup = ipython / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "no_network.py").write_text(NO_NETWORK)


def environment(folder):
    """Return the variables for a process without keys, whose kernels use no network and begin without sessions."""
    forbid_network(folder / "ipython")
    keys = ("_API_KEY", "_TOKEN", "_BASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.endswith(keys) and name != "JPY_SESSION_NAME"}
    return kept | {"SESSIONMAGIC_HOME": str(folder / "store"), "IPYTHONDIR": str(folder / "ipython")}


def executed(name, folder, **replaced):
    """Return a notebook that was executed offline.

    Args:
        name: The name of the notebook.
        folder: Where it runs.
        replaced: What to run in place of the cells with these ids.
    """
    notebook = nbformat.read(handed_out(name, folder), as_version=4)
    for cell in notebook.cells:
        cell.source = replaced.get(cell.id, cell.source)
    # ipykernel sends what is printed when its time has come, so a page joins the pieces.
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=100, resources=resources, coalesce_streams=True)
    client.create_kernel_manager()
    client.execute(env=environment(folder))
    return notebook


def outputs_of(notebook):
    """Return the outputs of an executed notebook's code cells, by the ids of the cells."""
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
