"""How much a test tries: in CI all of it, and half of it locally. Each run tries the same."""

import os

from hypothesis import settings

CI = bool(os.environ.get("CI"))


def examples(count):
    """Return how many of these examples are tried here."""
    return count if CI else (count + 1) // 2


def load_profile():
    """Have Hypothesis try so many examples, the same ones in each run, and take the time that it needs."""
    settings.register_profile("here", max_examples=examples(100), derandomize=True, database=None, deadline=None)
    settings.load_profile("here")
