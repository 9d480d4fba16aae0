"""The answers of the scripted server: of any length, always the same, in pieces as large as tokens."""

import re
from itertools import cycle, islice

FIRST_WORD = "Leakage"
"""The first word of every answer. It occurs nowhere else, so that its arrival can be recognized."""

_PROSE = (
    "A feature leaks the label when it is known only after the outcome: the last invoice, a retention call, the "
    "reason of a cancellation. Such columns make a model look *excellent* in validation and **useless** in March. "
)
_BLOCKS = (
    f"{_PROSE}Ask of each one `when` it was written, and by whom.\n\n",
    (
        "## What to look for\n\n"
        "- **Timestamps** after the churn date, also in joined tables\n"
        "- Aggregates over the *whole* history, such as `mean_spend`\n"
        "- Identifiers that are handed out at cancellation\n\n"
    ),
    (
        "```python\n"
        "def before(events, cutoff):\n"
        '    """Keep what was known at the cutoff."""\n'
        '    known = events[events["at"] < cutoff]\n'
        '    return known.groupby("customer").agg(spend=("amount", "sum"), calls=("id", "nunique"))\n'
        "```\n\n"
    ),
    "1. Fix a cutoff for each customer.\n2. Compute features from rows before it.\n3. Validate on later months.\n\n",
    "| feature | known at cutoff | keep |\n|---|:-:|---|\n| tenure | yes | yes |\n| last_invoice | no | no |\n\n",
    "The lift of $k$ percent is $\\frac{p_k}{p}$, where $p$ is the base rate; a lift above ten deserves suspicion.\n\n",
)
_CODE = (
    "def step(state, action):\n"
    '    """Apply an action and return the next state."""\n'
    '    total = sum(item["amount"] for item in state["items"])  # what was spent\n'
    "    if action == 'close' and total > 100.0:\n"
    "        return {**state, 'closed': True, 'total': round(total, 2)}\n"
    "    return state\n\n"
)
_TOKEN = re.compile(r"\s*[^\w\s]?\w+[.,:;]?|\s*[^\w\s]{1,3}|\s+")

SHAPES = {
    "markdown": (f"{FIRST_WORD} is common. ", _BLOCKS, ""),
    "paragraph": (f"{FIRST_WORD} is common. ", (_PROSE,), ""),
    "code": (f"{FIRST_WORD}:\n\n```python\n", (_CODE,), "\n```"),
}


def tokens(shape: str, count: int) -> list[str]:
    """Return an answer of `count` tokens: mixed ``markdown``, one ``paragraph``, or one ``code`` block."""
    opening, blocks, closing = SHAPES[shape]
    start, end = _TOKEN.findall(opening), [closing] * bool(closing)
    middle = (token for block in cycle(blocks) for token in _TOKEN.findall(block))
    return [*start, *islice(middle, count - len(start) - len(end)), *end]
