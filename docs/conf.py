"""How Sphinx builds the documentation: `make docs`. It needs no network, and its pages load nothing from one."""

import os
import sys
import tempfile
from pathlib import Path

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

myst_heading_anchors = 3
smartquotes = False  # -- and quotation marks are code here

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
_home = tempfile.TemporaryDirectory(prefix="sessionmagic-docs-")  # without the user's sessions and configuration
os.environ["SESSIONMAGIC_HOME"] = os.environ["IPYTHONDIR"] = _home.name
