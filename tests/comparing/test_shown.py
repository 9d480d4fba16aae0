"""Statistics as the last value of a cell."""

import re
import subprocess
import sys

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from sessionmagic.comparing.answers import Answers
from sessionmagic.comparing.judge_report import Judgement, judge_report
from sessionmagic.comparing.preferences import Vote, preferences
from sessionmagic.comparing.scores import Scored
from sessionmagic.comparing.statistics import summarize
from sessionmagic.comparing.table import number, probability
from sessionmagic.conversation.column import Column
from sessionmagic.conversation.usage import Usage
from sessionmagic.conversation.value import StoredValue
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.notebook.extension import load
from sessionmagic.turns.turn import TurnResult

KEY = "sk-proj-9mXq2LpV7tRz4WkJ8bNc1dYf6HsG3aEu5oQiTxBvZnMrKw0y"


@pytest.fixture(scope="module")
def shown():
    """Return a function from a value to what IPython displays of it."""
    shell = InteractiveShell()
    load(shell)
    return lambda value: shell.display_formatter.format(value)[0]


def summary(first="a"):
    random = np.random.default_rng(0)
    return summarize(
        Scored(prompt, label, 0, random.normal() + 2 * (label == first))
        for prompt in range(30)
        for label in (first, "b")
    )


def answered(text, number=1, status="completed", value=None):
    column = Column("c", number, f"m{number}")
    return TurnResult(
        text=text,
        status=status,
        usage=Usage(),
        model="m",
        turn="1",
        session="s",
        raw_messages=[],
        column=column,
        stored_value=value,
    )


@pytest.mark.parametrize(
    "value",
    [
        summary(),
        preferences([Vote("a", "b", "first"), Vote("a", "b", "second"), Vote("b", "a", "first")]),
        judge_report("local", [Judgement(1, "a", "b", "first", "second"), Judgement(2, "a", "b", "first", "first")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_statistics_are_tables_on_a_page_and_aligned_text_in_a_terminal(shown, value):
    found = shown(value)
    assert found["text/html"].count("<table") == 2
    assert "<code>" in found["text/html"]
    assert "●" in found["text/html"]
    assert found["text/plain"] == str(value)
    assert "verdict" in str(value)
    assert "<" not in str(value).replace("< 0.001", "")


def test_result_is_its_answer_in_each_form(shown):
    found = shown(answered("*It* is <b>.\x1b"))
    assert "<p><em>It</em> is &lt;b&gt;.␛</p>\n" in found["text/html"]
    assert found["text/markdown"] == "*It* is \\<b\\>.␛\n"
    assert found["text/plain"] == "*It* is <b>.␛"


def test_answers_are_side_by_side_on_a_page_and_a_line_each_in_a_terminal(shown):
    found = shown(Answers([answered("*Yes*"), answered("No", number=2, status="interrupted")], print))
    assert [found["text/html"].count(words) for words in ("border-top: 2px", "1. m1<", "2. m2<", ">interrupted<")] == [
        2,
        1,
        1,
        1,
    ]
    assert "<em>Yes</em>" in found["text/html"]
    assert found["text/plain"] == "m1: *Yes*\nm2: No"


def test_structured_answer_is_a_table_on_a_page_and_json_as_text(shown):
    value = StoredValue([{"name": "<b>", "size": 7}], "list[Item]", "")
    result = answered('[{"name": "<b>", "size": 7}]', value=value)
    for found in (shown(result), shown(Answers([result], print))):
        assert re.findall("<t[hd] [^>]*>([^/]*)</t[hd]>", found["text/html"]) == ["name", "size", "&lt;b&gt;", "7"]
        assert re.findall(r"text-align: (\w+)", found["text/html"]) == ["left", "right"] * 2
        assert '"name"' not in found["text/html"]
        assert '[{"name": "<b>", "size": 7}]' in found["text/plain"]
    assert shown(result)["text/markdown"] == "| name | size |\n| --- | --- |\n| \\<b\\> | 7 |\n"


def test_value_is_displayed_where_neither_ipython_nor_widgets_are_imported():
    code = """
import sys
from sessionmagic.comparing.answers import Answers
from sessionmagic.comparing.preferences import Preferences
from sessionmagic.comparing.results import GridResults
from sessionmagic.conversation.column import Column
from sessionmagic.conversation.usage import Usage
from sessionmagic.conversation.value import StoredValue
from sessionmagic.turns.turn import TurnResult
result = TurnResult(text="*It* is <b>.", status="failed", usage=Usage(), model="m", turn="1", session="s",
    raw_messages=[], column=Column("c", 1, "a < b"))
for value in (result, Answers([result], print), Preferences(0, 0, 0, (), ()), GridResults()):
    print(value._repr_html_())
print(result._repr_markdown_(), {"IPython", "ipywidgets"} & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert found.count("<em>It</em> is &lt;b&gt;.") == 2
    for words in ("1. a &lt; b<", ">failed<", ">no votes<", "0 of 0 rows", "*It* is \\<b\\>.\n set()\n"):
        assert words in found


def test_label_cannot_be_markup_and_has_no_key(shown):
    found = shown(summary(f"<b>\x1b{KEY}"))
    for text in found.values():
        assert KEY not in text
        assert "\x1b" not in text
        assert LEFT_OUT in text
    assert "<b>" not in found["text/html"]


def test_columns_of_a_table_are_aligned():
    head, *lines, note = str(summary()).split("\n\n")[0].splitlines()
    assert note.startswith("95 % interval: the range")
    places = {line.index("─") for line in lines}
    assert len(places) <= 2
    assert len({line.index("30") for line in lines} | {head.index("prompts")}) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (2.5e-5, "0.000025"),
        (1.234e-5, "0.0000123"),
        (0.12345, "0.123"),
        (999.6, "1,000"),
        (12_345.6, "12,346"),
        (1e-300, "1e-300"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent_unless_they_are_extreme(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0004, "< 0.001"), (0.0494, "0.049"), (0.0497, "< 0.05"), (0.05, "0.050")]
)
def test_a_p_value_that_counts_is_not_rounded_to_one_that_does_not(value, text):
    assert probability(value) == text


def test_every_dash_is_explained():
    few = [Scored(prompt, label, 1, prompt * (label == "a")) for prompt in range(3) for label in ("a", "b")]
    shown = str(summarize(few))
    assert "no interval: all scores are equal, or there is only one" in shown
    assert "–: not known, because there are too few prompts" in shown
    assert "by bootstrap: the same interval" in str(summary())
