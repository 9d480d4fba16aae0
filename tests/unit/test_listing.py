"""Lists that are shown as tables."""

from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.notebook.page.listing import Listing

COLUMNS = {"name": str, "length": len}


def test_items_are_rows_under_headings_and_notes_follow():
    assert repr(Listing(["ab"], COLUMNS, ["one name"])) == "name  length\nab    2\none name"


def test_short_cells_are_not_broken_and_long_ones_are_not_squeezed():
    html = Listing(["├─○ 2", "long words " * 5], {"turn": str})._repr_html_()
    assert 'white-space:pre">├─○ 2</td>' in html
    assert 'white-space:pre-wrap;min-width:14em">long words' in html


def test_empty_list_is_its_notes_without_headings():
    shown = Listing([], COLUMNS, ["no <names>"])
    assert repr(shown) == "no <names>"
    assert "no &lt;names&gt;" in shown._repr_html_()
    assert "table" not in shown._repr_html_()


def test_empty_list_without_notes_has_its_headings():
    assert repr(Listing([], COLUMNS)) == "name  length"
    assert "<table" in Listing([], COLUMNS)._repr_html_()


def test_keys_are_left_out_of_cells_and_notes():
    shown = Listing(["https://me:hunter2@host/v1", "x"], {"name": str}, ["password='hunter2'"])
    for text in (repr(shown), shown._repr_html_()):
        assert "hunter2" not in text
        assert text.count(LEFT_OUT) == 2
