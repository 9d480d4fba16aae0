"""Programs that make documents: each executes the lesson from its recording, without network, and shows all of it."""

import os
import shutil
from pathlib import Path

import pytest

from tests.notebooks.built import shows_the_lesson

pytestmark = pytest.mark.nightly  # the environment, which has pandoc, takes a minute
ENVIRONMENT = "builders"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "saved-answers.md"


@pytest.fixture
def env(env):
    """The variables, with pandoc on the path."""
    [pandoc] = (Path(env["PATH"].split(os.pathsep)[0]).parent / "lib").glob("*/site-packages/pypandoc/files")
    return env | {"PATH": os.pathsep.join([env["PATH"], str(pandoc)])}


@pytest.fixture
def sphinx(ran, lesson, tmp_path):
    """Build the lesson as the only page of a site, and return its HTML."""

    def build(*configuration):
        (tmp_path / "conf.py").write_text("\n".join(configuration))
        shutil.copy(lesson, tmp_path / "index.ipynb")
        lesson.unlink()
        ran("sphinx-build", "--fail-on-warning", "--quiet", ".", "site")
        return (tmp_path / "site" / "index.html").read_text()

    return build


def test_nbconvert_makes_latex_of_the_markdown(ran, lesson):
    ran("jupyter", "nbconvert", "--execute", "--to", "latex", lesson)
    page = lesson.with_suffix(".tex").read_text()
    shows_the_lesson(page)
    assert page.count(r"\begin{longtable}") == 4
    assert r"\[\bar{x}" in page  # the formula is not escaped
    assert "<table" not in page


def test_myst_nb_shows_the_lesson_and_loads_what_typesets_its_formulas(sphinx):
    [lines] = [code.split("```")[0] for code in PAGE.read_text().split("```python\n") if "assets_policy" in code]
    page = sphinx(
        "extensions = ['myst_nb']", "nb_execution_mode = 'force'", "nb_execution_raise_on_error = True", lines
    )
    shows_the_lesson(page)
    assert '"inlineMath": [["$", "$"]' in page
    assert "mathjax" in page[: page.index("</head>")]


def test_nbsphinx_shows_the_lesson_and_typesets_its_formulas(sphinx):
    page = sphinx("extensions = ['nbsphinx']", "nbsphinx_execute = 'always'")
    shows_the_lesson(page)
    assert "mathjax" in page[: page.index("</head>")]
