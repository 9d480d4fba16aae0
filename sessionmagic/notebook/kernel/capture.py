"""Keeping what a call prints, while others go on to print where they did.

A call is known by its context, which its tasks share: several may run at once, on one thread or on more.
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

    from sessionmagic.notebook.kernel.outputs import Kept

_keeping: ContextVar[Kept | None] = ContextVar("_keeping", default=None)
_unasking: ContextVar[str] = ContextVar("_unasking", default="")


def keeps_here(kept: Kept) -> bool:
    """Whether it is there for what the running code writes and shows."""
    return _keeping.get() is kept and not kept.closed


def refuse_asking(why: str) -> None:
    """Have `input` fail with these words in what this context keeps."""
    _unasking.set(why)


@contextmanager
def keeping(kept: Kept) -> Iterator[None]:
    """Keep in `kept` what this context prints, and close it; what it leaves behind prints where others do."""
    now = _keeping.set(kept)
    _put_in()
    try:
        yield
    finally:
        _take_out()
        _keeping.reset(now)
        kept.close()


class _Stream:
    """Stands in for `sys.stdout` or `sys.stderr`: hands on to what keeps the running call's output, or to others."""

    def __init__(self, before: Any) -> None:
        vars(self)["before"] = before

    def _target(self) -> Any:
        kept = _keeping.get()
        return self.before if kept is None or kept.closed else kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target() if name in {"write", "writelines", "flush"} else self.before, name)

    def __setattr__(self, name: str, value: object) -> None:
        if self._target() is self.before:  # IPython puts a `write` there that keeps every line for ever
            setattr(self.before, name, value)


class _Asking:
    """Stands in for `input` or `getpass`: asks, unless the running call may not."""

    def __init__(self, before: Callable[..., str]) -> None:
        self.before = before

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        if why := _unasking.get():
            raise EOFError(why)
        return self.before(*args, **kwargs)


_PLACES: list[tuple[ModuleType, str, type[_Stream | _Asking]]] = [
    (sys, "stdout", _Stream),
    (sys, "stderr", _Stream),
    (builtins, "input", _Asking),
    (getpass, "getpass", _Asking),
]
_changing = threading.Lock()
_calls = 0


def _put_in() -> None:
    global _calls  # noqa: PLW0603  a count of all calls
    with _changing:
        _calls += 1
        for module, name, kind in _PLACES:
            if not isinstance(before := getattr(module, name), kind):
                setattr(module, name, kind(before))


def _take_out() -> None:
    """Take the stand-ins out after the last call. One that somebody has covered stays, and is taken out later."""
    global _calls  # noqa: PLW0603
    with _changing:
        _calls -= 1
        for module, name, kind in _PLACES:
            if not _calls and isinstance(found := getattr(module, name), kind):
                setattr(module, name, found.before)
