"""How Sphinx builds the documentation: `make docs`. It needs no network, and its pages load nothing from one."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

import sessionmagic

sys.path.insert(0, str(Path(__file__).parent))

project = "sessionmagic"
author = "the authors of sessionmagic"
release = sessionmagic.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "documented"]
exclude_patterns = ["documented"]

html_theme = "furo"
html_title = f"sessionmagic {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["outputs.css"]

myst_heading_anchors = 3
smartquotes_action = "D"  # quotation marks stay as they are

# Each backtick in a docstring is a name: a link if the name has a place in the reference, code in any case.
default_role = "py:obj"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True

HERE = Path(__file__).parent
EXAMPLES = ("agents_and_models", "analysis", "compare_models", "lesson", "tools_and_approval")
_home = tempfile.TemporaryDirectory(prefix="sessionmagic-docs-")
os.environ["IPYTHONDIR"] = _home.name  # without the user's configuration


def setup(app: Sphinx) -> None:
    """Bring in the example notebooks, which Sphinx would not find outside of its folder."""
    (HERE / "examples").mkdir(exist_ok=True)
    for name in EXAMPLES:
        for path in (HERE.parent / "example_notebooks").glob(f"{name}.*"):  # some have a recording
            shutil.copy(path, HERE / "examples")
    app.connect("source-read", separate)


def separate(_app: Sphinx, page: str, _source: list[str]) -> None:
    """Give each notebook sessions of its own."""
    os.environ["SESSIONMAGIC_HOME"] = str(Path(_home.name) / page)
