#!/usr/bin/env bash
# pyarrow 26.0.1 and polars 2.1.0: of a list of dicts, keys that the first ones lack are left out, without an error.
#
# Surprising: a log of runs is a list of dicts, and a field such as `error` is only in some. pandas makes a column of
# each key. `pyarrow.Table.from_pylist` has the keys of the first dict only, and `polars.DataFrame` those of the first
# hundred, so that later ones are missing in the table, in the Parquet file that is written of it, and in what is
# counted of it; with polars, 100 runs are right, and 101 are not. A value of another type that comes late is an error
# in both, so that one feels watched. A good guess is a column with missing values, as from pandas, or an error.
#
# Source: the parameters `schema` and `infer_schema_length` in the documentation of the two; behaviour seen.
# What follows here: frames of results are made by pandas.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1 polars==2.1.0 pandas==3.1.1
cat >"$folder/seen.py" <<'PYTHON'
import sys

import pandas
import polars
import pyarrow


def columns(rows):
    """Return the names of the columns that each library makes of the rows."""
    tables = {
        "pandas": pandas.DataFrame(rows).columns,
        "polars": polars.DataFrame(rows).columns,
        "polars, all rows": polars.DataFrame(rows, infer_schema_length=None).columns,
        "pyarrow": pyarrow.Table.from_pylist(rows).column_names,
    }
    return {name: list(names) for name, names in tables.items()}


seen = []
for later in (1, 99, 100):
    rows = [{"run": number} for number in range(later)] + [{"run": later, "error": "timeout"}]
    seen.append(columns(rows))
    print(f"an error in row {later + 1}:", ", ".join(f"{name} {names}" for name, names in seen[-1].items()))
BOTH, RUN = ["run", "error"], ["run"]
expected = [[BOTH, BOTH, BOTH, RUN]] * 2 + [[BOTH, RUN, BOTH, RUN]]
sys.exit(0 if [list(found.values()) for found in seen] == expected else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
