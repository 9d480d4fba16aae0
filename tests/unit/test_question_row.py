"""A server's question on the page: its form, without a page."""

import pytest
from ipywidgets import HTML, HTMLMath

from sessionmagic.conversation.transcript import QuestionBlock
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.captions import question_line
from sessionmagic.notebook.forms import FIELD_LIMIT
from sessionmagic.notebook.page.question_row import QuestionRow
from tests.served import TRAVELLER

BAGS = TRAVELLER["properties"]["bags"]["title"]
HOSTILE = "<img src=x onerror=alert(1)>$x$\x1b[2J"


class Form:
    """A form as the page has it, and what it answered."""

    asks_on_page = True

    def __init__(self, schema, *, refused=""):
        self.refused = refused
        self.answers = []
        self.row = QuestionRow(self)
        self.row.show(QuestionBlock("q", "Who?", schema, server="web"))
        self.parts = list(self.row.box.children[1].children)

    def reply(self, *answer):
        if self.refused:
            raise UsageError(self.refused)
        self.answers.append(answer)

    @property
    def inputs(self):
        return {part.tooltip: part for part in self.parts if getattr(part, "tooltip", None)}

    @property
    def buttons(self):
        made = [part for each in self.parts for part in (each, *getattr(each, "children", ()))]
        return {part.description: part for part in made if type(part).__name__ == "Button"}

    @property
    def words(self):
        return "\n".join(part.value for part in self.parts if isinstance(part, HTML | HTMLMath))


def of(**properties):
    return Form({"type": "object", "properties": properties})


def test_each_kind_of_field_has_its_input_which_holds_the_default():
    form = Form(TRAVELLER)
    assert {label: (type(made).__name__, made.value) for label, made in form.inputs.items()} == {
        "Name": ("Text", ""),
        "Seat": ("Dropdown", None),
        "Meals": ("SelectMultiple", (1,)),
        BAGS: ("Text", "1"),
        "Insured": ("Checkbox", False),
        "Vouchers": ("Text", ""),
    }
    assert form.inputs["Seat"]._options_labels == ("", "On the aisle", "At the window")
    for words in ("Name *", "As it stands in the passport", "Seat *", "at least 1 of them", "as JSON, such as"):
        assert words in form.words


def test_what_stands_in_the_inputs_is_answered_with_the_values_of_the_choices():
    form = Form(TRAVELLER)
    form.inputs["Name"].value = "Ada"
    form.inputs["Seat"].index = 2
    form.inputs["Meals"].index = (0, 1)
    form.inputs["Insured"].value = True
    form.inputs["Vouchers"].value = '["X1"]'
    form.buttons["Answer"].click()
    content = {"name": "Ada", "seat": "W", "meals": ["b", "d"], "bags": 1, "insured": True, "codes": ["X1"]}
    assert form.answers == [("q", "accept", content)]


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("Name", " ", "Name is required"),
        (BAGS, "two", "not an integer"),
        ("Vouchers", "[x", "Vouchers: &#x27;[x&#x27; is no"),
    ],
)
def test_what_does_not_fit_is_said_by_the_form_and_the_question_stays_open(label, value, words):
    form = Form(TRAVELLER)
    form.inputs["Name"].value = "Ada"
    form.inputs["Seat"].index = 1
    form.inputs[label].value = value
    form.buttons["Answer"].click()
    assert words in form.words
    assert form.answers == []


def test_refusal_of_the_answer_is_said_by_the_form():
    form = Form({"type": "object"}, refused=f"a: {HOSTILE} is too long")
    form.buttons["Answer"].click()
    assert "is too long" in form.words
    assert "<img" not in form.words


def test_question_without_a_server_is_one_of_the_agent():
    question = QuestionBlock("q", "Which month?", {})
    assert question_line(question) == "? the agent asks: Which month? · waits for your answer"


def test_form_that_is_too_large_can_only_be_declined():
    form = of(**{f"p{at}": {} for at in range(FIELD_LIMIT + 1)})
    assert "cannot be filled in here" in form.words
    assert form.inputs == {}
    assert list(form.buttons) == ["Decline"]
    form.buttons["Decline"].click()
    assert form.answers == [("q", "decline", None)]


def test_words_of_a_form_are_text_and_no_formula():
    form = of(a={"title": HOSTILE, "description": HOSTILE}, b={"enum": [HOSTILE]}, c={"default": HOSTILE})
    assert form.words.count("&lt;img") == 2
    assert form.words.count("mathjax_ignore") >= 3
    assert all(not made.description for made in form.inputs.values())  # pages typeset descriptions
    shown = [*form.inputs, form.inputs["b"]._options_labels[1], form.inputs["c"].value]
    assert not any("\x1b" in words for words in shown)
    assert "<img" not in form.words
