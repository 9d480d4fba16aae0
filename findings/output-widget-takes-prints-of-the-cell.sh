#!/usr/bin/env bash
# ipywidgets 8.1.9 with nbclient 0.11.0: `with out:` on a thread also takes what the running cell prints meanwhile.
#
# Surprising: while a thread is within `with out:`, where `out` is an Output widget, the cell's own prints go into the
# widget, too, and leave the cell. The widget does not redirect a stream. It asks for all output with the same parent
# message, and cell and thread have the same one; whoever saves the notebook without the widgets has lost what the cell
# said. A page does the same. A good guess is that a context manager on a thread concerns what that thread does.
#
# Source: behaviour seen; the documentation of the Output widget speaks of threads, and not of what the cell prints.
# What follows here: turns write into widgets of their own (notebook/page), never into an Output widget.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ipywidgets==8.1.9 nbclient==0.11.0 ipykernel==7.4.0
cat >"$folder/seen.py" <<'PYTHON'
import sys

from nbclient import NotebookClient
from nbformat import v4

BOTH = """
from threading import Event, Thread
from ipywidgets import Output

out, entered, printed = Output(), Event(), Event()

def work():
    with out:
        entered.set()
        printed.wait()
        print("by the thread")

thread = Thread(target=work)
thread.start()
entered.wait()
print("by the cell")
printed.set()
thread.join()
print("by the cell, later")
"""
notebook = v4.new_notebook(cells=[v4.new_code_cell(BOTH), v4.new_code_cell("print(out.outputs[0]['text'])")])
NotebookClient(notebook, kernel_name="python3").execute()
in_cell, in_widget = ([line for o in cell.outputs for line in o.text.split("\n") if line] for cell in notebook.cells)
print("in the cell:  ", in_cell)
print("in the widget:", in_widget)
sys.exit(0 if in_cell == ["by the cell, later"] and in_widget == ["by the cell", "by the thread"] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
