"""A notebook with hostile answers that nbconvert has written as Markdown: only what the user wrote is Markdown."""

import os

import pytest
from markdown_it import MarkdownIt
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.kernel.kernels import TESTS

nbconvert = pytest.importorskip("nbconvert")

HOSTILE = "code:\n\n```\na\n\n![x](http://evil.test/x.png)\n \t\n# title\r\n\r\n- b\n```\n\n    c\n\n\n    [d](http://e.test)\n"
SETUP = f"""
from sessionmagic.testing import call, script, think
hostile = {HOSTILE!r}
def look(code: str) -> str:
    return code
script("says", [think(hostile), hostile])
script("looks", call("look", code=hostile), hostile + "and more")
script("fails", [hostile, RuntimeError(hostile)])
script("votes", '{{"better": 1}}')
"""
CELLS = [
    "%%agent -m says -s chat\n$`hostile` and $`hostile.upper()`",
    "%%agent -m looks -s chat -t look --yes\nLook.",
    "_agent",
    "%%agent -s typed --type list[str] -m test\nA list.",
    "%%agent -s compared --compare says looks fails\nWho?",
    "%agent show chat",
    "%agent show chat --sent",
    "%agent diff chat@1 chat@2",
    "%agent search title",
    "%agent compact --session chat",
    "results = %agent compare --prompts [hostile] --models says looks --name grid",
    "results",
    *(
        f"%agent {listing}"
        for listing in (
            "sessions", "branches chat", "usage", "models", "tools", "permissions", "context chat", "set",
            "config", "reveal --session compared", "vote 1 --session compared",
        )
    ),
    "%%agent -m fails -s chat\nFail.",
]  # fmt: skip


def test_nothing_that_a_model_wrote_is_markdown_after_the_export(tmp_path, monkeypatch):
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    sources = ["%load_ext sessionmagic", SETUP, *CELLS]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=100, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    failed = [cell.source for cell in notebook.cells for output in cell.outputs if output.output_type == "error"]
    assert failed == CELLS[-1:]
    assert str(notebook).count("evil.test") > 30
    page, _ = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(page)
    assert {token.type for token in tokens} == {"fence", "code_block", "html_block"}
    assert [token.content for token in tokens if token.type == "fence"] == [f"{source}\n" for source in sources]
