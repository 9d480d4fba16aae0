#!/usr/bin/env bash
# papermill 2.7.0: a parameter that is a tuple arrives in the notebook as a string.
#
# Surprising: `execute_notebook(…, parameters={"sizes": (10, 20)})` writes `sizes = "(10, 20)"` into the notebook, and so
# does a tuple within a list or a dict. Nothing warns: a loop over the sizes goes over eight characters. JSON, where the
# parameters are recorded in the same file, has a list, so that the metadata and the cell of one notebook disagree. A good
# guess is a tuple, or a list, as in the metadata.
#
# Source: behaviour seen; the translator writes what it does not know as a string of its `str`.
# What follows here: nothing, as it is in a user's own call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet papermill==2.7.0 ipykernel==7.4.0
cat >"$folder/seen.py" <<'PYTHON'
import sys

import nbformat
import papermill
from nbformat import v4

path = f"{sys.argv[1]}/in.ipynb"
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
cells = [v4.new_code_cell("sizes = ()", metadata={"tags": ["parameters"]}), v4.new_code_cell("print(len(sizes))")]
nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
papermill.execute_notebook(path, path, parameters={"sizes": (10, 20)}, progress_bar=False)
done = nbformat.read(path, as_version=4)
injected, length = done.cells[1].source.strip().split("\n")[-1], done.cells[-1].outputs[0].text.strip()
print("the cell of parameters:", injected)
print("in the metadata:       ", done.metadata.papermill.parameters)
print("its length:            ", length)
sys.exit(0 if (injected, length) == ('sizes = "(10, 20)"', "8") else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
