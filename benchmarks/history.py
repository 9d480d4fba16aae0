"""What a turn costs in a long session: a whole turn beside bare pydantic-ai, ten tool calls, and a kernel's memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, sample
from benchmarks.long_session import PROMPT, fill, manager_on

if TYPE_CHECKING:
    from collections.abc import Callable


LENGTHS = (10, 1_000, 5_000)
CALLS = 10
TURNS, TURNS_A_SESSION = 1_000, 10


def turns(runs: int) -> list[Figure]:
    """Compare turns of the test model with runs of bare pydantic-ai that have the same history."""
    return [figure for length in LENGTHS for figure in _whole_turns(length, 2 * runs + 1)]


def _whole_turns(length: int, runs: int) -> list[Figure]:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    agent = Agent("test")
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), length)
        manager = manager_on(Path(home))
        stored = [message for turn in manager.sessions.load(session_id).turns for message in turn.messages]
        history = ModelMessagesTypeAdapter.validate_python(stored)

        async def bare() -> None:
            async with agent.run_stream_events(PROMPT, message_history=history) as events:
                async for _ in events:
                    pass

        pairs = []
        for _ in range(runs + 1):
            ours = _milliseconds(lambda: manager.run_sync(PROMPT, session=session_id))
            pairs.append((ours, _milliseconds(lambda: _on_loop(bare()))))
    del pairs[0]  # the first turn reads the session
    more = [ours[1] - bare[1] for ours, bare in pairs]
    return [
        Figure(f"a turn in {length:,} turns, ms", sample([ours[0] for ours, _ in pairs])),
        Figure(f"a turn in {length:,} turns, more than bare pydantic-ai, CPU ms", sample(more), at_most=10),
    ]


def tools(runs: int) -> list[Figure]:
    few, *_, many = (_tool_calls(length, runs) for length in (LENGTHS[0], LENGTHS[-1]))
    ratio = sample([long / median(few) for long in many], "{:.1f} ×")
    return [
        *(
            Figure(f"{CALLS} tool calls in {length:,} turns, CPU ms", sample(times, "{:,.0f}"))
            for length, times in ((LENGTHS[0], few), (LENGTHS[-1], many))
        ),
        Figure(
            f"{CALLS} tool calls in {LENGTHS[-1]:,} turns against {LENGTHS[0]}, model that estimates nothing, CPU",
            ratio,
            at_most=2,
        ),
    ]


def _tool_calls(length: int, runs: int) -> list[float]:
    """Return the milliseconds of turns with ten calls, one after the other."""
    from sessionmagic import register_model

    register_model("calls", _calling_model())

    def look(at: int) -> str:
        return f"seen {at}"

    register_model("calls", _calling_model())
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), length)
        manager = manager_on(Path(home))

        def ask() -> None:
            manager.run_sync(PROMPT, session=session_id, model="calls", tools=[look], yes=True)

        times = [_milliseconds(ask)[1] for _ in range(runs + 1)]
        done = manager.sessions.load(session_id).turns[-1].messages
    assert len(done) == 2 * CALLS + 2, f"the turn has {len(done)} messages"
    return times[1:]


def _calling_model() -> Any:
    """Return a model that makes ten calls, then answers. pydantic-ai's own estimates the tokens of all messages."""
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models import Model
    from pydantic_ai.usage import RequestUsage

    class CallingModel(Model):
        model_name, system = "calls", "benchmark"

        async def request(self, messages: list[ModelMessage], *_: object) -> ModelResponse:
            last, step = messages[-1].parts[-1], 0
            if last.part_kind == "tool-return":
                step = int(last.model_response_str().split()[-1]) + 1
            part = ToolCallPart("look", {"at": step}) if step < CALLS else TextPart("Done.")
            return ModelResponse([part], usage=RequestUsage(input_tokens=10, output_tokens=5), model_name="calls")

    return CallingModel()


def memory(_runs: int) -> list[Figure]:
    command = [sys.executable, "-m", "benchmarks.history"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    early, late = json.loads(output.splitlines()[-1])
    return [
        Figure(f"memory after {TURNS:,} turns, MB", sample([late], "{:.0f}")),
        Figure(f"memory after {TURNS:,} turns against {TURNS // 10}", sample([late / early], "{:.2f} ×"), at_most=1.05),
    ]


def main() -> None:
    """Print the megabytes of this process after 100 turns and after 1,000, in sessions of ten turns."""
    import psutil

    sizes = []
    with TemporaryDirectory(prefix="benchmark-") as home:
        manager = manager_on(Path(home))
        for number in range(TURNS):
            manager.run_sync(PROMPT, session=f"session {number // TURNS_A_SESSION}")
            if number + 1 in {TURNS // 10, TURNS}:
                sizes.append(psutil.Process().memory_info().rss / 1e6)
    print(json.dumps(sizes))


def _milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)


def _on_loop(work: Any) -> None:
    from sessionmagic.loop import loop_thread

    loop_thread().submit(work).result()


PARTS = {"turns": turns, "tools": tools, "memory": memory}


if __name__ == "__main__":
    main()
