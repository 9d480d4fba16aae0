"""Capture the output of one call, without changing where other code prints.

A context variable identifies the running call. Its tasks and `asyncio.to_thread` inherit it, so several calls can be
captured at once, on one thread or on several.
"""

from __future__ import annotations

import builtins
import getpass
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from sessionmagic.notebook.kernel.outputs import CapturedOutput

_current: ContextVar[CapturedOutput | None] = ContextVar("_current", default=None)
"""Where the running call's output goes; None outside a captured call."""
_input_refusal: ContextVar[str] = ContextVar("_input_refusal", default="")
"""Why the running call must not ask for input; empty when it may."""


def is_capturing(output: CapturedOutput) -> bool:
    """Return whether the output of the running code goes to `output`."""
    return _current.get() is output and not output.closed


def refuse_input(reason: str) -> None:
    """Make `input` and `getpass` raise `EOFError` with this reason, in the current context only."""
    _input_refusal.set(reason)


@contextmanager
def capturing(output: CapturedOutput) -> Iterator[None]:
    """Capture the output of this context in `output`, and close `output` at the end.

    Tasks and threads that outlive the block print normally from then on.
    """
    token = _current.set(output)
    _install()
    try:
        yield
    finally:
        _uninstall()
        _current.reset(token)
        output.close()


class _Stream:
    """Stands in for `sys.stdout` or `sys.stderr`, and writes to the running call's output or to the original."""

    def __init__(self, original: Any) -> None:
        vars(self)["original"] = original  # bypasses `__setattr__` below

    def _target(self) -> Any:
        output = _current.get()
        return self.original if output is None or output.closed else output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target() if name in {"write", "writelines", "flush"} else self.original, name)

    def __setattr__(self, name: str, value: object) -> None:
        # While a cell runs, IPython 9 replaces `write` by a function that also stores all output in the history. It
        # would store the output of captured calls without a limit, so it is used only outside captured calls.
        if self._target() is self.original:
            setattr(self.original, name, value)


class _Input:
    """Stands in for `input` or `getpass`, and raises `EOFError` if the running call must not ask."""

    def __init__(self, original: Callable[..., str]) -> None:
        self.original = original

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        if reason := _input_refusal.get():
            raise EOFError(reason)
        return self.original(*args, **kwargs)


_REPLACED: list[tuple[ModuleType, str, type[_Stream | _Input]]] = [
    (sys, "stdout", _Stream),
    (sys, "stderr", _Stream),
    (builtins, "input", _Input),
    (getpass, "getpass", _Input),
]
_lock = threading.Lock()
_captured_calls = 0


def _install() -> None:
    global _captured_calls  # noqa: PLW0603  calls on all threads share the stand-ins
    with _lock:
        _captured_calls += 1
        for module, name, kind in _REPLACED:
            if not isinstance(original := getattr(module, name), kind):
                setattr(module, name, kind(original))


def _uninstall() -> None:
    """Put the originals back after the last call.

    A stand-in that other code has replaced meanwhile, and will put back, stays until a later call ends.
    """
    global _captured_calls  # noqa: PLW0603
    with _lock:
        _captured_calls -= 1
        for module, name, kind in _REPLACED:
            if not _captured_calls and isinstance(found := getattr(module, name), kind):
                setattr(module, name, found.original)
