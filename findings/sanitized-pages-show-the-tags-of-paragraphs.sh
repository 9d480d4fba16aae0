#!/usr/bin/env bash
# nbconvert 7.17.2: `--sanitize-html` shows paragraphs, headings and table headers of Markdown cells as text with tags.
#
# Surprising: the flag is for hostile HTML, and a notebook with nothing but a heading, a paragraph and a table comes out as
# `<h1 id="Report">Report…</h1><p>A paragraph.</p>`, in letters. Markdown is cleaned after it has been rendered, with a
# list of tags that has neither `p` nor `h1` nor `th`, and no option changes it. The preprocessor `SanitizeHTML`, which has
# such options, is another thing that the flag does not use. A good guess is that Markdown without HTML stays as it was.
#
# Source: behaviour seen; the flag turns on the filter `clean_html` of the HTML template.
# What follows here: the README says how the preprocessor is set up; tests/notebooks/test_exports.py reads it from there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nbconvert==7.17.2
cat >"$folder/report.py" <<'PYTHON'
import sys

from nbformat import v4, write

cell = v4.new_markdown_cell("# Report\n\nA paragraph.\n\n| a | b |\n|---|---|\n| 1 | 2 |")
write(v4.new_notebook(cells=[cell]), sys.argv[1])
PYTHON
"$folder/venv/bin/python" "$folder/report.py" "$folder/report.ipynb"
"$folder/venv/bin/python" -m nbconvert --log-level ERROR --to html --sanitize-html "$folder/report.ipynb"
grep -o '&lt;[a-z][a-z0-9]*' "$folder/report.html" | sort | uniq -c
grep -q '&lt;h1 id="Report"&gt;' "$folder/report.html"
grep -q '&lt;p&gt;A paragraph.&lt;/p&gt;' "$folder/report.html"
