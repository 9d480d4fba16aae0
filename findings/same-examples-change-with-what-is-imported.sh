#!/usr/bin/env bash
# hypothesis 6.170.17: `derandomize=True` tries other examples once another module of yours has been imported.
#
# Surprising: the setting promises the same examples in each run. But Hypothesis also collects the constants in the source
# of all local modules that are imported, and tries them as values. So which examples a test tries depends on what other
# tests have imported before it: alone it passes, and beside others, or in another worker of pytest-xdist, it fails at a
# value that it never tries alone. A good guess is that only the test and its strategies decide.
#
# Source: behaviour seen; Hypothesis' release notes speak of the constants that are collected from local modules.
# What follows here: the example that failed stands in the test as an explicit one (tests/unit/test_call_deltas.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hypothesis==6.170.17
cat >"$folder/tried.py" <<'PYTHON'
from hypothesis import given, settings, strategies

seen = []


@settings(max_examples=100, derandomize=True, database=None)
@given(strategies.integers(0, 10**9))
def test(number):
    seen.append(number)
PYTHON
echo 'DAY = 86_399_999' >"$folder/other.py"
cat >"$folder/run.py" <<'PYTHON'
import sys
from importlib import import_module

for name in sys.argv[1:]:
    import_module(name)
import tried

tried.test()
print(int("86" + "399999") in tried.seen)
PYTHON
cd "$folder"
alone=$(venv/bin/python run.py) again=$(venv/bin/python run.py) beside=$(venv/bin/python run.py other)
echo "the constant of another module is tried: alone $alone, again $again, after its import $beside"
[ "$alone $again $beside" = "False False True" ]
