"""Turns in large type, for a presentation: what is muted elsewhere is legible from the last row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.notebook.page.in_view import HEAD

if TYPE_CHECKING:
    from sessionmagic.notebook.output import Output

LEGIBLE = "--jp-ui-font-color2:var(--jp-ui-font-color1, #333)"
TABLES = "--jp-ui-font-size1:1em"
"""JupyterLab gives tables the size of its menus."""
STYLE = f"""<style>
.jupyter-widgets:has(> .{HEAD}) {{ {LEGIBLE}; {TABLES}; --jp-content-font-size1: 20px; --jp-widgets-font-size: 18px;
  --jp-widgets-inline-height: 36px }}
</style>"""
"""Makes the area of a running turn large."""
QUESTION = """<span class="sessionmagic-asks-large"></span><style>
.jp-OutputArea:has(.sessionmagic-asks-large) :is(.jp-RenderedText, .jp-Stdin) :is(pre, input) { font-size: 18px }
</style>"""
"""Makes large what asks the user below an output, at an input prompt."""


def enlarged(output: Output) -> Output:
    """Return an output whose HTML is larger. It stays so in the saved notebook."""
    if "text/html" not in output.data:
        return output
    html = f'<div style="font-size:130%;{LEGIBLE};{TABLES}">{output.data["text/html"]}</div>'
    return replace(output, data={**output.data, "text/html": html})
