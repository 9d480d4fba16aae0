#!/usr/bin/env bash
# pydantic-core 2.50.5: from_json(..., allow_partial=True) also accepts text that no continuation can make valid.
#
# Surprising: `allow_partial` is documented for text that is cut off, such as the arguments of a tool call while they
# stream. But after a complete value, or after a complete member or item, it ignores whatever follows: a second value,
# a wrong closing bracket, a missing comma. `[1,2}` is [1, 2], and `{"a":1}{"a"` is {"a": 1}. Only some faults, such as a
# missing colon, are errors. A good guess is that text is accepted only if something could be appended to complete it.
# So it cannot tell "these arguments go on" from "they have begun anew", which some servers' streams need.
#
# Source: the documentation of pydantic_core.from_json; behaviour seen with the calls below.
# What follows here: models/call_deltas checks the end of the text itself before it takes a piece for a continuation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-core==2.50.5"
cat >"$folder/seen.py" <<'PYTHON'
import sys

from pydantic_core import from_json

CASES = {
    '{"a":1': {"a": 1},  # cut off, as documented
    '{"a":1}{"a"': {"a": 1},
    '{"a":"x"{"b': {"a": "x"},
    "[1,2}": [1, 2],
    "[1 2": [1],
    '{"a":1,"b" 2': "error",
}


def read(text):
    try:
        return from_json(text, allow_partial=True)
    except ValueError:
        return "error"


seen = {text: read(text) for text in CASES}
for text, value in seen.items():
    print(f"{text:14} -> {value}")
sys.exit(0 if seen == CASES else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
