"""What the user's values become in the options of a line."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.notebook.cell_line import CELL_LINE
from tests.effort import grows_linearly


class Table:
    name = "table"
    columns = ("a", "b")


NAMES = {
    "month": "May 2026",
    "m": "hello",
    "n": 3,
    "price": 2.5,
    "odd": 'it\'s "--yes" {m} $m',
    "dash": "--yes",
    "d": {"key": "value", "}": "brace"},
    "t": Table(),
    "path": "C:\\data",
}


def session(written):
    return CELL_LINE.parse_line(f"--session {written}", NAMES).session


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("{month}", "May 2026"),
        ("$month", "May 2026"),
        ("$`month`", "May 2026"),
        ('"{month}"', "May 2026"),
        ("'$month'", "May 2026"),
        ("report-{m}-$n", "report-hello-3"),
        ("{odd}", NAMES["odd"]),
        ("$dash", "--yes"),
        ("{path}\\x", "C:\\data\\x"),
        ("$t.name", "table"),
        ('{d["key"]}', "value"),
        ("{d['}']}", "brace"),
        ('$`d["key"] + m`', "valuehello"),
        ("{m + m}", "hellohello"),
        ("{month[:3]}", "May"),
        ("{price:.2f}", "2.50"),
        ("$`price:05.1f`", "002.5"),
        ("{m!r}", "'hello'"),
        ("{ m }", "hello"),
        ("{(n + 1) * 2}", "8"),
        ("{-n}", "-3"),
        ("{'many' if n > 2 else 'few'}", "many"),
        ("{ {'a': m}['a'] }", "hello"),
        ("{[each for each in range(n)]}", "[0, 1, 2]"),
        ("{n}{n}", "33"),
    ],
)
def test_value_takes_the_place_of_its_name_and_stays_in_its_word(written, name):
    assert session(written) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("{{month}}", "{month}"),
        ("$$month", "$month"),
        ("\\$`month`", "$`month`"),
        ("{}", "{}"),
        ("{0}", "{0}"),
        (r"\d{3}", r"\d{3}"),
        ("x{2,3}", "x{2,3}"),
        ("$5", "$5"),
        ("US$", "US$"),
        ("${HOME}", "${HOME}"),
        ("$`x^2`$", "$`x^2`$"),
        ("{month", "{month"),
        ("{'a'}", "{a}"),
        ('\'{"a":true,"b":{"c":[m]}}\'', '{"a":true,"b":{"c":[m]}}'),
        ("'{ }'", "{ }"),
        ("'{for}'", "{for}"),
        ('\'{"a": 1, "b": {"c": 2}}\'', '{"a": 1, "b": {"c": 2}}'),
        ("'{a: 1}'", "{a: 1}"),
        ("dict[str,int]", "dict[str,int]"),
        ("\U000f0000\U000f0001{m}", "\U000f0000\U000f0001hello"),
    ],
)
def test_everything_else_stays_as_it_is_typed(written, name):
    assert session(written) == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\"'"), min_size=1))
def test_text_without_a_reference_is_never_changed(text):
    if not {"$", "{"} & {*text}:
        assert CELL_LINE.parse_line(f"--session=x{text}", NAMES).session == f"x{text}"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            "{mont}",
            "{mont} has no value: NameError: name 'mont' is not defined; did you mean 'month'?; write {{mont}} for",
        ),
        (
            "$nowhere",
            "$nowhere has no value: NameError: name 'nowhere' is not defined; write $$nowhere for the text itself",
        ),
        ("$`nowhere`", "name 'nowhere' is not defined; write \\$`nowhere` for the text itself"),
        ("$m.html", "has no attribute 'html'"),
        ("{d['x']}", "KeyError: 'x'"),
        ("{month:.2f}", "ValueError"),
        ("$`x = 2`", "SyntaxError"),
        ("{open('x')}", "{open('x')} uses open, and only values can be filled in; assign its value to a variable"),
        ("$t.__class__", "$t.__class__ uses the special name __class__, and only values"),
    ],
)
def test_what_has_no_value_is_one_line_that_names_it(written, words):
    with pytest.raises(UsageError) as caught:
        session(written)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class Unprintable:
    def __str__(self):
        raise ValueError("not today")


def test_value_that_cannot_be_written_is_named_in_one_line():
    with pytest.raises(UsageError, match=r"^\{x\} has no value: ValueError: not today; write \{\{x\}\} for the text"):
        CELL_LINE.parse_line("--session {x}", {"x": Unprintable()})


@pytest.mark.parametrize("written", ["$month.upper", "$month.upper()", "{month.upper}", "{month.upper!r}"])
def test_function_is_no_value_of_an_option(written):
    with pytest.raises(UsageError, match=r" is a function; write its name alone, or call it: \$`month.upper\(\)`$"):
        session(written)
    assert session("$`month.upper()`") == "MAY 2026"


def test_values_become_numbers_and_several_words_where_these_are_wanted():
    options = CELL_LINE.parse_line("--timeout {price} --repeat $n --compare $m {month} --set seed={n} stop={m}", NAMES)
    assert (options.timeout, options.repeat) == (2.5, 3)
    assert options.compare == ["hello", "May 2026"]
    assert options.set == ["seed=3", "stop=hello"]
    assert options.filled_in == ["price", "n", "m", "month"]
    with pytest.raises(UsageError, match="--timeout takes a number, and not 'May 2026'"):
        CELL_LINE.parse_line("--timeout {month}", NAMES)


def test_json_in_a_setting_stays_beside_a_value():
    options = CELL_LINE.parse_line("""--set extra='{"a": {"b": [1]}}' seed={n}""", NAMES)
    assert options.set == ['extra={"a": {"b": [1]}}', "seed=3"]


def test_value_that_looks_like_an_option_is_none():
    options = CELL_LINE.parse_line("--session {dash} --model $m", NAMES)
    assert (options.session, options.yes, options.model) == ("--yes", False, "hello")


def test_instructions_are_left_for_raw_to_decide():
    assert CELL_LINE.parse_line('--system "Say {nothing} and $m"', NAMES).system == "Say {nothing} and $m"


@pytest.fixture
def parser():
    parser = LineParser("%agent tell", "Tell.")
    parser.add_argument("-s", "--session", default="")
    return parser


def test_text_that_is_taken_unchanged_has_no_values(parser):
    parser.add_verbatim("text")
    options = parser.parse_line('-s {month} say {nothing}, $m, $`x = 1` and "it\'s"', NAMES)
    assert options.session == "May 2026"
    assert options.text == 'say {nothing}, $m, $`x = 1` and "it\'s"'
    long = "{m} " * 30_000
    assert parser.parse_line(long, NAMES).text == long.strip()


def test_reason_that_is_taken_unchanged_has_no_values(parser):
    parser.add_verbatim("--reject", metavar="REASON")
    parser.add_argument("id", nargs="?")
    options = parser.parse_line("$m --reject use {nothing} for $5", NAMES)
    assert (options.id, options.reject) == ("hello", "use {nothing} for $5")


def test_errors_quote_the_line_as_it_was_typed(parser):
    with pytest.raises(UsageError, match=r"'\{month\}' has no option before it"):
        parser.parse_line("{month}", NAMES)
    with pytest.raises(UsageError, match=r"'\"\{month\}' is not closed"):
        parser.parse_line('"{month}', NAMES)


def test_loose_words_have_values_also_after_two_dashes(parser):
    parser.add_argument("words", nargs=argparse.ZERO_OR_MORE)
    options = parser.parse_line("a {m} -s $month b -- --c {m}", NAMES)
    assert (options.words, options.session) == (["a", "hello", "b", "--c", "hello"], "May 2026")


def test_line_full_of_braces_is_read_quickly():
    def read(size):
        line = "--set extra='" + '{"a": {"b": [1, {"c": 2}]}, ' * size + "'"
        assert CELL_LINE.parse_line(line, NAMES).set == [f"extra={line[13:-1]}"]

    assert grows_linearly(read, 75)
