"""Running code and functions in the user's shell, with all that they print, show and raise."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from typing import TYPE_CHECKING, Any, TextIO

from IPython.core.displaypub import CapturingDisplayPublisher

from sessionmagic.exceptions import words_of
from sessionmagic.notebook.outputs import Kept, Ran, RichOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell


def run_code(shell: InteractiveShell, code: str) -> Ran:
    """Run code as a cell of the user's, without a place in the history. Call it on the main thread."""

    def run() -> Any:
        result = shell.run_cell(code, store_history=False)
        if result.error_before_exec or result.error_in_exec:
            raise result.error_before_exec or result.error_in_exec
        return None  # what the last line gave was shown

    return _captured(shell, run)


def run_function(shell: InteractiveShell, function: Callable[[], Any]) -> tuple[Any, Ran]:
    """Call a function of the user's and return its value and all else. Call it on the main thread."""
    values: list[Any] = []

    def call() -> None:
        values.append(function())
        shell.events.trigger("post_execute")  # matplotlib shows its figures then

    ran = _captured(shell, call)
    if ran.error is not None:
        ran.text = "\n".join(filter(None, [ran.text, words_of(ran.error)]))
    return (values[0] if values else None), ran


def _captured(shell: InteractiveShell, call: Callable[[], Any]) -> Ran:
    kept, raised = Kept(), None
    with (
        shell.display_trap,
        _tame(shell, kept),
        redirect_stdout(_OfThisThread(kept, sys.stdout)),
        redirect_stderr(_OfThisThread(kept, sys.stderr)),
        _kept_displays(shell, kept),
    ):
        try:
            call()
        except BaseException as error:  # noqa: BLE001  for the model to see, and the caller to act on
            raised = error
    return Ran(kept.text, kept.shown, raised)


@contextmanager
def _kept_displays(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Keep what this thread displays, instead of showing it."""
    formatter: Any = shell.display_formatter
    publisher: Any = shell.display_pub
    hook, thread = sys.displayhook, threading.get_ident()

    def keep(message: dict[str, Any]) -> None:
        if "data" in (content := message["content"]):
            kept.show(RichOutput(content["data"], content.get("metadata")))

    def keep_value(value: object) -> None:
        if threading.get_ident() != thread:
            hook(value)
        elif value is not None:
            kept.show(RichOutput(*formatter.format(value)))

    sys.displayhook = keep_value
    try:
        if hasattr(publisher, "register_hook"):
            publisher.register_hook(keep)
            try:
                yield
            finally:
                publisher.unregister_hook(keep)
        else:
            keeper = CapturingDisplayPublisher(outputs=[])
            shell.display_pub = keeper
            try:
                yield
            finally:
                shell.display_pub = publisher
                for output in keeper.outputs:
                    kept.show(RichOutput(output["data"], output["metadata"]))
    finally:
        sys.displayhook = hook


@contextmanager
def _tame(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Have tracebacks printed, instead of being an error of the cell, and keep `exit()` from ending the kernel."""

    def show(_kind: object, _error: object, lines: list[str]) -> None:
        kept.write_line("\n".join(lines))

    def refuse() -> None:
        raise SystemExit("the kernel stays")

    tamed = {"_showtraceback": show, "ask_exit": refuse}
    before = {name: vars(shell)[name] for name in tamed if name in vars(shell)}  # a call within a call
    vars(shell).update(tamed)
    try:
        yield
    finally:
        for name in tamed:
            del vars(shell)[name]
        vars(shell).update(before)


class _OfThisThread(TextIOBase):
    """A stream that keeps what the thread writes that made it; what others write goes on to where it went before."""

    def __init__(self, kept: TextIOBase, others: TextIO) -> None:
        self._kept = kept
        self._others = others
        self._thread = threading.get_ident()

    def __setattr__(self, name: str, value: object) -> None:
        if name != "write":  # IPython puts one there that keeps every line for ever
            super().__setattr__(name, value)

    def write(self, text: str) -> int:
        return self._mine().write(text)

    def flush(self) -> None:
        self._mine().flush()

    def set_parent(self, parent: object) -> None:
        """Let ipykernel say under which cell another thread writes from now on."""
        self._others.set_parent(parent)  # type: ignore[attr-defined]

    def _mine(self) -> TextIOBase | TextIO:
        return self._kept if threading.get_ident() == self._thread else self._others
