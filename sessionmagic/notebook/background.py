"""What ``-b`` leaves in ``_agent`` and in the variable of ``-o``: a result that may still be coming."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from sessionmagic.exceptions import NoResultError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.page.answer import note_html, text_html
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from IPython.lib.pretty import RepresentationPrinter


class Work(Protocol):
    """The work of a cell: a turn, or a comparison."""

    result: Any
    """The result; None before the end, and of work that did not start."""

    @property
    def error(self) -> BaseException | None:
        """What prevented the work, or what a cell that waits for it would raise."""

    @property
    def text(self) -> str:
        """The answer so far."""

    def status_line(self, opened_at: float) -> str:
        """Return what the work is and does now."""

    async def ended(self) -> None:
        """Wait for the end, on any event loop."""

    def wait(self) -> None:
        """Wait for the end. The main thread makes the calls that are sent to it meanwhile."""


class Background:
    """A result that may still be coming: ``await x`` waits for it, and so does ``x.result()``.

    When it is there, its attributes are those of the result, and it is displayed like the result.

    Args:
        work: What the result is of.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._opened_at = time.monotonic()

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self._work.ended().__await__()
        return self._raised_or_returned()

    def result(self) -> Any:
        """Wait for the result and return it; raise the error of a turn that has failed. An interrupt ends the wait."""
        self._work.wait()
        return self._raised_or_returned()

    @property
    def finished(self) -> bool:
        """Whether the result is there, or will never be."""
        return self._work.result is not None or self._work.error is not None

    def _raised_or_returned(self) -> Any:
        result = self._work.result
        error = getattr(result, "error", None) or self._work.error
        if isinstance(error, Exception):
            raise error
        if result is None:
            raise NoResultError("it was stopped before it started")
        return result

    def _there(self) -> Any:
        """Return the result; raise `NoResultError` if it is not there."""
        if self._work.result is not None:
            return self._work.result
        if not self.finished:
            raise NoResultError(f"{self!r}; wait with `await`, or with .result()")
        raise NoResultError(repr(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # Python, IPython and others ask for such names to see what an object can do
            raise AttributeError(name)
        return getattr(self._there(), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(dir(self._work.result) if self.finished else ())})

    def __repr__(self) -> str:
        if self._work.result is not None:
            return repr(self._work.result)
        if not self.finished:
            return visible(f"still running: {self._work.status_line(self._opened_at)}")
        return visible(f"did not start: {without_keys(str(self._work.error)) or 'it was stopped'}")

    def __str__(self) -> str:
        return repr(self) if self._work.result is None else str(self._work.result)

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: object) -> None:
        if self._work.result is None:
            printer.text(repr(self))
        else:
            printer.pretty(self._work.result)

    def _repr_html_(self) -> str:
        if self._work.result is not None:
            return str(self._work.result._repr_html_())
        return html_block(framed(text_html(self._work.text) + note_html(repr(self))))

    def _repr_markdown_(self) -> str | None:
        markdown = getattr(self._work.result, "_repr_markdown_", None)
        return None if markdown is None else str(markdown())


class BackgroundTurn(Background):
    """The result of a turn that may still be coming."""

    @property
    def status(self) -> str:
        """``"running"`` until the end; ``"failed"`` if the turn did not start; else that of the result."""
        if not self.finished:
            return "running"
        return "failed" if self._work.result is None else str(self._work.result.status)


class BackgroundAnswers(Background):
    """The answers of a comparison that may still be coming. They can be indexed when they are there."""

    def __getitem__(self, key: Any) -> Any:
        return self._there()[key]

    def __len__(self) -> int:
        return len(self._there())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._there())
