"""The lines of a cell that a correction changes."""

from sessionmagic.notebook.page.code_difference import changed_lines, changed_lines_html


def test_equal_cells_do_not_differ():
    assert changed_lines("a = 1\nb = 2", "a = 1\nb = 2") == []


def test_changed_lines_stand_with_signs_between_their_neighbours():
    lines = changed_lines("a = 1\nb = 2\nc = 3", "a = 1\nb = 4\nc = 3")
    assert lines == [" a = 1", "-b = 2", "+b = 4", " c = 3"]


def test_equal_lines_far_from_changed_ones_are_left_out():
    before = [f"x{n} = 0" for n in range(20)]
    after = ["first = 1", *before[1:-1], "last = 1"]
    lines = changed_lines("\n".join(before), "\n".join(after))
    assert lines[:6] == ["-x0 = 0", "+first = 1", " x1 = 0", " x2 = 0", " x3 = 0", "…"]
    assert lines[-2:] == ["-x19 = 0", "+last = 1"]
    assert len(lines) == 11


def test_markup_in_code_is_text_on_the_page():
    html = changed_lines_html(changed_lines("a = 1", "a = '<script>'\u202e"))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "⟨U+202E⟩" in html
