"""The tools of the user's kernel: look at variables and cells, run code, propose a cell.

The docstring and the parameters of a tool are sent with every model request, so they are short. What a model may still
have to know when it has called the tool, the result says.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.exceptions import ToolError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.kernel.main_thread import NEEDS_A_CELL
from sessionmagic.notebook.kernel.outputs import SVG, CallResult, CapturedOutput, RichOutput, restored
from sessionmagic.notebook.kernel.running import run_code, tool_return
from sessionmagic.notebook.kernel.scratch import ScratchKernels
from sessionmagic.notebook.kernel.user_functions import UserFunctions
from sessionmagic.notebook.kernel.values import describe_safely, inspected, kind_of, learn_keys, short, statistics
from sessionmagic.tools.functions import Tool
from sessionmagic.turns.prints import reported
from sessionmagic.turns.turn import current_call, current_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell
    from pydantic_ai.messages import BinaryContent

    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.notebook.kernel.next_cell import NextCell
    from sessionmagic.notebook.output import Output
    from sessionmagic.turns.turn import Turn

LISTED = 200
"""Variables that a listing shows."""
LAST_CELLS = 10
SHOWN = 2_000
"""Characters of one cell's code or output."""
NOT_RETURNED = "(no output; what threads and other processes print stands under the cell and is not returned)"
SOURCE = "notebook"
LONGEST_SECONDS = 3_600


class KernelTools:
    """The tools that every turn in this kernel offers.

    Args:
        shell: The user's shell.
        main_thread: Runs calls on the main thread.
        next_cell: Takes the proposed cells.
        store: Returns the directory of the store, which isolated code is not told.
    """

    def __init__(
        self, shell: InteractiveShell, main_thread: MainThread, next_cell: NextCell, store: Callable[[], Path]
    ) -> None:
        self._shell = shell
        self._main_thread = main_thread
        self._next_cell = next_cell
        self._displays: WeakKeyDictionary[Turn, dict[str, list[Output]]] = WeakKeyDictionary()
        """What each turn's calls have displayed, by call id."""
        self._scratch = ScratchKernels(store)
        self._ending: dict[str, asyncio.Task[None]] = {}
        """Waits for the ends of turns with processes of their own, by the name of the process."""
        self._functions = UserFunctions(shell, main_thread, self._show)

    def notebook_tools(self, *, background: bool = False) -> list[Tool]:
        """Return the tools. With `background`, those that need a foreground cell have an `obstacle`."""
        looking: list[Callable[..., Any]] = [self.list_variables, self.inspect_variable, self.read_cells]
        acting: list[Callable[..., Any]] = [self.run_python, self.run_python_isolated, self.insert_cell]
        obstacles = {"insert_cell": NEEDS_A_CELL, "run_python": self._obstacle} if background else {}
        return [
            *(Tool(name=each.__name__, function=each, read_only=True, source=SOURCE) for each in looking),
            *(
                Tool(
                    name=name,
                    function=each,
                    alone=True,
                    apart=each == self.run_python_isolated,
                    runs_code=each != self.insert_cell,
                    source=SOURCE,
                    obstacle=obstacles.get(name, ""),
                )
                for each in acting
                if (name := each.__name__)
            ),
        ]

    def user_tool(self, tool: Tool, *, background: bool = False) -> Tool:
        """Return a user's tool, changed so that it runs in this kernel and describes its value to the model."""
        obstacle = self._obstacle if background and not inspect.iscoroutinefunction(tool.function) else ""
        return replace(tool, function=self._functions.wrap(tool.function), alone=True, obstacle=obstacle)

    @property
    def _obstacle(self) -> str:
        """Why a background turn cannot run code on the main thread; empty where it can."""
        between_cells = getattr(self._shell, "kernel", None) is not None or loop_thread().shares_thread
        return "" if between_cells else NEEDS_A_CELL

    def list_variables(self) -> str:
        """List variables, types and sizes."""
        hidden = self._shell.user_ns_hidden
        names = [name for name in list(self._shell.user_ns) if not name.startswith("_") and name not in hidden]
        lines = [
            f"{name}: {kind_of(value)}"
            for name in names
            if not isinstance(value := self._shell.user_ns.get(name), types.ModuleType)
        ]
        cut = [f"[{len(lines) - LISTED} more]"] if len(lines) > LISTED else []
        return "\n".join([*lines[:LISTED], *cut]) or "(no variables yet)"

    def inspect_variable(self, name: str) -> str:
        """Show schema, first rows, statistics."""
        if name not in self._shell.user_ns:
            raise NameError(f"no variable named {name!r}; call list_variables to see which exist")
        learn_keys(self._shell.user_ns)
        value = self._shell.user_ns[name]
        return "\n".join(filter(None, [inspected(name, value), statistics(value)]))

    def read_cells(self, last: int = LAST_CELLS) -> str:
        """Read the latest cells and their values."""
        learn_keys(self._shell.user_ns)
        history: Any = self._shell.history_manager
        inputs: list[str] = history.input_hist_raw
        outputs: dict[int, Any] = self._shell.user_ns.get("Out", {})
        numbered = [(number, code) for number, code in enumerate(inputs) if code][-max(last, 1) :]
        cells = [
            f"In [{number}]: {short(code, SHOWN)}"
            + (f"\nOut [{number}]: {short(describe_safely(outputs[number]), SHOWN)}" if number in outputs else "")
            for number, code in numbered
        ]
        return "\n\n".join(cells) or "(nothing has been run yet)"

    async def run_python(self, code: str) -> Any:
        """Run code in the notebook, with its variables."""
        output = CapturedOutput()

        def run() -> CallResult:
            result = run_code(self._shell, code, output)
            self._show(result)
            return result

        async with reported(output):
            result = await self._main_thread.run(run)
        return tool_return(result, otherwise=NOT_RETURNED)

    async def run_python_isolated(self, code: str, timeout: float = 30) -> Any:
        """Run code in a process of its own."""
        if not 0 < timeout <= LONGEST_SECONDS:
            raise ValueError(f"the timeout must be more than 0 and at most {LONGEST_SECONDS:,} seconds")
        turn = current_turn.get()
        process = turn.session_id if turn.column is None else self._process_of(turn)
        output = CapturedOutput()
        async with reported(output):
            result = await self._scratch.run(process, code, timeout, output)
        self._show(result)
        return tool_return(result)

    def _process_of(self, turn: Turn) -> str:
        """Return what identifies the process of one turn of a comparison, which ends with the turn."""
        process = f"{turn.session_id}/{turn.id}"
        if process not in self._ending:

            async def end() -> None:
                await turn.result()
                await self._scratch.end(process)
                del self._ending[process]

            self._ending[process] = asyncio.ensure_future(end())
        return process

    async def insert_cell(self, code: str) -> str:
        """Propose a new cell below."""

        def insert() -> None:
            if not self._next_cell.possible:
                raise ToolError("a proposed cell would be lost in this front end; put its code in the answer")
            self._next_cell.propose(code)

        await self._main_thread.run_in_cell(insert)
        return "The cell will be added below when this turn ends. It has not been run."

    def _show(self, result: CallResult) -> None:
        """Let the view of the running turn show what a call has displayed, beside that call."""
        learn_keys(self._shell.user_ns)
        turn, displays = current_turn.get(), result.displays
        if turn.finished:  # the call did not stop with its turn, and the view is closed
            for output in displays:
                output.display()
        elif displays:
            call_id = current_call.get()
            self._displays.setdefault(turn, {}).setdefault(call_id, []).extend(displays)
            turn.displayed[call_id] = result.stored_after(turn.displayed.get(call_id, []))

    def show_picture(self, picture: BinaryContent) -> None:
        """Show a picture that the tool of an MCP server has returned, as if code had displayed it."""
        content = picture.data.decode(errors="replace") if picture.media_type == SVG else picture.data
        self._show(CallResult(shown=[RichOutput({picture.media_type: content})]))

    def displays(self, transcript: Transcript) -> Mapping[str, Sequence[Output]]:
        """Return what the calls of a turn have displayed, by call id. Safe on any thread.

        What the calls of a sub-agent have displayed belongs to the call that it works for.
        """
        for turn, displays in list(self._displays.items()):
            if (turn.session_name, turn.id) == (transcript.session, transcript.turn_id):
                return _by_call(transcript, {call_id: tuple(shown) for call_id, shown in list(displays.items())})
        calls = [block for block in transcript.all_calls if block.displays]
        return _by_call(
            transcript,
            {block.call_id: [output for each in block.displays if (output := restored(each)).data] for block in calls},
        )

    async def end_session(self, session_id: str) -> None:
        """End the session's scratch kernel, if it has one."""
        await self._scratch.end(session_id)

    def close(self) -> None:
        """End all scratch kernels for good, because the user's kernel ends."""
        self._scratch.close()


def _by_call(transcript: Transcript, displays: dict[str, Sequence[Output]]) -> dict[str, Sequence[Output]]:
    """Return the displays of all calls by the calls of the turn itself. Those of unknown calls stay as they are."""
    found: dict[str, Sequence[Output]] = {}
    for block in transcript.blocks:
        if isinstance(block, ToolBlock) and block.work is not None:
            ids = [block.call_id, *(call.call_id for call in block.work.all_calls)]
            if shown := [output for call_id in dict.fromkeys(ids) for output in displays.pop(call_id, ())]:
                found[block.call_id] = shown
    return {**displays, **found}
