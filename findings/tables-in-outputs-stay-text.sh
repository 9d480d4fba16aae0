#!/usr/bin/env bash
# myst-nb 1.4.0 with Sphinx 9.0.4: a table that code displays as Markdown is shown as text with pipes, in every format.
#
# Surprising: the same three lines are a table in a Markdown cell of the same notebook, and in JupyterLab. MyST-NB, which is
# named after a Markdown with tables and formulas, reads the Markdown of outputs as bare CommonMark, which has neither.
# `nb_render_markdown_format = "myst"` makes tables (and formulas, with the extension `dollarmath`); "gfm" makes tables
# and no formulas. Nothing warns. A good guess is that the outputs are read like the cells around them.
#
# Source: the table of options in MyST-NB's documentation has the default; behaviour seen.
# What follows here: docs/how-to/saved-answers.md says so for PDF, as HTML takes the HTML of an answer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet myst-nb==1.4.0 sphinx==9.0.4
mkdir "$folder/source"
cat >"$folder/source/conf.py" <<'PYTHON'
extensions = ["myst_nb"]
nb_execution_mode = "off"
PYTHON
cat >"$folder/write.py" <<'PYTHON'
import sys

from nbformat import v4, write

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |"
shown = v4.new_output("display_data", data={"text/markdown": TABLE, "text/plain": "a table"})
cells = [v4.new_markdown_cell(f"# Report\n\n{TABLE}"), v4.new_code_cell("table", outputs=[shown])]
write(v4.new_notebook(cells=cells), sys.argv[1])
PYTHON
"$folder/venv/bin/python" "$folder/write.py" "$folder/source/index.ipynb"
build() { "$folder/venv/bin/python" -m sphinx -q -E "${@:2}" "$folder/source" "$folder/$1" 2>"$folder/log"; }
build default
build myst -D nb_render_markdown_format=myst
default=$(grep -c "<table" "$folder/default/index.html") myst=$(grep -c "<table" "$folder/myst/index.html")
echo "tables of a Markdown cell and an output: $default, and with the format myst: $myst"
grep -A1 "| a | b |" "$folder/default/index.html"
[ "$default $myst" = "1 2" ]
