"""A marimo notebook: results, answers, statistics and listings are displayed, and IPython is not imported."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("marimo")

NOTEBOOK = """
import marimo

app = marimo.App()

@app.cell
def _():
    import sys
    from sessionmagic import MemoryStore, Models, Request, SessionManager
    from sessionmagic.comparing.contestants import contestants
    from sessionmagic.comparing.preferences import Preferences
    from sessionmagic.notebook.page.listing import Listing
    from sessionmagic.testing import script
    script("says", "Three *features*, <script>alert(1)</script>")
    script("other", "**No.**")
    manager = SessionManager(MemoryStore(), Models("says"))
    return Listing, Preferences, Request, contestants, manager, sys

@app.cell
async def _(manager):
    await (await manager.run("What?", session="chat")).result()
    return

@app.cell
async def _(Request, contestants, manager):
    comparison = await manager.compare(Request(prompt="Who?", session="chat"), contestants(["says", "other"]))
    await comparison.answers()
    return

@app.cell
async def _(manager):
    await manager.grid(["How?", "Why?"], models=["says", "other"], name="grid")
    return

@app.cell
def _(Preferences):
    Preferences(0, 0, 0, (), ())
    return

@app.cell
def _(Listing, manager):
    Listing(["<chat>"], {"name": str})
    return

@app.cell
def _(sys):
    "IPython" in sys.modules
    return
"""


def test_values_are_displayed_as_html_in_marimo(tmp_path):
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    exporting = [
        sys.executable,
        "-m",
        "marimo",
        "export",
        "ipynb",
        "--include-outputs",
        "notebook.py",
        "-o",
        "it.ipynb",
    ]
    subprocess.run(exporting, check=True, cwd=tmp_path, timeout=100)
    cells = [cell["outputs"] for cell in json.loads((tmp_path / "it.ipynb").read_text())["cells"]]
    *shown, imported = ["".join(map("".join, output["data"].values())) for outputs in cells for output in outputs]
    result, answers, grid, statistics, listing = shown
    assert "<p>Three <em>features</em>, &lt;script&gt;" in result
    for words in ("1. says", "<em>features</em>", "2. other", "<strong>No.</strong>"):
        assert words in answers
    assert ">answered</th>" in grid
    assert ">no votes</p>" in statistics
    assert ">&lt;chat&gt;</td>" in listing
    assert "False" in imported
