"""Run a ``%%agent --compare`` cell: several models answer the cell's text, side by side."""

from __future__ import annotations

import asyncio
import contextvars
import time
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.comparing.contestants import contestants, parsed_vary
from sessionmagic.conversation.comparison import shown
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.exceptions import SessionMagicError, TurnFailedError, UsageError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import in_thread
from sessionmagic.notebook.background import BackgroundAnswers
from sessionmagic.notebook.cell import keep, launch_of, request_of
from sessionmagic.notebook.cell_session import begun, place_of
from sessionmagic.notebook.cell_work import CellWork, cell_waits
from sessionmagic.notebook.compared import ShownRun, closing, in_session, reveals, voted_line
from sessionmagic.notebook.comparison_area import area_for
from sessionmagic.notebook.judged import judge_line, with_wins
from sessionmagic.notebook.page.comparison import comparison_output
from sessionmagic.notebook.surface import prose_of
from sessionmagic.notebook.view import GuardedView
from sessionmagic.tools.functions import tool_for
from sessionmagic.words import counted

OPEN_SECONDS = 0.2
"""How long a session may take to be claimed before the cell says that it waits for it."""

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from sessionmagic.comparing.answers import Answers
    from sessionmagic.comparing.comparison import Comparison
    from sessionmagic.comparing.judge import Judge
    from sessionmagic.conversation.column import Column
    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.notebook.comparison_area import Area, RunView
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.notebook.output import Displays
    from sessionmagic.turns.request import Request

    T = TypeVar("T")


def run_comparison(context: NotebookContext, options: argparse.Namespace, text: str) -> None:
    """Send the text to several models, each in a branch of the session, and show the answers side by side."""
    from sessionmagic.notebook.page.attention import attention

    compared = contestants(options.compare, parsed_vary(options.vary))
    background = not cell_waits(options, background=options.background and context.front_end.kind.late)
    request = request_of(context, options, text, background=background)
    tools = list(map(tool_for, request.tools))
    left_out = [tool.name for tool in tools if not tool.is_comparable]
    request = replace(request, reuse=False, tools=[tool for tool in tools if tool.is_comparable])

    async def begin(request: Request) -> Comparison:
        return await context.manager.compare(
            request, compared, repeat=options.repeat, blind=options.blind, judge=options.judge
        )

    judge = _judge(options.judge, options.criteria)
    detached = background and bool(options.wait)

    def done(answers: Answers) -> None:
        if not background:
            keep(context, BackgroundAnswers(work) if options.background else answers, options.out)

    work = ComparisonWork(context, judge, done, background=background, detached=detached)
    with work.interruptible(), nullcontext() if background else context.main_thread.served():
        work.begin(begun(context, request, begin, place_of(context, options)), left_out)
        if background:
            if not options.wait:
                work.wait_until_begun()
            keep(context, BackgroundAnswers(work), options.out)
            return
        with attention(context.front_end.kernel):
            work.wait_until_over()


def _judge(model: str, criteria: str) -> Judge | None:
    """Return the judge, if one is named."""
    if not model:
        return None
    from sessionmagic.comparing.judge import Judge

    return Judge(model, criteria)


def _note(context: NotebookContext, left_out: Sequence[str]) -> str:
    """Return which tools are not offered: functions, and the tools of MCP servers as far as these have started."""
    of_servers = [name for each in context.servers.listing() for name in each.tools if name not in each.read_only]
    if not (names := ", ".join([*left_out, *of_servers])):
        return ""
    return f"not offered, because what one model does would change what the others see: {names}"


class ComparisonWork(CellWork):
    """Starts the runs of a comparison, shows them and waits for them.

    Args:
        context: The kernel's context.
        judge: Compares the answers; None for no judge.
        done: Called with the answers, on the loop thread, before the waiting cell continues.
        background: Whether the cell does not wait for the end.
        detached: Whether it does not wait for the beginning either.
    """

    def __init__(
        self,
        context: NotebookContext,
        judge: Judge | None,
        done: Callable[[Answers], object],
        *,
        background: bool,
        detached: bool,
    ) -> None:
        super().__init__(context.main_thread, "comparison interrupted")
        self._context = context
        self._done = done
        self._background = background
        self._detached = detached
        self._stopped = False
        self._launches: list[Launch] = []
        self._judge = judge
        self._awaited: asyncio.Task[Any] | None = None
        """What is awaited before and after the runs: the claim, and the judge."""
        self._begun: Future[None] = Future()
        """Done when the session is claimed, or that has failed."""

    def begin(self, comparison: Coroutine[Any, Any, Comparison], left_out: Sequence[str]) -> None:
        """Begin the comparison, in the context of the calling cell. Raises `UsageError` on the loop thread.

        Args:
            comparison: Claims the session.
            left_out: The names of the functions that are not offered.
        """
        try:
            self._submit(self._run(comparison, left_out))
        except UsageError:
            comparison.close()
            raise

    def status_line(self, opened_at: float) -> str:
        """Return for how long the comparison has run, and how many of its runs have ended."""
        ended = sum(each.result is not None or each.error is not None for each in self._launches)
        runs = f"{ended} of {counted(len(self._launches), 'answer')}" if self._launches else "waiting for the session"
        return f"comparison · {time.monotonic() - opened_at:.0f} s · {runs}"

    def stop(self) -> None:
        """End all runs. Safe at any time, on any thread."""
        self._stopped = True
        if (awaited := self._awaited) is not None:
            self._thread.loop.call_soon_threadsafe(awaited.cancel)
        for launch in list(self._launches):
            launch.stop()

    def wait_until_begun(self) -> None:
        """Wait until the models and the session can be used; raise the error if they cannot."""
        self._thread.wait(self._begun)
        self._raise()

    def wait_until_over(self) -> None:
        """Wait until all runs have ended and are shown. Raises `TurnFailedError` if all have failed."""
        self._wait()

    async def _run(self, beginning: Coroutine[Any, Any, Comparison], left_out: Sequence[str]) -> None:
        note = _note(self._context, left_out)
        area = area_for(self._context, note, self.stop, background=self._background)
        try:
            comparison = await self._claimed(beginning, area)
        except BaseException as error:
            self._error = error  # before the cell goes on that waits for the beginning
            raise
        finally:
            self._begun.set_result(None)
        comparison.on_stop = self.stop
        try:
            views = await self._run_all(comparison, area)
            await self._show_all(comparison, area, views, _note(self._context, left_out))
        finally:
            comparison.leave()
        self._keep(comparison)

    async def _claimed(self, beginning: Coroutine[Any, Any, Comparison], area: Area) -> Comparison:
        """Return the comparison when its session is claimed. If that takes long, the area says so."""
        waiting = self._await(beginning)
        if not self._detached:
            await asyncio.wait([waiting], timeout=OPEN_SECONDS)
        if waiting.done():
            return waiting.result()
        area.wait("waiting for the session …")  # at once if the cell may end before
        try:
            return await waiting
        except BaseException as error:
            area.discard(without_keys(f"{type(error).__name__}: {error}") if self._detached and str(error) else "")
            raise

    def _await(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return a task that `stop` cancels, also if it was called before."""
        self._awaited = task = asyncio.ensure_future(work)
        if self._stopped:
            task.cancel()
        return task

    async def _run_all(self, comparison: Comparison, area: Area) -> list[RunView]:
        """Start all runs, show them until the last one has ended, and return their views."""
        launch = partial(launch_of, self._context, lambda _: None, background=self._background)
        self._launches = [launch(shares=len(comparison.runs)) for _ in comparison.runs]
        if self._stopped:
            self.stop()
        views = [area.view(run.column, each) for run, each in zip(comparison.runs, self._launches, strict=True)]
        with suppress(Exception):  # a comparison is made even if it cannot be shown
            area.open()
        await asyncio.gather(
            *(
                each.run(comparison.start(run), GuardedView(view))
                for run, each, view in zip(comparison.runs, self._launches, views, strict=True)
            )
        )
        return views

    async def _show_all(self, comparison: Comparison, area: Area, views: list[RunView], note: str) -> None:
        """Let the judge compare the answers, and show all of them together."""
        displays = self._context.tools.displays
        runs = [
            replace(_shown(run.column, each, displays), html=view.html)
            for run, each, view in zip(comparison.runs, self._launches, views, strict=True)
        ]
        name = next((run.transcript.session for run in runs if run.transcript.session), "")
        note = "\n".join(filter(None, dict.fromkeys([note, *(each for run in runs for each in run.transcript.notes)])))
        runs, said = await self._judged(comparison, runs, area)
        line = closing(runs, name)
        votes = area.has_buttons and runs[0].column.hidden
        vote = partial(self._vote, comparison.session_id, runs) if votes else None
        apart = votes or area.has_draft
        below = "\n".join(filter(None, [said, "" if apart else line]))
        copied, prose = contextvars.copy_context(), prose_of(self._context)
        output = await in_thread(copied.run, comparison_output, runs, name, below, note, prose)
        try:
            area.finish(output, line if apart else "", vote)
        except Exception:  # noqa: BLE001  widgets may fail in any way
            output.display()

    async def _judged(self, comparison: Comparison, runs: list[ShownRun], area: Area) -> tuple[list[ShownRun], str]:
        """Let the judge, if there is one, compare the answers; return the runs with their wins, and a line about it."""
        if self._judge is None or self._stopped:
            return runs, ""
        with suppress(Exception):
            await in_thread(contextvars.copy_context().run, area.say, f"{self._judge.model} judges …")
        named = runs[0].column.comparison
        judging = self._context.manager.comparisons.judge(comparison.session_id, self._judge, comparison=named)
        try:
            turns: list[TurnRecord] = await self._await(judging)
        except SessionMagicError as error:
            return runs, f"not judged: {error}"
        except asyncio.CancelledError:
            return runs, "not judged, because it was stopped"
        return with_wins(runs, turns[0].verdicts), judge_line(turns)

    def _vote(self, session_id: str, runs: Sequence[ShownRun], choice: str) -> tuple[str, str]:
        """Store a vote that was given by a button, and return a line about it and one about what can be done next."""
        then = reveals(runs[0].transcript.session)
        try:
            turns = self._context.manager.comparisons.vote(session_id, choice, comparison=runs[0].column.comparison)
        except SessionMagicError as error:  # the session may be gone
            return f"not stored: {error}", then
        vote = turns[0].vote
        return voted_line(runs, vote) if vote is not None else "", then

    def _keep(self, comparison: Comparison) -> None:
        results = [each.result for each in self._launches if each.result is not None]
        self.result = answers = comparison.answers_of(results)
        self._done(answers)
        errors = [each.result.error if each.result else each.error for each in self._launches]
        failed = [error for error in errors if error is not None and not isinstance(error, asyncio.CancelledError)]
        if None not in errors and failed:
            hidden = comparison.runs[0].column.hidden
            named = in_session(results[0].session) if results else ""
            raise TurnFailedError(f"all columns failed; {f'%agent reveal{named} shows' if hidden else 'each says'} why")


def _shown(column: Column, launch: Launch, displays: Displays) -> ShownRun:
    transcript = launch.transcript
    if transcript is None:
        stopped = launch.error is None or isinstance(launch.error, asyncio.CancelledError)
        transcript = Transcript(
            status="interrupted" if stopped else "failed",
            error="it was stopped before it was asked" if stopped else f"{type(launch.error).__name__}: {launch.error}",
        )
    return ShownRun(column, shown(transcript, column), displays(transcript))
