"""The number of examples that Hypothesis tries: all in CI, a third of them locally."""

import os

from hypothesis import HealthCheck, settings

CI = bool(os.environ.get("CI"))


def examples(count):
    """Return how many of `count` examples to try here."""
    return count if CI else (count + 2) // 3


def load_profile():
    """Make Hypothesis try the same examples in each run, however long that takes."""
    settings.register_profile(
        "here",
        max_examples=examples(100),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("here")
