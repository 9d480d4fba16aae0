"""The code that runs for a tool call. It must not change what tool calls may do: that is for the user alone.

A context variable names the tool. The tasks of a call and `asyncio.to_thread` inherit it, as does code on the main
thread, which runs in the context of its call. Threads inherit no context, so `threading.Thread.start` is wrapped: it
sets the variable in each thread that a call starts, and nothing else, as such a thread prints like any other. The
thread keeps it after the call, because it still runs the call's code.

The threads of a pool run the code of many, so `ThreadPoolExecutor.submit` is wrapped, too: the variable is what it was
where the work was submitted, whoever started the thread. (Other pools, such as `multiprocessing.pool.ThreadPool`, are
like threads: those that a call starts run all their work in its name.)

This stops code that calls our functions. It is no sandbox: code in the user's kernel can do what the user can do.
"""

from __future__ import annotations

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

ISOLATED = "SESSIONMAGIC_TOOL"
"""The environment variable that names the tool in a process in which all code runs for it."""

_everywhere = os.environ.get(ISOLATED, "")
_tool: ContextVar[str] = ContextVar("_tool", default=_everywhere)
"""The tool for whose call the running code runs; empty for all other code."""


@contextmanager
def running(tool: str) -> Iterator[None]:
    """Mark the code within the block as that of a call of the tool."""
    _mark_threads()
    _mark_submitted_work()
    token = _tool.set(tool)
    try:
        yield
    finally:
        _tool.reset(token)


def runs_for_a_tool() -> bool:
    """Return whether the calling code runs for a tool call."""
    return bool(_tool.get())


def running_tool() -> str:
    """Return the name of the tool for whose call the calling code runs; empty if there is none."""
    return _tool.get()


def refuse_tools(what: str) -> None:
    """Raise `ToolError` if the calling code runs for a tool call, which cannot do `what`."""
    if tool := _tool.get():
        raise ToolError(f"code that {tool} runs cannot {what}; ask the user to do it in a cell")


def _mark_threads() -> None:
    start = threading.Thread.start
    if hasattr(start, "marks_threads"):
        return

    @functools.wraps(start)
    def start_marked(thread: threading.Thread) -> None:
        if tool := _tool.get():
            run = thread.run

            def run_marked() -> None:
                _tool.set(tool)
                run()

            thread.run = run_marked  # type: ignore[method-assign]
        start(thread)

    start_marked.marks_threads = True  # type: ignore[attr-defined]
    threading.Thread.start = start_marked  # type: ignore[assignment, method-assign]


def _mark_submitted_work() -> None:
    submit: Any = ThreadPoolExecutor.submit
    if hasattr(submit, "marks_work"):
        return

    @functools.wraps(submit)
    def submit_marked(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = submit(pool, functools.partial(_run_for, _tool.get(), work), *args, **options)
        return future

    submit_marked.marks_work = True  # type: ignore[attr-defined]
    ThreadPoolExecutor.submit = submit_marked  # type: ignore[assignment, method-assign]


def _run_for(tool: str, work: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
    """Do a pool's work for the tool, or for nobody if `tool` is empty."""
    token = _tool.set(tool)
    try:
        return work(*args, **options)
    finally:
        _tool.reset(token)
