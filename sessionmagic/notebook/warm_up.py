"""Import and make what every turn uses, while the user is still writing the first cell."""

from __future__ import annotations

import ast
import asyncio
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sessionmagic.garbage import uncollected
from sessionmagic.loop import loop_is_started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.context import NotebookContext

QUIET_SECONDS = 0.3
"""How long no cell must have run before a step begins, so that cells that run in a row are not slowed."""
STEP_SECONDS = 5.0
"""How long a cell waits for a step at most; the longest takes less than a second."""
MODULES = (
    "ipywidgets",
    "sessionmagic.notebook.cell",
    "sessionmagic.notebook.launch",
    "sessionmagic.notebook.page.widgets",
    "sessionmagic.notebook.page.draft",
    "sessionmagic.notebook.page.slots",
    "sessionmagic.notebook.prompts",
    "sessionmagic.notebook.surface",
    "sessionmagic.notebook.cells_behind",
    "sessionmagic.notebook.kernel.tools",
    "sessionmagic.manager",
    # Some of what pydantic-ai imports, because a cell that comes meanwhile waits for the whole step.
    "pydantic",
    "httpx2",
    "genai_prices",
    "pydantic_graph",
    "pydantic_ai",
    "sessionmagic.turns.agent_run",
    "sessionmagic.turns.compaction",
    "sessionmagic.turns.guard",
    "sessionmagic.turns.answering",
    "sessionmagic.turns.reading",
    "sessionmagic.turns.reuse",
    "sessionmagic.turns.sent_content",
)
"""What the first turn would import, in the order of use. Each is one step."""


class WarmUp:
    """Works on a daemon thread, one step at a time, and never while a cell runs.

    A cell that comes during a step waits for the end of that step. If both went on importing, Python would break up
    what it takes for a deadlock, and let one of them see modules that are only partly initialized.

    Nothing depends on the work: a cell that comes first imports everything itself, and then the work ends. Errors are
    dropped, as that cell raises them again where the user sees them.
    """

    def __init__(self, context: NotebookContext) -> None:
        self._context = context
        self._cell = threading.Event()
        """Set while a cell runs."""
        self._cell.set()
        self._no_cell = threading.Event()
        """Set while no cell runs."""
        self._quiet_at = 0.0
        self._step = threading.Lock()
        """Held during a step."""
        self._steps: SimpleQueue[Callable[[], object]] = SimpleQueue()
        for name in MODULES:
            self._steps.put(partial(import_module, name))
        for step in (self._resolve_default, ask_test_model, prepare_store, render_answer):
            self._steps.put(step)
        self._interrupted = InterruptedCell()
        context.shell.events.register("pre_execute", self._before_cell)
        context.shell.events.register("post_execute", self._after_cell)
        context.settings.observe(self._model_changed, ["model", "endpoints"])
        if not has_run_a_cell(context.shell):  # a configuration file loads the extension
            self.resume()
        with suppress(RuntimeError):  # no thread can be started
            threading.Thread(target=self._work, name="sessionmagic warm-up", daemon=True).start()

    def stop(self) -> None:
        """Begin no further step, and wait for none."""
        self._no_cell.clear()
        self._cell.set()

    def pause(self) -> None:
        """Begin no further step, and wait for one that has begun."""
        self.stop()
        if self._step.acquire(timeout=STEP_SECONDS):
            self._step.release()

    def resume(self) -> None:
        """Go on after `QUIET_SECONDS`."""
        self._quiet_at = time.monotonic() + QUIET_SECONDS
        self._cell.clear()
        self._no_cell.set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause within the block, unless a cell runs."""
        if self._cell.is_set():
            yield
            return
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def _before_cell(self) -> None:
        try:
            self.pause()
        except KeyboardInterrupt:  # IPython would print it, and run the cell
            self._context.shell.ast_transformers.append(self._interrupted)

    def _after_cell(self) -> None:
        if self._interrupted in (transformers := self._context.shell.ast_transformers):
            transformers.remove(self._interrupted)
        self.resume()

    def _work(self) -> None:
        while True:
            step = self._steps.get()
            self._begin_step()
            try:
                if loop_is_started():  # the first turn imports the rest, and may go on doing so after its cell
                    return
                with suppress(BaseException), uncollected():
                    step()
            finally:
                self._step.release()

    def _begin_step(self) -> None:
        """Wait until no cell has run for `QUIET_SECONDS`."""
        while True:
            self._no_cell.wait()
            if not self._cell.wait(max(0.0, self._quiet_at - time.monotonic())):
                self._step.acquire()
                if not self._cell.is_set():
                    return
                self._step.release()

    def _model_changed(self, _change: object) -> None:
        self._steps.put(self._resolve_default)

    def _resolve_default(self) -> None:
        """Import the SDK of the default model and make its client. It asks no server."""
        models = self._context.manager.models
        models.resolve(models.default)
        if "openai" in sys.modules:
            build_chunk()


def build_chunk() -> None:
    """Read one of OpenAI's chunks, whose types pydantic completes when they are first used."""
    from openai.types.chat import ChatCompletionChunk

    ChatCompletionChunk.model_rebuild()


def prepare_store() -> None:
    """Make what checks a stored session."""
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.storage.validation import validator

    validator(Session)
    validator(TurnRecord)


def has_run_a_cell(shell: InteractiveShell) -> bool:
    """Return whether the shell runs a cell, or has run one that it keeps in its history."""
    history = shell.history_manager
    return history is None or len(history.input_hist_parsed) > 1


class InterruptedCell(ast.NodeTransformer):
    """Replaces the code of a cell that was interrupted before it began."""

    def visit(self, node: ast.AST) -> ast.AST:  # noqa: ARG002, D102  none of it runs
        return ast.parse("raise KeyboardInterrupt")


def ask_test_model() -> None:
    """Let pydantic-ai's test model answer once, as an agent's first run takes four times as long as the second."""
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    from sessionmagic.turns.messages import as_history, to_json

    async def ask() -> list[Any]:
        agent: Any = Agent(TestModel(call_tools=[]))
        async with agent.run_stream("hello") as answer:
            async for _ in answer.stream_text():
                pass
        messages: list[Any] = answer.all_messages()
        return messages

    as_history(to_json(asyncio.run(ask())))


def render_answer() -> None:
    """Render an answer once, as Markdown and as HTML with coloured code."""
    from sessionmagic.notebook.page.answer import text_html
    from sessionmagic.notebook.page.markdown import safe_markdown

    answer = "```python\n1\n```"
    safe_markdown(answer)
    text_html(answer)
