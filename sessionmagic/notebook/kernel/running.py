"""Running code and functions in the user's shell, with all that they print, show and raise."""

from __future__ import annotations

import asyncio
import base64
import inspect
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher

from sessionmagic.exceptions import ToolError
from sessionmagic.notebook.kernel.capture import keeping, keeps_here, refuse_asking
from sessionmagic.notebook.kernel.outputs import FIGURES, Kept, Ran, RichOutput
from sessionmagic.notebook.kernel.values import said_of
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell
    from pydantic_ai.messages import ToolReturn

NO_ASYNC_INPUT = "an asynchronous function cannot ask for input; write it with def instead of async def"
"""Off the main thread, a question that is left waiting would take the answers to later ones."""
NO_AWAIT = (
    "top-level await does not work here, so nothing was run; "
    "call asyncio.run in another thread, or use run_python_isolated, where await works"
)


def run_code(shell: InteractiveShell, code: str) -> Ran:
    """Run code as a cell of the user's, without a place in the history. Call it on the main thread."""

    def run(_kept: Kept) -> None:
        if _awaits_in_vain(shell, code):
            raise ToolError(NO_AWAIT)
        result = shell.run_cell(code, store_history=False)
        if result.error_before_exec or result.error_in_exec:
            raise result.error_before_exec or result.error_in_exec

    return _captured(shell, run)


def _awaits_in_vain(shell: InteractiveShell, code: str) -> bool:
    """Whether code awaits at its top level, while this thread's loop runs and cannot run it."""
    try:
        asyncio.get_running_loop()
        transformed = shell.transform_cell(code)
    except Exception:  # noqa: BLE001  no loop, as in a terminal; or no Python, which its run says
        return False
    return bool(shell.should_run_async(code, transformed_cell=transformed))


def run_function(shell: InteractiveShell, function: Callable[[], Any]) -> tuple[Any, str, Ran]:
    """Call a function of the user's; return its value, that in words, and all else. Call it on the main thread."""
    value, words = None, ""

    def call(kept: Kept) -> None:
        nonlocal value, words
        value = function()
        shell.events.trigger("post_execute")  # matplotlib shows its figures then
        words = "" if inspect.isawaitable(value) else _described(shell, value, kept)

    ran = _captured(shell, call)
    return value, words, _saying_why(ran)


async def run_awaitable(shell: InteractiveShell, work: Awaitable[Any]) -> tuple[str, Ran]:
    """Await what a function of the user's returned; return its value in words, and all else. On any loop."""
    kept, words, raised = Kept(), "", None
    publisher: Any = shell.display_pub
    hooked = _hooked(publisher, kept) if hasattr(publisher, "register_hook") else nullcontext()
    refuse_asking(NO_ASYNC_INPUT)
    with keeping(kept), hooked:
        try:
            words = await asyncio.to_thread(_described, shell, await work, kept)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            raised = error
    return words, _saying_why(Ran(kept.text, kept.shown, raised))


def _described(shell: InteractiveShell, value: Any, kept: Kept) -> str:
    """Return a value in words; a figure is shown, unless the call has shown one: pyplot shows those that it makes."""
    if value is None:
        return ""
    formatters: Any = shell.display_formatter.formatters  # type: ignore[union-attr]
    for kind in FIGURES if not any(output.is_figure for output in kept.shown) else ():
        if (content := formatters[kind](value)) is not None:
            data, metadata = content if isinstance(content, tuple) else (content, {})
            kept.show(RichOutput({kind: data}, {kind: metadata}))
            break
    return said_of(value)


def returned(ran: Ran, value: str = "") -> ToolReturn[str]:
    """Return what the model gets to see of a call: text, and its figures. Raises `ToolFailed` when it failed."""
    from pydantic_ai.exceptions import ToolFailed
    from pydantic_ai.messages import BinaryContent, ToolReturn

    from sessionmagic.tools.results import cut

    if ran.error is not None:
        raise ToolFailed(cut(ran.text or words_of(ran.error)))
    images = [output.image for output in ran.shown if output.image]
    count = sum(output.is_figure for output in ran.shown)
    note = f"[{count} figure{'s' if count > 1 else ''} shown to the user]" if count else ""
    text = "\n".join(filter(None, [ran.text, value, note]))
    figures = [BinaryContent(base64.b64decode(content), media_type=kind) for kind, content in images]
    return ToolReturn(text or "(no output)", content=figures or None)


def _saying_why(ran: Ran) -> Ran:
    """Have the text say what was raised: no traceback does."""
    if ran.error is not None:
        ran.text = "\n".join(filter(None, [ran.text, words_of(ran.error)]))
    return ran


def _captured(shell: InteractiveShell, call: Callable[[Kept], None]) -> Ran:
    kept, raised = Kept(), None
    with (
        shell.display_trap,
        _tame(shell, kept),
        keeping(kept),
        _kept_values(shell, kept),
        _kept_displays(shell, kept),
        _kept_help(shell, kept),
    ):
        try:
            call(kept)
        except BaseException as error:  # noqa: BLE001  for the model to see, and the caller to act on
            raised = error
    return Ran(kept.text, kept.shown, raised)


@contextmanager
def _kept_displays(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Keep what is displayed, instead of showing it."""
    publisher: Any = shell.display_pub
    if hasattr(publisher, "register_hook"):
        with _hooked(publisher, kept):
            yield
        return
    keeper = CapturingDisplayPublisher(outputs=[])
    shell.display_pub = keeper
    try:
        yield
    finally:
        shell.display_pub = publisher
        for output in keeper.outputs:
            kept.take({"msg_type": "update_display_data" if output["update"] else "display_data", "content": output})


@contextmanager
def _hooked(publisher: Any, kept: Kept) -> Iterator[None]:
    """Keep what the call displays on this thread, and let pass what others do."""

    def keep(message: dict[str, Any]) -> dict[str, Any] | None:
        if not keeps_here(kept):
            return message
        kept.take(message)
        return None

    publisher.register_hook(keep)
    try:
        yield
    finally:
        publisher.unregister_hook(keep)


@contextmanager
def _kept_values(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Keep what the last line of code gives."""
    formatter: Any = shell.display_formatter
    hook = sys.displayhook

    def keep(value: object) -> None:
        if not keeps_here(kept):
            hook(value)
        elif value is not None:
            kept.show(RichOutput(*formatter.format(value)))

    sys.displayhook = keep
    try:
        yield
    finally:
        sys.displayhook = hook


@contextmanager
def _kept_help(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Keep what ``name?`` says, instead of opening a pager."""
    hooks: Any = shell.hooks
    pager = hooks.show_in_pager

    def keep(data: Any, **options: Any) -> None:
        if keeps_here(kept):
            kept.write_line(data["text/plain"] if isinstance(data, dict) else str(data))
        else:
            pager(data, **options)

    hooks.show_in_pager = keep
    try:
        yield
    finally:
        hooks.show_in_pager = pager


@contextmanager
def _tame(shell: InteractiveShell, kept: Kept) -> Iterator[None]:
    """Have tracebacks printed, instead of being an error of the cell, and keep `exit()` from ending the kernel."""

    def show(_kind: object, _error: object, lines: list[str]) -> None:
        kept.write_line("\n".join(lines))

    def refuse() -> None:
        raise SystemExit("exit() cannot end the user's kernel")

    tamed = {"_showtraceback": show, "ask_exit": refuse}
    before = {name: vars(shell)[name] for name in tamed if name in vars(shell)}  # a call within a call
    vars(shell).update(tamed)
    try:
        yield
    finally:
        for name in tamed:
            del vars(shell)[name]
        vars(shell).update(before)
