"""What the user's values become in a prompt and beside it."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path, PurePath
from urllib import parse

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.exceptions import PromptError
from sessionmagic.notebook.kernel.values import DESCRIBED
from sessionmagic.notebook.prompts import attach, filled_in, filled_message
from sessionmagic.words import counted
from tests.effort import effort


def interpolate(prompt, namespace, **options):
    return filled_in(prompt, namespace, raw=False, **options).text


class Stubborn:
    def __repr__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "prompt",
    [
        'a dict {"x": {y}} and {undefined} and {{}} and {',
        "$x ${x} $(x) `x` $ `x` $`` $`x\n` \\$ %s %(x)s",
        "f'{x!r}' \\n \\t {% x %} {{ x }} <x> 🦊\ttab\r\n  indented\n",
        "costs $5`",
        "a formula $`x^2`$, one more $`x`$$`x`$ and $`\\frac{x}{2}`$.",
        "",
    ],
)
def test_every_other_character_is_sent_untouched(prompt):
    assert interpolate(prompt, {"x": 1}) == prompt


@given(st.text().filter(lambda text: "$`" not in text))
def test_text_without_the_mark_is_never_changed(text):
    assert interpolate(text, {}) == text


@given(st.text(), st.text(max_size=20), st.text())
def test_value_takes_the_place_of_its_expression_only(before, value, after):
    before, after = before.replace("`", "'"), after.replace("`", "'").lstrip("$")
    assert interpolate(f"{before}$`value`{after}", {"value": value}) == before + value + after


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("name", "Ada {x} $`name`"),
        ("numbers", "[1, 2, 3]"),
        ("numbers[0] + 1", "2"),
        ("{'a': 1}['a']", "1"),
        ("[n * factor for n in numbers]", "[2, 4, 6]"),
        ("len(name) > 3", "True"),
        ("None", "None"),
        ("' spaced '", " spaced "),
    ],
)
def test_expression_is_evaluated_in_the_users_namespace(expression, text):
    namespace = {"name": "Ada {x} $`name`", "numbers": [1, 2, 3], "factor": 2}
    before = dict(namespace)
    assert interpolate(f"<$`{expression}`>", namespace) == f"<{text}>"
    assert namespace == before


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("nothing", "name 'nothing' is not defined"),
        ("1 / 0", "ZeroDivisionError"),
        ("x.nothing", "AttributeError"),
        ("x = 2", "SyntaxError"),
        ("for", "SyntaxError"),
        ("stubborn", "RuntimeError: no words"),
        ("[stubborn]", "RuntimeError: no words"),
        (" ", "SyntaxError"),
    ],
)
def test_expression_without_a_value_is_one_line_that_names_it(expression, words):
    with pytest.raises(PromptError) as caught:
        interpolate(f"Say $`{expression}`", {"x": 1, "stubborn": Stubborn()})
    assert f"$`{expression}`" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_error_with_many_lines_is_shown_on_one():
    def fail():
        raise ValueError("one\ntwo\n" + "x" * 10_000)

    with pytest.raises(PromptError) as caught:
        interpolate("$`fail()`", {"fail": fail})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


class Table:
    """What a user may have. It notes which of its methods are called."""

    def __init__(self):
        self.called = []
        self.open = 3.5

    def __getitem__(self, key):
        return self

    def __getattr__(self, name):
        return lambda *_, **__: self.called.append(name)


VALUES = [
    "df.head(20)",
    "len(x)",
    'a["b"].c',
    "x[1:] + [-y, not y, y if y else 0]",
    "f'{y:.2f} of {len(x)!r}'",
    "{name: value for name, value in zip(x, x) if value > 1}",
    "sorted(x, key=lambda each: -each)",
    "max(*x, *[y])",
    "getattr(df, 'head', None)",
    "hasattr(df, 'head')",
    "df.open",
    "input + vars",
    "own(x)",
    "np.mean(x)",
    "json.dumps(x)",
    "print",
    "sys.version",
    "sys.version_info.major + len(os.sep)",
    "getattr(df, 'open')",
    "df.eval('close - open')",
    "df.query('(high > @y) & close.notna() and @own(low) < 3')",
    "df.query(name)",
    "df.query(f'close > {y} and {name} == 1')",
    "df.eval()",
    "df.load()",
    "df.read_only()",
    "os.path.basename(name)",
    "o.path.join(name, name)",
    "parse.quote(name)",
    "os.getcwd() + str(sys.getsizeof(x)) + str(PurePath(name))",
    "[open for open in x]",
    "{input: vars for input, vars in zip(x, x)}",
    "[exec for eval in x for exec in [eval]]",
    "sorted(x, key=lambda open: -open)",
]


@pytest.mark.parametrize("expression", VALUES)
def test_expression_that_makes_a_value_is_evaluated(expression):
    namespace = {"df": Table(), "x": [1, 2], "y": 0.5, "a": Table(), "input": 1, "vars": 2}
    namespace |= {"np": np, "json": json, "os": os, "o": os, "sys": sys, "parse": parse, "PurePath": PurePath}
    namespace |= {"name": "a / b"}
    text, values, _ = filled_in(f"Look: $`{expression}`", namespace | {"own": lambda x: x}, raw=False)
    assert text.startswith("Look: ")
    assert "`" not in text
    assert values == [expression]


ACTIONS = {
    "(y := 3)": "assigns a variable",
    "[y for y in x if (z := y)]": "assigns a variable",
    "await df": "awaits something",
    "[y async for y in df]": "awaits something",
    "lambda: (yield)": "yields something",
    "__import__('json')": "uses the special name __import__",
    "df.__class__": "uses the special name __class__",
    "f'{df.__dict__}'": "uses the special name __dict__",
    "getattr(df, '__class__')": "uses the special name __class__",
    "getattr(df, name)": "uses getattr",
    "list(map(getattr, [df], ['head']))": "uses getattr",
    "setattr(df, 'x', 1)": "uses setattr",
    "open('notes.txt')": "uses open",
    "[open][0]('notes.txt')": "uses open",
    "exec('1')": "uses exec",
    "eval('1')": "uses eval",
    "compile('1', '', 'eval')": "uses compile",
    "input()": "uses input",
    "breakpoint()": "uses breakpoint",
    "globals()": "uses globals",
    "vars(df)": "uses vars",
    "exit()": "uses exit",
    "os.listdir()": "uses os.listdir",
    "o.listdir()": "uses o.listdir",
    "os.path.os.listdir()": "uses os.path.os.listdir",
    "sys.modules": "uses sys",
    "here()": "uses here",
    "sp.run": "uses sp.run",
    "Path('notes.txt')": "uses Path",
    "pd.read_csv('notes.csv')": "calls read_csv",
    "df.open()": "calls open",
    "df.read_text()": "calls read_text",
    "df.savefig('x.png')": "calls savefig",
    "(y for y in x).gi_frame": "uses gi_frame",
    "getattr((y for y in x), 'gi_frame')": "uses gi_frame",
    "getattr(pd, 'read_csv')('notes.csv')": "calls read_csv",
    "getattr(df, 'open')()": "calls open",
    "os.environ": "uses os",
    "len(x) + len(open('notes.txt').name)": "uses open",
    "type(x).__name__": "uses the special name __name__",
    "read_csv('notes.csv')": "calls read_csv",
    "df.unlink()": "calls unlink",
    "[open for open in open('notes.txt')]": "uses open",
    "[open for open in x] + [open]": "uses open",
    "(lambda open=open: open)": "uses open",
    "(lambda a=(lambda open: 1): open)": "uses open",
    "[1 for df.x in x]": "assigns df.x",
    "[1 for x[0] in x]": "assigns x[0]",
    "df.eval('@open(1)')": "uses @open",
    "df.eval('open(1)')": "uses open",
    "df.query('close.map(@open)')": "uses @open",
    "df.query('close > @os.listdir(1)')": "uses @os.listdir",
    "df.query(expr='@pd.read_csv(1)')": "calls read_csv",
    "df.query('@' + 'open(1)')": "calls query with a text that is not written out",
    "df.query(f'{chr(64)}open(1)')": "calls query with a text that is not written out",
    "df.query(f'@os.{name}(1)')": "uses @os",
    "[df.query(text) for text in x]": "calls query with a text that is not written out",
    "df.eval('total = 1; import os')": "calls eval with more than an expression",
}


@pytest.mark.parametrize("expression", ACTIONS)
def test_expression_that_does_something_is_refused_before_any_other_is_evaluated(expression):
    df = Table()
    modules = {
        "os": os,
        "o": os,
        "sys": sys,
        "here": os.listdir,
        "sp": subprocess,
        "Path": Path,
        "pd": pd,
        "read_csv": pd.read_csv,
    }
    namespace = {"df": df, "x": [1, 2], "name": "head"} | modules
    with pytest.raises(PromptError) as caught:
        filled_in(f"$`df.head()` and $`{expression}`", namespace, raw=False)
    assert str(caught.value) == (
        f"$`{expression}` {ACTIONS[expression]}, and only values can be sent; "
        "assign its value to a variable in a cell of its own and send that variable, "
        "or send the text as typed with --raw"
    )
    with pytest.raises(PromptError, match="assign its value to a variable") as caught:
        attach(expression, namespace)
    assert str(caught.value).startswith(f"--attach: {expression} {ACTIONS[expression]}, ")
    assert "--raw" not in str(caught.value)
    assert df.called == []


def test_raw_text_is_left_as_it_is():
    text = "$`open('x')` {y} $`nothing`"
    assert filled_in(text, {}, raw=True) == (text, [], [])


def test_values_are_listed_once_in_order_and_formulas_and_files_are_not(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    text, values, _ = filled_in("$`y`, $`x`$, $`x + 1`$`y`$`x`", {"x": 1, "y": 2}, raw=False)
    assert (text, values) == ("2, $`x`$, 221", ["y", "x + 1", "x"])
    assert [attach(each, {"x": 1}).value for each in (str(file), "x")] == ["", "x"]


def test_frame_is_sent_as_its_schema_shape_and_head():
    frame = pd.DataFrame({"age": range(1000), "name": ["Ada"] * 1000, "at": pd.Timestamp("2026-01-02")})
    text = interpolate("$`frame`", {"frame": frame})
    for words in ("1,000 rows", "3 columns", "age: int64", "name: ", "at: datetime64", "Ada", "2026-01-02"):
        assert words in text
    assert "\n4 " in text
    assert "\n5 " not in text


def test_frame_of_ten_million_rows_is_quick():
    frame = pd.DataFrame({"x": np.zeros(10_000_000, dtype="int8"), "y": np.zeros(10_000_000, dtype="int8")})
    text = interpolate("$`frame`", {"frame": frame})
    assert effort(lambda: interpolate("$`frame`", {"frame": frame})) < effort(lambda: np.sort(frame.x.to_numpy()))
    assert "10,000,000 rows" in text
    assert len(text) < 1_000


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"x": []}),
        pd.DataFrame([[1, 2]], columns=["same", "same"]),
        pd.DataFrame({("a", "b"): [1], ("a", "c"): [2]}),
        pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, 2), (3, 4)])),
    ],
    ids=["empty", "no rows", "same names", "levels", "index levels"],
)
def test_odd_frames_have_a_text_too(frame):
    assert f" of {counted(len(frame), 'row')} and " in interpolate("$`frame`", {"frame": frame})


def test_wide_frame_is_cut_with_a_note():
    text = interpolate("$`frame`", {"frame": pd.DataFrame(np.zeros((3, 5_000)))})
    assert "5,000 columns" in text
    assert re.search(r"\[cut: 4,?900 more columns\]", text)
    assert len(text) <= DESCRIBED + 100


def test_number_of_numpys_is_sent_as_a_number():
    assert interpolate("$`value`", {"value": np.float64(1.5)}) == "1.5"


@pytest.mark.parametrize(
    ("value", "shape"),
    [(np.zeros((1000, 1000)), "(1000, 1000)"), (pd.Series(range(10_000_000)), "10,000,000 rows")],
    ids=["matrix", "series"],
)
def test_array_is_sent_as_its_shape_type_and_head(value, shape):
    text = interpolate("$`value`", {"value": value})
    assert shape in text
    assert str(value.dtype) in text
    assert len(text) <= DESCRIBED + 100


@pytest.mark.parametrize(
    "value",
    ["x" * 1_000_000, list(range(1_000_000)), dict.fromkeys(range(1000), "y" * 1000), b"z" * 1_000_000],
    ids=["text", "list", "dict", "bytes"],
)
def test_big_value_is_cut_with_a_note_of_what_was_cut(value):
    text = interpolate("Before $`value` after", {"value": value})
    assert text.startswith("Before ")
    assert text.endswith(" after")
    assert len(text) <= DESCRIBED + 100
    assert "[cut: " in text or "..." in text


def test_value_at_the_limit_is_not_cut():
    assert interpolate("$`value`", {"value": "x" * DESCRIBED}) == "x" * DESCRIBED


def test_file_is_attached_as_what_it_is(tmp_path):
    for name, content, kind in [
        ("a.txt", b"text \xf0\x9f\xa6\x8a", "text/plain"),
        ("b.png", b"\x89PNG", "image/png"),
        ("c.pdf", b"%PDF", "application/pdf"),
        ("d.py", b"x = 1", "text/plain"),
        ("e.unknown-kind", b"words", "text/plain"),
        ("with space.csv", b"a,b", "text/plain"),
    ]:
        (tmp_path / name).write_bytes(content)
        attached = attach(str(tmp_path / name), {}).attachment
        assert (attached.name, attached.media_type) == (name, kind)
        assert attached.content == (content.decode() if kind == "text/plain" else content)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("https://example.org/x.png", "not an address"),
        ("nowhere/plot.png", "nowhere/plot.png is neither a file nor a value"),
        ("plot.png", "plot.png is neither a file nor a value"),
        ("nothing", "name 'nothing' is not defined"),
        ("stubborn", "no words"),
        ("figure", "cannot be drawn"),
    ],
)
def test_what_cannot_be_attached_is_one_line_that_names_it(expression, words):
    class Figure:
        def savefig(self, *_, **__):
            raise ValueError("no renderer")

    with pytest.raises(PromptError) as caught:
        attach(expression, {"stubborn": Stubborn(), "figure": Figure()})
    assert words in str(caught.value)
    assert expression in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_and_huge_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sessionmagic.notebook.prompts.FILE_LIMIT", 10)
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.txt").write_bytes(b"x" * 11)
    with pytest.raises(PromptError, match="is not text, an image or a PDF"):
        attach(str(tmp_path / "a.bin"), {})
    with pytest.raises(PromptError, match="11 bytes; attach at most 10"):
        attach(str(tmp_path / "b.txt"), {})


def test_figure_and_image_are_attached_as_png():
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([1, 2])
    for name, value in {"figure": figure, "image": Image.new("RGB", (2, 2))}.items():
        attached = attach(name, {name: value}).attachment
        assert (attached.name, attached.media_type) == (name, "image/png")
        assert attached.content.startswith(b"\x89PNG\r\n")


def test_value_is_attached_as_its_text():
    attached = attach("frame", {"frame": pd.DataFrame({"x": [1]})}).attachment
    assert (attached.name, attached.media_type) == ("frame", "text/plain")
    assert "1 row" in attached.content
    assert attach("config['a']", {"config": {"a": "text"}}).attachment.content == "text"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("x:.2f", "3.14"),
        ("x:8.1f", "     3.1"),
        ("word!r", "'it'"),
        ("word!r:>6", "  'it'"),
        ("day:%d/%m at %H:%M", "02/01 at 03:04"),
        ("numbers[1:3]", "[2, 3]"),
        ("numbers[1:3][0]:03d", "002"),
        ("{1: 'a:b'}[1]:>4", " a:b"),
        ("(lambda: 5)():.1f", "5.0"),
    ],
)
def test_value_is_written_in_the_format_after_its_colon(written, text):
    namespace = {"x": 3.14159, "word": "it", "numbers": [1, 2, 3], "day": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)}
    filled = filled_in(f"<$`{written}`>", namespace, raw=False)
    assert (filled.text, filled.expressions) == (f"<{text}>", [written])


@pytest.mark.parametrize(
    ("written", "words"), [("x:.2z", "ValueError"), ("frame:.2f", "TypeError"), ("open('x'):.2f", "uses open")]
)
def test_format_that_does_not_fit_is_one_line_that_names_it(written, words):
    with pytest.raises(PromptError, match=re.escape(f"$`{written}`")) as caught:
        interpolate(f"$`{written}`", {"x": 1.5, "frame": pd.DataFrame()})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_backslash_keeps_the_text_itself():
    namespace = {"x": 1}
    assert filled_in("\\$`x` is $`x`, \\$`nothing`", namespace, raw=False) == ("$`x` is 1, $`nothing`", ["x"], [])
    assert interpolate("\\$`x`$ \\$x \\` \\n", namespace) == "\\$`x`$ \\$x \\` \\n"
    assert filled_in("\\$`x`", namespace, raw=True).text == "\\$`x`"


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (pd.DataFrame({"x": range(1_000)}), "5 of 1,000 rows"),
        (pd.DataFrame(np.zeros((3, 120))), "100 of 120 columns, 5,... characters"),
        ("x" * 1_500, "1,500 characters"),
        ("x" * 30_000, "20,000 of 30,000 characters"),
        (list(range(101)), "100 of 101 items"),
        (b"x" * 5_000, "4,000 of 5,000 bytes, 4,0.. characters"),
        (np.zeros((200, 2)), "100 of 200 rows, 1,... characters"),
        (np.zeros((2, 2_000)), "abbreviated"),
        ("short", ""),
        (pd.DataFrame({"x": [1]}), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_user_reads_how_much_of_a_value_is_sent(value, note):
    [listed] = filled_in("$`value`", {"value": value}, raw=False).expressions
    assert re.fullmatch(f"value · {note}" if note else "value", listed)
    assert attach("value", {"value": value}).value == listed


def test_size_of_values_can_be_set():
    namespace = {"text": "word " * 200, "frame": pd.DataFrame(np.zeros((50, 30)))}
    assert interpolate("$`text`", namespace, limit=500) == "word " * 100 + "\n[cut: 500 more characters]"
    text = interpolate("$`frame`", namespace, limit=500)
    assert len(text) <= 500
    assert "30 columns" in text
    assert re.search(r"\[cut: \d+ more columns\]", text)
    assert len(attach("frame", namespace, 500).attachment.content) <= 500


def test_figure_in_a_prompt_is_sent_as_a_picture():
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(1, 1))
    axes = figure.subplots()
    for value in (figure, axes, Image.new("RGB", (2, 2))):
        text, values, images = filled_in("What does $`plot` show? $`plot`", {"plot": value}, raw=False)
        assert text == "What does [picture: plot] show? [picture: plot]"
        assert values == ["plot"]
        [image] = images
        assert (image.name, image.media_type, image.content[:4]) == ("plot", "image/png", b"\x89PNG")
        with pytest.raises(PromptError, match="is a picture, which only a prompt can hold"):
            filled_message("Look: $`plot`", {"plot": value}, raw=False, limit=500)
