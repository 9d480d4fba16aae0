#!/usr/bin/env bash
# rich 15.0.0 with ipykernel 7.4.0: in a kernel, `Console(file=…)` writes nothing into its file.
#
# Surprising: in a kernel, each console of rich shows what it prints as an output of the cell, also one that was made
# for a file or for stderr, and so does the console of a RichHandler. So a notebook run by papermill leaves an empty
# log, where the same code leaves a full one as a program. `redirect_stdout` around code that prints with rich gets an
# empty string, which matters to whoever captures what a tool prints. A good guess is that a file which is given is
# used, and that only stdout is looked at for Jupyter. `Console(file=…, force_jupyter=False)` writes.
#
# Source: Textualize/rich, issue 3083, where the maintainer names `force_jupyter`; behaviour seen in a kernel.
# What follows here: notebook/kernel takes the displays of code that a model runs together with what it prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rich==15.0.0 ipykernel==7.4.0 nbclient==0.11.0
cat >"$folder/printed.py" <<'PYTHON'
import io
import logging
from contextlib import redirect_stdout

import rich
from rich.console import Console
from rich.logging import RichHandler


def printed():
    """Return how many lines came where they were sent."""
    report, log, forced, caught = io.StringIO(), io.StringIO(), io.StringIO(), io.StringIO()
    Console(file=report).print("a line")
    logger = logging.getLogger("printed")
    logger.addHandler(RichHandler(console=Console(file=log)))
    logger.warning("a line")
    Console(file=forced, force_jupyter=False).print("a line")
    with redirect_stdout(caught):
        rich.print("a line")
    return [each.getvalue().count("a line") for each in (report, log, forced, caught)]
PYTHON
cat >"$folder/seen.py" <<'PYTHON'
import sys

from nbclient import NotebookClient
from nbformat import v4
from printed import printed

cell = v4.new_code_cell("from printed import printed\nprint(*printed())")
notebook = v4.new_notebook(cells=[cell])
NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": sys.path[0]}}).execute()
in_program = printed()
[stream] = [output for output in cell.outputs if output.output_type == "stream"]
in_kernel = [int(count) for count in stream.text.split()]
displays = sum(output.output_type == "display_data" for output in cell.outputs)
for place, counts in (("program", in_program), ("kernel", in_kernel)):
    print(f"in a {place}:", dict(zip(("file", "log", "file, forced", "redirected"), counts, strict=True)))
print("displays of the cell:", displays)
sys.exit(0 if (in_program, in_kernel, displays) == ([1, 1, 1, 1], [0, 0, 1, 0], 3) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
