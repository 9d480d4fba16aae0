"""What a model reads of the user's values when it inspects them."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.keys.known import KNOWN
from sessionmagic.notebook.kernel import values
from sessionmagic.notebook.kernel.values import describe_safely, described, statistics
from sessionmagic.notebook.prompts import filled_in
from tests.effort import effort


@pytest.mark.parametrize("expression", ["db_password", "[db_password]"])
def test_value_of_a_variable_that_is_named_like_a_secret_is_known_once_it_is_sent(expression, monkeypatch):
    monkeypatch.setattr(KNOWN, "names", {})
    namespace = {"db_password": "open-sesame", "token": "McDonald", "password": None, "n": 3}
    assert "open-sesame" not in without_keys(filled_in(f"is $`{expression}`", namespace, raw=False).text)
    assert KNOWN.names == {"open-sesame": "the value of db_password"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"prices": [1] * 1_000}, "abbreviated"),
        ([{n: n for n in range(101)}], "abbreviated"),
        ({"table": pd.DataFrame({"n": range(100)})}, "abbreviated"),
        (np.zeros((60, 60)), "abbreviated"),
        (np.zeros((200, 60)), "100 of 200 rows, abbreviated"),
        (["and so on..."], ""),
        ([1] * 100, ""),
    ],
    ids=["list", "dict", "frame", "array", "long array", "text", "whole"],
)
def test_user_is_told_what_a_description_leaves_out(value, shown):
    assert described(value).shown == shown


def test_user_is_told_of_columns_that_are_left_out_also_when_the_rest_is_cut_too():
    told = described(pd.DataFrame({name: range(1_000) for name in ("price", "color", "size")}), 100)
    assert re.fullmatch(r"1 of 1,000 rows, 1 of 3 columns, \d+ of \d+ characters", told.shown)
    assert described(np.array(["word " * 100] * 300), 500).shown.startswith("100 of 300 rows, ")


class Lazy:
    """A frame that would have to be computed."""

    columns = ("age", "city")
    dtypes = ("Int64", "String")

    def head(self, _rows):
        return self

    def describe(self):
        raise AssertionError("computed")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([[1, 2], [3, 4]]), "min 1, max 4, mean 2.5, std 1.11803, 0 NaN"),
        (np.array([1.5, np.nan, 2.5, np.nan]), "min 1.5, max 2.5, mean 2, std 0.5, 2 NaN"),
        (np.array([True, False]), "min False, max True, mean 0.5, std 0.5, 0 NaN"),
        (np.array([1, np.inf]), "min 1.0, max inf, mean inf, std nan, 0 NaN"),
        (np.array([2**64 - 1], dtype="uint64"), "max 18446744073709551615"),
        (np.array(5.0), "min 5.0, max 5.0"),
        (np.array([np.nan]), "1 NaN"),
        (np.array([]), "0 NaN"),
    ],
)
def test_of_an_array_of_numbers_the_statistics_are_said(array, told):
    assert statistics(array).startswith("statistics: ")
    assert told in statistics(array)


@pytest.mark.parametrize(
    "value",
    [np.array([1j]), np.array([None, "x"]), np.array(["2026-01-02"], dtype="M8[D]"), np.float64(1), [1, 2], Lazy()],
    ids=["complex", "objects", "dates", "scalar", "list", "lazy"],
)
def test_what_has_no_statistics_says_none(value):
    assert statistics(value) == ""


def test_statistics_of_a_million_numbers_are_quick_and_those_of_more_are_of_the_first(monkeypatch):
    million = np.random.default_rng(0).random(1_000_000)
    assert "mean 0.5" in statistics(million)
    assert effort(lambda: statistics(million)) < 2 * effort(lambda: np.sort(million))
    monkeypatch.setattr(values, "NUMBERS_READ", 10)
    assert statistics(np.arange(20).reshape(4, 5)).startswith("statistics: of the first 10: min 0, max 9,")


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_of_many_bytes_only_the_first_are_written(kind):
    value = kind(b"\xff") * 50_000_000
    tracemalloc.start()
    try:
        text = describe_safely(value)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000
    assert text.startswith(repr(kind(b"\xff\xff"))[:-2])
    assert text.endswith("\n[cut: 49,996,000 more bytes]")
    assert len(text) < 20_000
    assert describe_safely(kind(b"few")) == repr(kind(b"few"))


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame(index=[1, 2])], ids=["empty", "no columns"])
def test_a_frame_that_cannot_be_summed_up_says_why(frame):
    assert statistics(frame) == "no statistics: ValueError: Cannot describe a DataFrame without columns"


def test_columns_of_one_name_are_shown_once_each():
    text = describe_safely(pd.DataFrame([[7, 8]], columns=["same", "same"]))
    assert text.splitlines()[-2:] == ["   same  same", "0     7     8"]


def test_of_many_columns_of_one_name_the_first_are_shown():
    text = describe_safely(pd.DataFrame(np.arange(150).reshape(1, -1), columns=["same"] * 150))
    assert text.split()[-1] == "99"


def test_a_frame_that_is_not_computed_is_described_by_its_schema():
    text = describe_safely(Lazy())
    assert text == "Lazy of 2 columns; its rows are not computed\n  age: Int64\n  city: String"
