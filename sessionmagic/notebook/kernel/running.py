"""Run code and functions in the user's shell, and capture what they print, display and raise."""

from __future__ import annotations

import asyncio
import base64
import inspect
import sys
from contextlib import contextmanager, nullcontext
from types import MethodType
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_own_thread, is_cancelled
from sessionmagic.notebook.kernel.capture import capturing, is_capturing, refuse_input
from sessionmagic.notebook.kernel.outputs import FIGURES, CallResult, CapturedOutput, RichOutput
from sessionmagic.notebook.kernel.values import describe_safely
from sessionmagic.words import counted, words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pydantic_ai.messages import ToolReturn

NO_ASYNC_INPUT = "an asynchronous function cannot ask for input; write it with def instead of async def"
"""Off the main thread, an `input` that nobody answers would swallow the answer to a later one."""
NO_AWAIT = (
    "top-level await does not work here, so nothing was run; "
    "call asyncio.run in another thread, or use run_python_isolated, where await works"
)


def run_code(shell: InteractiveShell, code: str, output: CapturedOutput) -> CallResult:
    """Run code as the user's cells run, but without adding it to the history. Call this on the main thread.

    Args:
        shell: The user's shell.
        code: The code.
        output: Captures what the code prints and displays.
    """

    def run(_output: CapturedOutput) -> None:
        if _needs_another_loop(shell, code):
            raise ToolError(NO_AWAIT)
        result = shell.run_cell(code, store_history=False)
        if result.error_before_exec or result.error_in_exec:
            raise result.error_before_exec or result.error_in_exec

    result = _run_captured(shell, run, output)
    return _with_error_in_text(result) if isinstance(result.error, KeyboardInterrupt) else result


def _needs_another_loop(shell: InteractiveShell, code: str) -> bool:
    """Return whether code has a top-level await that cannot run here, because this thread's loop is running."""
    try:
        asyncio.get_running_loop()
        transformed = shell.transform_cell(code)
    except Exception:  # noqa: BLE001  no loop runs, as in a terminal; or running the code will raise its SyntaxError
        return False
    return bool(shell.should_run_async(code, transformed_cell=transformed))


def run_function(
    shell: InteractiveShell, function: Callable[[], Any], output: CapturedOutput
) -> tuple[Any, str, CallResult]:
    """Call a user's function; return its value, a description of it, and a `CallResult` of the captured output.

    An awaitable value is neither awaited nor described. Call this on the main thread.
    """
    value, description = None, ""

    def call(output: CapturedOutput) -> None:
        nonlocal value, description
        value = function()
        shell.events.trigger("post_execute")  # matplotlib_inline displays open figures on this event
        description = "" if inspect.isawaitable(value) else _describe_and_show(shell, value, output)

    result = _run_captured(shell, call, output)
    return value, description, _with_error_in_text(result)


async def run_awaitable(
    shell: InteractiveShell, work: Awaitable[Any], output: CapturedOutput
) -> tuple[str, CallResult]:
    """Await the result of a user's function; return a description of its value, and a `CallResult`.

    It can run on any loop.
    """
    description, raised = "", None
    publisher: Any = shell.display_pub
    hook = _display_hook(publisher, output) if hasattr(publisher, "register_hook") else nullcontext()
    refuse_input(NO_ASYNC_INPUT)
    with capturing(output), hook:
        try:
            # A slow repr must not block the loop, on which other calls run.
            description = await in_own_thread(_describe_and_show, shell, await work, output)
        except BaseException as error:
            # A CancelledError means that the turn was stopped only if this task was cancelled. Otherwise the user's
            # code has raised it, which is an error like any other.
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            raised = error
    return description, _with_error_in_text(CallResult(output.text, output.shown, raised))


def _describe_and_show(shell: InteractiveShell, value: Any, output: CapturedOutput) -> str:
    """Describe a value, and show it if it is a figure.

    It is not shown if the call has shown a figure already: pyplot displays the figures that it makes itself.
    """
    if value is None:
        return ""
    formatters: Any = shell.display_formatter.formatters  # type: ignore[union-attr]
    for kind in FIGURES if not any(shown.is_figure for shown in output.shown) else ():
        if (content := formatters[kind](value)) is not None:
            data, metadata = content if isinstance(content, tuple) else (content, {})
            output.show(RichOutput({kind: data}, {kind: metadata}))
            break
    return describe_safely(value)


def tool_return(result: CallResult, description: str = "", *, otherwise: str = "(no output)") -> ToolReturn[str]:
    """Return a call's text, value and figures for the model, or `otherwise`. Raises `ToolFailed` if the call failed."""
    from pydantic_ai.exceptions import ToolFailed
    from pydantic_ai.messages import BinaryContent, ToolReturn

    from sessionmagic.tools.results import cut

    if result.error is not None:
        raise ToolFailed(cut(result.text or words_of(result.error)))
    images = [output.image for output in result.shown if output.image]
    count = sum(output.is_figure for output in result.shown)
    note = f"[{counted(count, 'figure')} shown to the user]" if count else ""
    text = "\n".join(filter(None, [result.text, description, note]))
    figures = [BinaryContent(base64.b64decode(content), media_type=kind) for kind, content in images]
    return ToolReturn(text or otherwise, content=figures or None)


def _with_error_in_text(result: CallResult) -> CallResult:
    """Append the error to the text: a call of a function, unlike a cell, prints no traceback."""
    if result.error is not None:
        result.text = "\n".join(filter(None, [result.text, words_of(result.error)]))
    return result


def _run_captured(
    shell: InteractiveShell, call: Callable[[CapturedOutput], None], output: CapturedOutput
) -> CallResult:
    raised = None
    with (
        shell.display_trap,  # entered first, so that `run_cell` does not undo what `_captured_values` sets
        _contained(shell, output),
        capturing(output),
        _captured_values(shell, output),
        _captured_displays(shell, output),
        _captured_help(shell, output),
    ):
        try:
            call(output)
        except BaseException as error:  # noqa: BLE001  the model reads it, and the caller decides what it means
            raised = error
    return CallResult(output.text, output.shown, raised)


@contextmanager
def _captured_displays(shell: InteractiveShell, output: CapturedOutput) -> Iterator[None]:
    """Capture the objects that are passed to `display`."""
    publisher: Any = shell.display_pub
    if hasattr(publisher, "register_hook"):
        with _display_hook(publisher, output):
            yield
        return
    # A terminal's publisher has no hooks; IPython's own replacement for it collects what is displayed.
    collector = CapturingDisplayPublisher(outputs=[])
    shell.display_pub = collector
    try:
        yield
    finally:
        shell.display_pub = publisher
        for content in collector.outputs:
            kind = "update_display_data" if content["update"] else "display_data"
            output.handle({"msg_type": kind, "content": content})


@contextmanager
def _display_hook(publisher: Any, output: CapturedOutput) -> Iterator[None]:
    """Capture the call's displays on this thread, and let other messages pass.

    ipykernel (6 and 7) keeps the hooks of its publisher by thread. A message is not sent when a hook returns None.
    """

    def capture(message: dict[str, Any]) -> dict[str, Any] | None:
        if not is_capturing(output):
            return message
        output.handle(message)
        return None

    publisher.register_hook(capture)
    try:
        yield
    finally:
        publisher.unregister_hook(capture)


@contextmanager
def _captured_values(shell: InteractiveShell, output: CapturedOutput) -> Iterator[None]:
    """Capture the value of the code's last line, which IPython passes to `sys.displayhook`."""
    formatter: Any = shell.display_formatter
    original = sys.displayhook

    def capture(value: object) -> None:
        if not is_capturing(output):
            original(value)
        elif value is not None:
            output.show(RichOutput(*formatter.format(value)))

    sys.displayhook = capture
    try:
        yield
    finally:
        sys.displayhook = original


@contextmanager
def _captured_help(shell: InteractiveShell, output: CapturedOutput) -> Iterator[None]:
    """Capture what ``name?`` would show in a pager."""
    hooks: Any = shell.hooks
    pager = hooks.show_in_pager

    def capture(data: Any, **options: Any) -> None:
        if is_capturing(output):
            output.write_line(data["text/plain"] if isinstance(data, dict) else str(data))
        else:
            pager(data, **options)

    hooks.show_in_pager = capture
    try:
        yield
    finally:
        hooks.show_in_pager = pager


@contextmanager
def _contained(shell: InteractiveShell, output: CapturedOutput) -> Iterator[None]:
    """Capture tracebacks, and keep `exit()` from ending the kernel.

    ipykernel's `_showtraceback` would send the page an error, which marks the running cell as failed. xeus-python's
    `run_cell_async` takes other arguments than `run_cell` gives it.
    """

    def show_traceback(kind: type[BaseException], _error: object, lines: list[str]) -> None:
        if not issubclass(kind, KeyboardInterrupt):  # where the user has interrupted the code is no error of the code
            output.write_line("\n".join(lines))

    def refuse_exit() -> None:
        raise SystemExit("exit() cannot end the user's kernel")

    run_cell_async = MethodType(InteractiveShell.run_cell_async, shell)
    overrides = {"_showtraceback": show_traceback, "ask_exit": refuse_exit, "run_cell_async": run_cell_async}
    outer = {name: vars(shell)[name] for name in overrides if name in vars(shell)}  # of a call that runs this one
    vars(shell).update(overrides)
    try:
        yield
    finally:
        for name in overrides:
            del vars(shell)[name]
        vars(shell).update(outer)
