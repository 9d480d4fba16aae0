"""Keep the figures of running code whole until the code has ended.

matplotlib shows the open figures on IPython's event ``post_execute``. ipykernel triggers this event after each click on
a widget, too. Since version 7, a click may be handled on another thread while a cell runs. Then the figure would be
shown half-made, as the output of the click, and the cell would go on with an empty one (ipykernel issue 1564).
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from IPython.core.events import EventManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

AFTER_CODE = "post_execute"


def keep_figures_whole(shell: InteractiveShell) -> None:
    """Let only the main thread draw and show figures while code runs on it.

    The figures are found when the event is triggered, so matplotlib may be imported before or later.
    """
    events: Any = shell.events
    trigger = events.trigger

    def trigger_all_but_figures(event: str, *args: Any, **kwargs: Any) -> None:
        if event != AFTER_CODE or threading.current_thread() is threading.main_thread() or not _main_thread_runs_code():
            trigger(event, *args, **kwargs)
            return
        others = EventManager(shell, [AFTER_CODE], print_on_error=events.print_on_error)
        others.callbacks[AFTER_CODE] = [each for each in events.callbacks[AFTER_CODE] if not _draws_figures(each)]
        others.trigger(event, *args, **kwargs)

    events.trigger = trigger_all_but_figures


def _main_thread_runs_code() -> bool:
    """Return whether the main thread handles a request or makes a call of a turn.

    ipykernel ignores SIGINT at all other times, and so does `MainThread`. This holds for asynchronous cells, too, and
    for the cell that loads the extension.
    """
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def _draws_figures(callback: Callable[..., Any]) -> bool:
    """Return whether matplotlib or its inline backend has registered the callback."""
    return (getattr(callback, "__module__", None) or "").partition(".")[0] in {"matplotlib", "matplotlib_inline"}
