#!/usr/bin/env bash
# jupyter_ydoc 4.2.1 with pycrdt 0.14.13: a notebook that passes the shared document of collaboration has 1 for 1.0.
#
# Surprising: with collaboration on, JupyterLab saves what the shared document has, and that has one kind of number. Each
# float without a fraction, in the metadata of cells and in the JSON of outputs, comes out as an integer, also those in
# lists: `[0.0, 0.5, 1.0]` is `[0, 0.5, 1]`. So a saved file differs from what the kernel sent, though nobody edited it,
# and a reader that goes by types (a schema, `isinstance`) finds other ones. A good guess is that JSON comes out as it went
# in, since even integers that JavaScript does not have do.
#
# Source: behaviour seen with a notebook that is put into a shared document and taken out.
# What follows here: nothing that a session needs is read from a notebook; the store has it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jupyter_ydoc==4.2.1 pycrdt==0.14.13 nbformat==5.11.1
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys

from jupyter_ydoc import YNotebook
from nbformat import v4

NUMBERS = {"cost": 1.0, "axis": [0.0, 0.5, 1.0], "id": 2**60 + 1}
shown = v4.new_output("display_data", data={"application/json": NUMBERS})
before = v4.new_notebook(cells=[v4.new_code_cell("show()", metadata=NUMBERS, outputs=[shown])])
shared = YNotebook()
shared.set(json.loads(json.dumps(before)))
[cell] = shared.get()["cells"]
seen = [cell["metadata"], cell["outputs"][0]["data"]["application/json"]]
print("before:              ", json.dumps(NUMBERS, sort_keys=True))
for name, numbers in zip(("after, in metadata:", "after, in an output:"), seen, strict=True):
    print(f"{name:21}", json.dumps(numbers, sort_keys=True))
integers = json.dumps({"axis": [0, 0.5, 1], "cost": 1, "id": 2**60 + 1})
sys.exit(0 if [json.dumps(numbers, sort_keys=True) for numbers in seen] == [integers] * 2 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
