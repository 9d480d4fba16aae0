#!/usr/bin/env bash
# statsmodels 0.15.0: McNemar's test finds that two models which have answered all questions alike differ, with p = 0.
#
# Surprising: two models agree on each of 100 questions, so the test has nothing to go by. `mcnemar(table, exact=False)`
# then returns p = 0, the strongest evidence of a difference that there is, as the correction for continuity makes 1/0
# of 0/0. With one question on which they differ, p is 1. `correction=False` gives NaN, and `exact=True` gives 1. All
# that tells of it is a RuntimeWarning of a division. A good guess is p = 1, as of the exact test, or NaN.
#
# Source: `mcnemar` in statsmodels/stats/contingency_tables.py; behaviour seen with the calls below.
# What follows here: comparing/intervals always takes the exact test.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "statsmodels==0.15.0" "scipy==1.17.1"
cat >"$folder/seen.py" <<'PYTHON'
import sys
import warnings

from statsmodels.stats.contingency_tables import mcnemar

WAYS = {"approximate": {"exact": False}, "uncorrected": {"exact": False, "correction": False}, "exact": {"exact": True}}
TABLES = {0: [[90, 0], [0, 10]], 1: [[89, 1], [0, 10]], 12: [[78, 10], [2, 10]]}
seen = {}
for differing, table in TABLES.items():
    for name, way in WAYS.items():
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            seen[differing, name] = float(mcnemar(table, **way).pvalue)
        warnings_seen = [str(each.message) for each in warned]
        print(f"{differing:2} questions differ, {name + ':':12} p = {seen[differing, name]:.2f}", *warnings_seen)
expected = seen[0, "approximate"] == 0 and seen[0, "exact"] == 1
sys.exit(0 if expected and seen[1, "approximate"] == 1 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
