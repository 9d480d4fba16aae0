"""What nbconvert makes of saved answers: HTML from the HTML, and Markdown and LaTeX from the Markdown."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from sessionmagic.conversation.transcript import TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.static import answer_outputs

nbconvert = pytest.importorskip("nbconvert")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "saved-answers.md"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
ANSWER = "Three *features*, $a^2$:\n\n- `cancel_date`\n- <script>alert(1)</script>\n\n![pixel](http://evil.test/p.png)"


@pytest.fixture(scope="module")
def notebook():
    """A notebook with a saved turn that has made a figure."""
    blocks = (TextBlock("Let me plot."), ToolBlock("a", "run_python", {}, "success", "", 0.1), TextBlock(ANSWER))
    turn = Transcript(session="chat", turn_id="1", model="test:test", blocks=blocks, status="completed")
    outputs = answer_outputs(turn, lambda _: {"a": [Output({"image/png": PNG})]})
    cell = new_code_cell("%%agent\nWhat leaks?")
    cell.outputs = [
        new_output("display_data", data=dict(output.data), metadata=dict(output.metadata)) for output in outputs
    ]
    return new_notebook(cells=[cell])


def positions(page, *words):
    assert [page.count(each) for each in words] == [1] * len(words), page
    return [page.index(each) for each in words]


def test_html_export_shows_the_html_once_and_the_figure_beside_its_call(notebook):
    page, _ = nbconvert.HTMLExporter(template_name="classic").from_notebook_node(notebook)
    places = positions(page, "Let me plot.", "✓ run_python", PNG, "<em>features</em>", "chat · turn 1")
    assert places == sorted(places)
    assert "<script>alert" not in page
    assert 'src="http://evil.test' not in page


@pytest.mark.parametrize("first", [["text/markdown", "text/html", "image/png", "text/plain"], None])
def test_markdown_export_shows_everything_once_and_nothing_that_runs(notebook, first):
    exporter = nbconvert.MarkdownExporter()
    if first:  # as in a builder of documents that prefers Markdown
        exporter.config.NbConvertBase.display_data_priority = first
        exporter = nbconvert.MarkdownExporter(config=exporter.config)
    page, resources = exporter.from_notebook_node(notebook)
    [figure] = resources["outputs"]
    places = positions(page, "Let me plot.", figure, "features", "chat · turn 1")
    assert places == sorted(places)
    assert "<script>alert" not in page
    assert "![pixel]" not in page
    assert ("*features*" in page) is bool(first)


def test_markdown_of_an_answer_is_safe_as_nbconvert_renders_it(notebook):
    from nbconvert.filters import markdown2html

    texts = [output.data["text/markdown"] for output in notebook.cells[0].outputs if "text/markdown" in output.data]
    html = "".join(map(markdown2html, texts))
    assert "<em>features</em>" in html
    assert "<script" not in html
    assert "<img" not in html


def test_page_that_nbconvert_sanitizes_is_readable_with_the_options_of_the_documentation(notebook, tmp_path):
    from traitlets.config import Config, PyFileConfigLoader

    strict = Config({"HTMLExporter": {"sanitize_html": True}})
    strict.NbConvertBase.display_data_priority = ["image/png", "text/plain"]
    [lines] = [code.split("```")[0] for code in PAGE.read_text().split("```python\n") if "SanitizeHTML" in code]
    (tmp_path / "config.py").write_text(lines)
    formed = PyFileConfigLoader("config.py", tmp_path).load_config()
    for config, words in [(strict, "- `cancel_date`"), (formed, "<code>cancel_date</code>")]:
        page, _ = nbconvert.HTMLExporter(config=config, template_name="classic").from_notebook_node(notebook)
        places = positions(page, "Let me plot.", PNG, words, "chat · turn 1")
        assert places == sorted(places)
        assert "&lt;script&gt;alert(1)" in page  # as the model wrote it
        assert "<script>alert" not in page
        assert page.count("&lt;") == 2, page
    assert "<details>" in page
