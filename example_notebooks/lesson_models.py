"""The scripts that stand for models in `lesson.ipynb`. `record.py` makes `lesson.jsonl` from them."""

from sessionmagic.testing import call, paced, script

DECISIONS = ["y", "no, the raw data stay as they are; work on a copy"]
"""What the teacher answered to the calls that asked."""


def spoken(text):
    """Return a text as it would stream from a model: word by word."""
    first, *words = text.split(" ")
    return paced([first, *(f" {word}" for word in words)], 0.01)


MEAN_OR_MEDIAN = r"""
There are two usual answers, and here they differ a lot:

| measure | hours |
|---|---|
| mean | 11.5 |
| median | 5.5 |

The **mean** adds up all hours and divides by the number of students:

$$\bar{x} = \frac{1}{n} \sum_{i=1}^{n} x_i = \frac{138}{12} = 11.5$$

The **median** is the middle of the sorted hours, $(5 + 6) / 2 = 5.5$. Eleven of the twelve students study less than
the mean, so the median describes a typical student better.
""".strip()

OUTLIER = """
Row 11, with **80 hours**. A usual rule calls a value an outlier if it is more than 1.5 times the distance between the
quartiles above the upper one:

```python
lower, upper = study.hours.quantile([0.25, 0.75])
study[study.hours > upper + 1.5 * (upper - lower)]
```

The quartiles are 3.75 and 7.25, so the limit is 12.5 hours. The rule finds what is *unusual*. Whether it is *wrong* is
a question to ask the student, and `8` with one zero too many is a good guess.
""".strip()

CORRELATION = """
without = study.drop(index=11)
print("all rows:", round(study.hours.corr(study.points), 2))
print("without row 11:", round(without.hours.corr(without.points), 2))
""".strip()

CLEANED = """
One row hides the relation:

| rows | correlation of hours and points |
|---|---|
| all 12 | 0.38 |
| without row 11 | 0.99 |

I wanted to delete the row from `study`, and you said no: the raw data stay. A copy without it is
`clean = study.drop(index=11)`.
""".strip()

THOROUGH = """
No. The two go together, and that has at least three explanations:

1. Studying longer gives more points.
2. Those who like the subject study longer *and* get more points.
3. Those who saw a good first result kept on studying.

Twelve answers to a questionnaire cannot tell them apart. An experiment could: draw lots for who gets an extra hour.
""".strip()

FINDINGS = {
    "value": [
        {"claim": "The median is 5.5 hours.", "supported": True, "why": "It is the middle of the sorted hours."},
        {
            "claim": "Most students study more than 11 hours.",
            "supported": False,
            "why": "One of twelve does, and it is the odd row.",
        },
        {
            "claim": "An extra hour gives six points.",
            "supported": False,
            "why": "The data show that they go together, not what causes what.",
        },
    ]
}

HINT = """
Sort first: `sorted(values)` makes a new list and leaves yours as it is. Then there are **two cases**. If the number of
values is odd, one of them is in the middle. If it is even, two are, and the median is halfway between them. `n // 2` is
a useful index in both.
""".strip()

SUMMARY = """
- **Look before you compute:** one typing error doubled the mean and hid a strong relation.
- **Keep the raw data:** clean a copy, and write down what you left out.
- **Ask what a number can tell:** going together is not causing.
""".strip()

script(
    "teacher-script",
    spoken(MEAN_OR_MEDIAN),
    spoken(OUTLIER),
    call("inspect_variable", name="study"),
    call("run_python", code=CORRELATION),
    call("run_python", code="study.drop(index=11, inplace=True)"),
    spoken(CLEANED),
    call("final_result", FINDINGS),
    spoken(HINT),
    spoken(SUMMARY),
)
script("short-script", spoken("Yes. The correlation is 0.99, so more hours give more points."))
script("thorough-script", spoken(THOROUGH))
