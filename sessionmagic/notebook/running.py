"""Running code and functions in the user's shell, with all that they print, show and raise."""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import TextIOBase
from typing import TYPE_CHECKING, Any, TextIO

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.display import publish_display_data

from sessionmagic.notebook.rendering import clean_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

TEXT_LIMIT = 20_000
"""Characters of output that are kept: half of it from the beginning, half from the end."""
SHOWN_LIMIT = 10
"""Figures and other rich outputs of one call that are kept and shown."""
IMAGES = ("image/png", "image/jpeg")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Ran:
    """What came of a call: text in the order in which it appeared, rich outputs, and what it raised."""

    text: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """MIME bundles."""
    error: BaseException | None = None

    @property
    def images(self) -> list[tuple[str, str]]:
        """MIME type and base64 content of each figure."""
        return [(kind, data[kind]) for data in self.shown for kind in IMAGES[:1] if kind in data]

    def display(self) -> None:
        """Show the rich outputs under the cell, where they stay."""
        for data in self.shown:
            harmless = {kind: data[kind] for kind in (*IMAGES, "text/plain") if kind in data}
            if "text/html" in data:
                harmless["text/html"] = clean_html(data["text/html"])
            if set(harmless) - {"text/plain"}:
                publish_display_data(harmless)


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
        ran.text = "\n".join(filter(None, [ran.text, f"{type(ran.error).__name__}: {ran.error}"]))
    return (values[0] if values else None), ran


def _captured(shell: InteractiveShell, call: Callable[[], Any]) -> Ran:
    ran = Ran()
    printed = _Bounded()
    with (
        shell.display_trap,
        _tame(shell, printed),
        redirect_stdout(_OfThisThread(printed, sys.stdout)),
        redirect_stderr(_OfThisThread(printed, sys.stderr)),
        _kept_displays(shell, ran.shown),
    ):
        try:
            call()
        except BaseException as error:  # noqa: BLE001  for the model to see, and the caller to act on
            ran.error = error
    lines = [data.get("text/plain", "") for data in ran.shown if not set(IMAGES) & set(data)]
    ran.text = "\n".join(filter(None, [printed.text.rstrip("\n"), *lines]))
    return ran


@contextmanager
def _kept_displays(shell: InteractiveShell, shown: list[dict[str, Any]]) -> Iterator[None]:
    """Keep what this thread displays, instead of showing it."""

    def keep(message: dict[str, Any]) -> None:
        if "data" in message["content"] and len(shown) < SHOWN_LIMIT:
            shown.append(message["content"]["data"])

    def keep_value(value: object) -> None:
        if value is not None and len(shown) < SHOWN_LIMIT:
            shown.append(formatter.format(value)[0])

    formatter: Any = shell.display_formatter
    publisher: Any = shell.display_pub
    hook = sys.displayhook
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
                shown += [output["data"] for output in keeper.outputs][:SHOWN_LIMIT]
    finally:
        sys.displayhook = hook


@contextmanager
def _tame(shell: InteractiveShell, printed: _Bounded) -> Iterator[None]:
    """Have tracebacks printed, instead of being an error of the cell, and keep `exit()` from ending the kernel."""

    def show(_kind: object, _error: object, lines: list[str]) -> None:
        printed.write(_ANSI.sub("", "\n".join(lines)) + "\n")

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

    def _mine(self) -> TextIOBase | TextIO:
        return self._kept if threading.get_ident() == self._thread else self._others


class _Bounded(TextIOBase):
    """A stream that keeps the beginning and the end of what is written to it, about `TEXT_LIMIT` characters."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._room = TEXT_LIMIT // 2
        self._kept = 0
        """Characters in the tail."""
        self._lost = 0

    def write(self, text: str) -> int:
        if head := text[: self._room]:
            self._head.append(head)
            self._room -= len(head)
        if tail := text[len(head) :][-TEXT_LIMIT:]:
            self._lost += len(text) - len(head) - len(tail)
            self._tail.append(tail)
            self._kept += len(tail)
            while self._kept - len(self._tail[0]) >= TEXT_LIMIT // 2:
                self._kept -= len(self._tail[0])
                self._lost += len(self._tail.popleft())
        return len(text)

    @property
    def text(self) -> str:
        tail = "".join(self._tail)
        lost = self._lost + max(0, len(tail) - TEXT_LIMIT // 2)
        cut = f"\n[cut: {lost:,} characters]\n" if lost else ""
        return "".join([*self._head, cut, tail[-TEXT_LIMIT // 2 :]])
