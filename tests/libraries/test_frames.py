"""What the tables and arrays of libraries become in a prompt."""

import time

import numpy as np
import pandas as pd
import pytest

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.kernel import frames
from sessionmagic.notebook.kernel.values import described

ROWS = 1_000_000
NUMBERS = np.arange(ROWS)


def pandas_frame():
    return pd.DataFrame(
        {
            "age": NUMBERS % 90,
            "rate": np.where(NUMBERS % 7, NUMBERS / 8, np.nan),
            "city": pd.Series(["Rome", None] * (ROWS // 2), dtype=object),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(NUMBERS, unit="s"),
        }
    )


def polars_frame():
    polars = pytest.importorskip("polars")
    return polars.DataFrame(
        {
            "age": NUMBERS % 90,
            "rate": np.where(NUMBERS % 7, NUMBERS / 8, np.nan),
            "city": ["Rome", None] * (ROWS // 2),
            "at": np.datetime64("2026-01-01", "us") + NUMBERS.astype("timedelta64[s]"),
        }
    )


def pyarrow_table():
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table(
        {
            "age": NUMBERS % 90,
            "rate": np.where(NUMBERS % 7, NUMBERS / 8, np.nan),
            "city": ["Rome", None] * (ROWS // 2),
            "at": np.datetime64("2026-01-01", "us") + NUMBERS.astype("timedelta64[s]"),
        }
    )


@pytest.mark.parametrize(
    ("make", "kind", "missing"),
    [
        (pandas_frame, "DataFrame", "142,858 nulls"),
        (polars_frame, "polars DataFrame", "0 nulls, 142,858 NaN"),
        (pyarrow_table, "pyarrow Table", "0 nulls, 142,858 NaN"),
    ],
)
def test_table_of_a_million_rows_is_its_schema_nulls_ranges_and_head_in_less_than_a_second(make, kind, missing):
    table = make()
    described(table.head(1) if hasattr(table, "head") else table.slice(0, 1))  # imports what it needs
    began = time.process_time()
    text, shown = described(table)
    assert time.process_time() - began < 1
    size, age, rate, city, at, first, *head = text.splitlines()
    assert size == f"{kind} of 1,000,000 rows and 4 columns"
    assert age == "  age: int64, 0 nulls, 0 – 89" if kind != "polars DataFrame" else "  age: Int64, 0 nulls, 0 – 89"
    assert rate.endswith(f", {missing}, 0.125 – 124999.75")
    assert city.endswith(", 500,000 nulls")
    assert at.endswith(", 0 nulls, 2026-01-01 00:00:00 – 2026-01-12 13:46:39")
    assert first == "first 5 rows:"
    assert len(head) == 6
    assert "Rome" in head[1]
    assert shown == "5 of 1,000,000 rows"


@pytest.mark.parametrize("make", [pandas_frame, polars_frame, pyarrow_table])
def test_few_rows_are_sent_whole(make):
    table = make()
    part = table.head(30) if hasattr(table, "head") else table.slice(0, 30)
    text, shown = described(part)
    assert "all 30 rows:" in text
    assert len(text.splitlines()) == 6 + 31
    assert shown == ""


@pytest.mark.parametrize("limit", [300, 1_000, 5_000])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_wide_table_has_as_many_columns_and_rows_as_fit(library, limit):
    frame = pd.DataFrame(np.zeros((60, 150)), columns=[f"column{number}" for number in range(150)])
    if library == "polars":
        frame = pytest.importorskip("polars").DataFrame({name: frame[name].to_numpy() for name in frame})
    if library == "pyarrow":
        frame = pytest.importorskip("pyarrow").table({name: frame[name].to_numpy() for name in frame})
    text, shown = described(frame, limit)
    assert limit / 4 < len(text) <= limit
    assert " more columns]" in text
    assert " of 150 columns" in shown


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_long_cells_are_cut_without_half_of_a_key_and_it_is_said(library):
    key = "x" * 80 + " password='hunter2-hunter2-hunter2' " + "y" * 50
    frame = {"text": [key]}
    frame = (
        pd.DataFrame(frame)
        if library == "pandas"
        else pytest.importorskip(library).table(frame)
        if library == "pyarrow"
        else pytest.importorskip(library).DataFrame(frame)
    )
    text, shown = described(frame)
    assert "hunter2" not in without_keys(text)
    assert "all 1 row, their cells cut to 100 characters:" in text
    assert shown == "long cells cut"


def test_nulls_and_ranges_of_a_very_large_table_are_of_its_first_rows(monkeypatch):
    monkeypatch.setattr(frames, "CELLS_READ", 100)
    text = described(pd.DataFrame({"x": range(1_000), "y": range(1_000)})).text
    assert "  x: int64, 0 nulls, 0 – 49" in text
    assert "nulls and ranges are of the first 50 rows" in text


@pytest.mark.parametrize(
    ("column", "facts"),
    [
        (pd.array([1, None, 3], dtype="Int64"), "x: Int64, 1 null, 1 – 3"),
        (pd.array([None, None], dtype="Int64"), "x: Int64, 2 nulls"),
        ([float("nan")], "x: float64, 1 null"),
        ([True, False], "x: bool, 0 nulls, False – True"),
        ([1j], "x: complex128, 0 nulls"),
        (pd.to_datetime(["2026-01-02", None]), "1 null, 2026-01-02 00:00:00 – 2026-01-02 00:00:00"),
        (pd.Categorical(["a", None]), "x: category, 1 null"),
        ([[1], {}], "x: object, 0 nulls"),
        (np.array([], dtype="float64"), "x: float64, 0 nulls"),
    ],
    ids=str,
)
def test_columns_of_any_type_have_nulls_and_those_with_an_order_a_range(column, facts):
    assert f"{facts}\n" in f"{described(pd.DataFrame({'x': column})).text}\n"


def test_series_is_described_as_its_column():
    text = described(pd.Series([1, 2], name="age", index=["a", "b"])).text
    assert text == "Series of 2 rows and 1 column\n  age: int64, 0 nulls, 1 – 2\nall 2 rows:\n   age\na    1\nb    2"


def test_columns_of_other_libraries_are_described_as_tables():
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    assert described(polars.Series("age", [1, None])).text == (
        "polars Series of 2 rows and 1 column\n  age: Int64, 1 null, 1 – 1\nall 2 rows:\nage\n1\nnull"
    )
    for array in (pyarrow.array([1, 2]), pyarrow.chunked_array([[1], [2]])):
        text = described(array).text
        assert text.startswith(
            f"pyarrow {type(array).__name__} of 2 rows and 1 column\n  values: int64, 0 nulls, 1 – 2"
        )


def test_lazy_frame_is_its_schema():
    polars = pytest.importorskip("polars")
    text = described(polars.LazyFrame({"age": [1], "city": ["Rome"]})).text
    assert text == "LazyFrame of 2 columns; its rows are not computed\n  age: Int64\n  city: String"


def test_dataset_has_the_ranges_of_its_arrays():
    xarray = pytest.importorskip("xarray")
    dataset = xarray.Dataset({"t": ("x", [1.0, np.nan, 3.0]), "name": ("x", ["a", "b", "c"])})
    text = described(dataset).text
    assert "Dimensions:  (x: 3)" in text
    assert text.splitlines()[-1] == "t: min 1.0, max 3.0, mean 2, std 1, 1 NaN"
    assert "t: min 1.0, max 3.0" in described(dataset.t).text


def test_user_is_told_that_xarray_abbreviates():
    xarray = pytest.importorskip("xarray")
    assert described(xarray.DataArray(np.zeros(2_000))).shown == "abbreviated"
    assert described(xarray.DataArray(np.zeros(2))).shown == ""


def test_array_has_its_range():
    text = described(np.array([[1.0, np.nan], [3.0, 4.0]])).text
    assert text.startswith("ndarray of shape (2, 2) and type float64\n")
    assert text.splitlines()[-1] == "statistics: min 1.0, max 4.0, mean 2.66667, std 1.24722, 1 NaN"


def test_value_of_a_class_that_is_derived_from_a_frame_is_a_frame():
    class Mine(pd.DataFrame):
        """A frame, as geopandas has one."""

    assert described(Mine({"x": [1]})).text.startswith("Mine of 1 row and 1 column")


def test_no_library_is_imported_for_a_value_of_another():
    import subprocess
    import sys

    code = (
        "import sys\nfrom sessionmagic.notebook.kernel.values import described\n"
        "for value in (1, 'x', [1], {}, object()): described(value)\n"
        "print({'pandas', 'polars', 'pyarrow', 'xarray', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
