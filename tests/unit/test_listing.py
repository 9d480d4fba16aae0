"""Lists that are shown as tables."""

import re

import pytest

from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.notebook.page.listing import Listing

COLUMNS = {"name": str, "length": len}


def test_items_are_rows_under_headings_and_notes_follow():
    assert repr(Listing(["ab"], COLUMNS, ["one name"])) == "name  length\nab    2\none name"


def test_short_cells_and_drawings_are_not_broken_and_long_ones_are_not_squeezed():
    html = Listing(
        ["completed", "│ │ │ │ ├─○ 2", "long words", "long words " * 3, "long words " * 9], {"turn": str}
    )._repr_html_()
    assert 'white-space:pre">completed</td>' in html
    assert 'white-space:pre">│ │ │ │ ├─○ 2</td>' in html
    assert 'white-space:pre">long words</td>' in html
    assert 'white-space:pre-wrap;min-width:5em">long words long' in html
    assert 'white-space:pre-wrap;min-width:9em">long words long' in html


def test_long_names_may_be_broken_at_their_joints():
    html = Listing(["anthropic:claude-haiku-4-5", "a-b", "x@<y>_long_name"], {"model": str})._repr_html_()
    assert ">anthropic:<wbr>claude-<wbr>haiku-<wbr>4-<wbr>5</td>" in html
    assert ">a-b</td>" in html
    assert ">x@&lt;y&gt;_<wbr>long_<wbr>name</td>" in html


def test_a_very_long_word_without_joints_may_be_broken_anywhere():
    html = Listing(["characterization of", "x" * 21, "<" * 21, "a-" + "b" * 30], {"name": str})._repr_html_()
    assert ">characterization of</td>" in html
    assert f">{'x' * 8}<wbr>{'x' * 8}<wbr>{'x' * 5}</td>" in html
    assert f">{'&lt;' * 8}<wbr>{'&lt;' * 8}<wbr>{'&lt;' * 5}</td>" in html
    assert f">a-<wbr>{'b' * 8}<wbr>{'b' * 8}<wbr>" in html


def test_empty_list_is_its_notes_without_headings():
    shown = Listing([], COLUMNS, ["no <names>"])
    assert repr(shown) == "no <names>"
    assert "no &lt;names&gt;" in shown._repr_html_()
    assert "table" not in shown._repr_html_()


def test_empty_list_without_notes_has_its_headings():
    assert repr(Listing([], COLUMNS)) == "name  length"
    assert "<table" in Listing([], COLUMNS)._repr_html_()


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "20"],
        ["1,000,000", "at least 950", "~64"],
        ["$0.0012", "unpriced"],
        ["0.031", "< 0.001", "-1", "−2.5", "1e-07"],
        ["7", "", "–", "unknown"],
    ],
)
def test_numbers_stand_at_the_right_below_their_heading(cells):
    html = Listing(cells, {"name": lambda _: "a", "tokens": str})._repr_html_()
    assert re.findall(r"text-align:(\w+)", html) == ["left", "right"] * (len(cells) + 1)


@pytest.mark.parametrize("cells", [["1", "one"], ["3 min ago"], ["● 1"], ["50 → 16"], ["2026-11-30"], ["", "–"], []])
def test_what_is_not_all_numbers_stands_at_the_left(cells):
    html = Listing(cells, {"name": str})._repr_html_()
    assert re.findall(r"text-align:(\w+)", html) == ["left"] * (len(cells) + 1)


def test_keys_are_left_out_of_cells_and_notes():
    shown = Listing(["https://me:hunter2@host/v1", "x"], {"name": str}, ["password='hunter2'"])
    for text in (repr(shown), shown._repr_html_()):
        assert "hunter2" not in text
        assert text.count(LEFT_OUT) == 2
