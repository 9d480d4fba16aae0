"""An exported notebook: valid, and it runs."""

import asyncio
import os

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from sessionmagic import Cell, MemoryStore, export_session
from sessionmagic.testing import script
from tests.kernel.conftest import MODELS
from tests.kernel.kernels import TESTS
from tests.turns import ask, manager_on


@pytest.fixture
def exported(tmp_path):
    """The notebook of a session with two turns, as it is read from its file."""
    manager = manager_on(MemoryStore())
    script("hello", ["Hello ", "**world**"])

    async def talk():
        await ask(manager, "First one\nwith $`two` lines", session="my chat", model="hello", cell=Cell(id="cell-a"))
        await ask(manager, "Second", session="my chat", cell=Cell(id="not a valid id"), system='Say "no"')
        await ask(manager, "Third", session="my chat", settings={"seed": 7, "stop": ["a b"]}, system="Be brief.")

    asyncio.run(talk())
    export_session(manager.sessions.load("my chat"), tmp_path / "chat.ipynb")
    return nbformat.read(tmp_path / "chat.ipynb", as_version=4)


def test_exported_notebook_is_valid_and_keeps_ids_and_answers(exported):
    nbformat.validate(exported)
    assert [cell.id for cell in exported.cells] == ["title", "load-sessionmagic", "cell-a", "turn-2", "turn-3"]
    for cell in exported.cells[2:]:
        answer, footer = cell.outputs
        assert answer["data"]["text/plain"] == "Hello **world**"
        assert "<strong>world</strong>" in answer["data"]["text/html"]
        assert "my chat · turn" in footer["data"]["text/plain"]


def test_exported_notebook_asks_the_same_again(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    exported.cells.insert(2, new_code_cell(MODELS))
    exported.cells.append(
        new_code_cell(
            "from sessionmagic import SessionManager\n"
            "[(t.prompt, t.model, t.settings, t.system) for t in SessionManager().sessions.load('my chat').path()]"
        )
    )
    NotebookClient(exported, timeout=100, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert exported.cells[3].outputs[0]["data"]["text/plain"] == "Hello **world**"
    turns = eval(exported.cells[-1].outputs[0]["data"]["text/plain"])
    assert turns == [
        ("First one\nwith $`two` lines", "hello", {}, ""),
        ("Second", "hello", {}, ""),
        ("Third", "hello", {"seed": 7, "stop": ["a b"]}, "Be brief."),
    ]
