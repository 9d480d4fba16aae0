#!/usr/bin/env bash
# orjson 3.13.0: an integer of more than 64 bits is read as a rounded float, and refused when it is written.
#
# Surprising: `orjson.loads` takes `18446744073709551617` and returns `1.8446744073709552e+19` without a word, while
# `orjson.dumps` of that integer raises. So data that passes through a program with orjson arrives with the last digits of
# an id lost, and as a float, and the same program cannot send on what `json` has read. A good guess is that both sides
# refuse such an integer, or that both take it, as `json` does.
#
# Source: behaviour seen; the README says only which integers are written.
# What follows here: json_bytes without orjson reads them in the same way, so that a session is the same in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet orjson==3.13.0
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys

import orjson

text = "[18446744073709551615, 18446744073709551617, -9223372036854775809]"
by_orjson, by_json = orjson.loads(text), json.loads(text)
print("orjson reads:", by_orjson)
print("json reads:  ", by_json)
try:
    written = orjson.dumps(by_json)
except TypeError as error:
    written = None
    print("orjson writes what json has read:", error)
exact = [mine == theirs for mine, theirs in zip(by_orjson, by_json, strict=True)]
sys.exit(0 if exact == [True, False, False] and written is None else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
