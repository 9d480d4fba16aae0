"""Rest for the garbage collector while many objects are made that last."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


MANY = 20_000
"""Objects. Importing pydantic-ai makes 90,000, and OpenAI's SDK 70,000.

For fewer it is not worth finding out whether anything is frozen, which takes 13 ms for each million that is.
"""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking at what is being made again and again.

    If that is much, it is moved to the oldest generation, as what lasts, so that it is not looked at once more right
    after.
    """
    was_enabled, before = gc.isenabled(), gc.get_count()[0]
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            made = gc.get_count()[0] - before
            if made > MANY and not gc.get_freeze_count():  # otherwise, somebody has frozen what must stay frozen
                gc.freeze()
                gc.unfreeze()
            gc.enable()
