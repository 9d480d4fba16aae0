#!/usr/bin/env bash
# scipy 1.17.1: Wilcoxon's test of the same scores finds a difference when they go from 0 to 1, and none from 0 to 10.
#
# Surprising: a test by ranks should not see the scale. But it ranks differences, and `0.9 - 0.7` is not `0.8 - 0.6` in
# binary, so differences that are the same on paper get different ranks, by the noise of the last bit. With twelve pairs
# of grades in tenths, p is 0.04 as tenths and 0.10 as whole numbers, both exact and without a warning. Any two models that
# are compared by grades of a rubric have such ties. Whoever knows that floats are noisy expects an error in the
# sixteenth digit of p; a good guess is one p-value.
#
# Source: the notes to `scipy.stats.wilcoxon` say that rounding errors can break ties; behaviour seen.
# What follows here: comparing/ uses means and intervals, and no ranks of differences.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1
cat >"$folder/seen.py" <<'PYTHON'
import sys
import warnings

import numpy as np
from scipy.stats import wilcoxon

warnings.simplefilter("error")
one = np.array([8, 4, 4, 6, 7, 9, 9, 8, 4, 5, 4, 8])
other = np.array([7, 2, 2, 5, 5, 10, 10, 7, 2, 4, 5, 9])
whole, tenths = wilcoxon(one, other).pvalue, wilcoxon(one / 10, other / 10).pvalue
rounded = wilcoxon(np.round(one / 10 - other / 10, 9)).pvalue
print(f"p of grades from 0 to 10: {whole:.3f}, from 0 to 1: {tenths:.3f}, of rounded differences: {rounded:.3f}")
print("sizes of the differences:", *sorted(set(np.abs(one / 10 - other / 10).tolist())))
sys.exit(0 if tenths < 0.05 < whole == rounded else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
