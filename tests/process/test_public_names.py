"""The public names in a process without a notebook."""

import subprocess
import sys

from sessionmagic import SessionManager
from sessionmagic.home import default_home


def test_public_names_need_no_notebook():
    code = """
import sys
from sessionmagic import SessionManager, Models
result = SessionManager(models=Models("test")).run_sync("Hello", session="chat")
print(result.status, sorted({"IPython", "ipywidgets"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "completed []\n", done.stderr
    assert list((default_home() / "sessions").glob("*.json"))
    assert SessionManager().sessions.summaries()[0][0].name == "chat"
