"""What a reader must find in a document that was built of the example notebook with the lesson."""

import html
import re

SEEN = [
    "How many hours does a typical student study?",  # a prompt
    "so the median describes a typical student better",
    "study.hours.quantile",  # code in an answer
    "inspect_variable",
    "not run",  # the call that the teacher rejected
    "correlation of hours and points",  # the head of a table
    "Yes. The correlation is 0.99",  # the answers of both models
    "Twelve answers to a questionnaire",
    "One of twelve does, and it is the odd row.",  # a value
    "Ask what a number can tell",
    "replay of teacher-script",
]
FORMULA = r"\bar{x} = \frac{1}{n}"
UNWANTED = [
    "Error displaying widget",
    "application/vnd.jupyter.widget",
    "\x1b[",
    "ReplayError",
    "Traceback (most recent",
]


def words_of(page):
    """Return the words of HTML, Markdown or LaTeX, without tags, colours and escapes, with one space between them."""
    text = re.sub(r"\\PY\{[^}]*\}\{([^}]*)\}", r"\1", page)  # code in LaTeX
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return " ".join(re.sub(r"\\(?=[_#$%&])", "", text).split())


def shows_the_lesson(page):
    """Assert that a document has all of the lesson, and nothing that is not meant for readers."""
    words = words_of(page)
    missing = [each for each in SEEN if each not in words]
    assert not missing, missing
    assert FORMULA in page
    assert not (found := [each for each in UNWANTED if each in page]), found
