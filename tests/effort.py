"""How much processor time work takes, compared with other work of the same moment."""

import time

LARGER = 8
MOST = 24
"""Work that is eight times as large takes 8 times as long if its time is linear, and 64 times if it is quadratic."""
SHORTEST = 0.0005
"""Seconds that are too few to be measured."""


def effort(work, tries=3):
    """Return the seconds of processor time that the work takes, the fewest of some tries."""
    spent = []
    for _ in range(tries):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def grows_linearly(work, size):
    """True if `work`, which takes a size, takes no more than its share for one that is eight times as large."""
    return effort(lambda: work(LARGER * size)) < MOST * max(effort(lambda: work(size)), SHORTEST)
