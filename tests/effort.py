"""How much processor time work takes, compared with other work of the same moment."""

import time

LARGER = 8
MOST = 24
"""Work that is eight times as large takes 8 times as long if its time is linear, and 64 times if it is quadratic."""
TRIES = 3
SHORTEST = 0.0005
"""Seconds that are too few to be measured."""


def effort(work):
    """Return the seconds of processor time that the work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def grows_linearly(work, size):
    """True if `work`, which takes a size, takes no more than its share for one that is eight times as large."""
    of_small = max(min(effort(lambda: work(size)) for _ in range(TRIES)), SHORTEST)
    return any(effort(lambda: work(LARGER * size)) < MOST * of_small for _ in range(TRIES))
