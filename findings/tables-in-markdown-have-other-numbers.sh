#!/usr/bin/env bash
# pandas 3.1.1 with tabulate 0.10.0: `to_markdown` writes the text 1.10 as 1.1, and 1234567.89 as 1.23457e+06.
#
# Surprising: a table that is put into a prompt or a report says something else than the frame. tabulate, which writes
# it, reads a column of texts as numbers if all of them can be, and writes floats with six digits. So 1.10 is before
# 1.9, and totals are rounded to tens, while integers are exact; one more version such as 2.0.1 leaves all of the column
# as it is. `to_string` and `to_csv` write what is in the frame. A good guess is that the type of the column decides,
# and that `to_markdown` has the digits of `to_string`. `to_markdown(disable_numparse=True)` writes what is there.
#
# Source: astanin/python-tabulate, issues 19 and 66; behaviour seen with the calls below.
# What follows here: notebook/kernel/frames shows a frame to the model by `to_string`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 tabulate==0.10.0
cat >"$folder/seen.py" <<'PYTHON'
import sys

import pandas

frame = pandas.DataFrame({"version": ["1.9", "1.10"], "total": [1234567.89, 250.0], "count": [1234567, 250]})
three = pandas.concat([frame, pandas.DataFrame({"version": ["2.0.1"], "total": [1.0], "count": [1]})])


def row(number, table):
    """Return the words of a row of a table in Markdown."""
    return table.splitlines()[number + 1].replace("|", " ").split()


table, unparsed = frame.to_markdown(index=False), frame.to_markdown(index=False, disable_numparse=True)
print(table, frame.to_string(index=False), sep="\n")
print("with a version 2.0.1:   ", *row(2, three.to_markdown(index=False)))
print("with disable_numparse:  ", *row(1, unparsed), "-", *row(2, unparsed))
parsed = row(1, table) == ["1.9", "1.23457e+06", "1234567"] and row(2, table)[0] == "1.1"
kept = row(2, three.to_markdown(index=False))[0] == "1.10" and row(1, unparsed)[1] == "1234567.89"
sys.exit(0 if parsed and kept and "1.10 " in frame.to_string(index=False) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
