"""What a turn costs in a long session: a whole turn beside bare pydantic-ai, ten tool calls, and a kernel's memory.

Times are processor times. Sessions are kept in memory and shared between loads, so what the store costs is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, sample
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.storage.store import not_found
from sessionmagic.storage.without_keys import storable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic import SessionManager
    from sessionmagic.conversation.session import Session

FEW, LENGTHS = 10, (10, 1_000, 5_000)
CALLS = 10
PROMPT = "What spoils a churn model? "
ANSWER = "Leakage, mostly: a column that is filled in after the customer has left. "


class SharedStore(MemoryStore):
    """A store in memory whose sessions are the same objects at each load."""

    def load(self, session_id: str) -> Session:
        if session_id not in self._sessions:
            raise not_found(session_id)
        return self._sessions[session_id]

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        with self._lock:
            before = self.load(session_id)
            self._sessions[session_id] = after = storable(change(before), before)
            return after


def measure(runs: int) -> list[Figure]:
    whole = [_whole_turns(turns, 2 * runs + 1) for turns in LENGTHS]
    few, many = (_tool_calls(turns, runs) for turns in (FEW, LENGTHS[-1]))
    ratio = sample([long / min(few) for long in many], "{:.1f} ×", f"= {min(many):.0f} against {min(few):.0f} ms")
    memory = json.loads(
        subprocess.run(
            [sys.executable, "-m", "benchmarks.history"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.splitlines()[-1]
    )
    growth = sample([memory[1] / memory[0]], "{:.2f} ×", f"= {memory[1]:.0f} against {memory[0]:.0f} MB")
    return [
        *whole,
        Figure(
            f"{CALLS} tool calls in {LENGTHS[-1]:,} turns against {FEW}, model that estimates nothing, CPU",
            ratio,
            at_most=2,
        ),
        Figure("memory after 1,000 turns against 100", growth, at_most=1.05),
    ]


def _whole_turns(turns: int, runs: int) -> Figure:
    """Compare a turn of the test model in a session of so many turns with a run of bare pydantic-ai."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    manager, agent = _filled(turns), Agent("test")
    stored = [message for turn in manager.sessions.load("long").path() for message in turn.messages]
    history = ModelMessagesTypeAdapter.validate_python(stored)

    async def bare() -> None:
        async with agent.run_stream_events(PROMPT, message_history=history) as events:
            async for _ in events:
                pass

    pairs = []
    for _ in range(runs + 1):
        ours = _milliseconds(lambda: manager.run_sync(PROMPT, session="long"))
        pairs.append((ours, _milliseconds(lambda: _on_loop(bare()))))
    more = sample([ours - run for ours, run in pairs[1:]], "{:.1f}", "ms")  # the first turn reads the session
    return Figure(f"a turn in {turns:,} turns, more than bare pydantic-ai, CPU ms", more, at_most=10)


def _tool_calls(turns: int, runs: int) -> list[float]:
    """Return the milliseconds of turns with ten calls, one after the other."""
    from sessionmagic import register_model

    register_model("calls", _calling_model())

    def look(at: int) -> str:
        return f"seen {at}"

    manager = _filled(turns)
    times = [
        _milliseconds(lambda: manager.run_sync(PROMPT, session="long", model="calls", tools=[look], yes=True))
        for _ in range(runs + 1)
    ]
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
            part = ToolCallPart("look", {"at": step}) if step < CALLS else TextPart(ANSWER)
            return ModelResponse([part], usage=RequestUsage(input_tokens=10, output_tokens=5), model_name="calls")

    return CallingModel()


def _filled(turns: int) -> SessionManager:
    """Return a manager with a session of so many turns, each with texts of its own."""
    from sessionmagic import Models, SessionManager

    manager = SessionManager(SharedStore(), Models("test"))
    manager.run_sync(PROMPT, session="long")
    [first] = (session := manager.sessions.load("long")).turns
    records = tuple(
        replace(
            first, id=str(number), parent=str(number - 1) if number > 1 else None, messages=_messages(first, number)
        )
        for number in range(1, turns + 1)
    )
    manager.store.update(
        session.id, lambda stored: replace(stored, turns=records, head=records[-1].id, turns_started=turns)
    )
    return manager


def _messages(first: Any, number: int) -> list[dict[str, Any]]:
    prompt, response = json.loads(json.dumps(first.messages))
    prompt["parts"][0]["content"], response["parts"][0]["content"] = f"{number}. {PROMPT}", f"{number}. {ANSWER}"
    return [prompt, response]


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def _on_loop(work: Any) -> None:
    from sessionmagic.loop import loop_thread

    loop_thread().submit(work).result()


def main() -> None:
    """Print the megabytes of this process after 100 turns and after 1,000, in sessions of ten turns."""
    import psutil

    from sessionmagic import Models, SessionManager
    from sessionmagic.loop import in_thread

    manager, sizes = SessionManager(SharedStore(), Models("test")), []
    for number in range(1_000):
        manager.run_sync(PROMPT, session=f"s{number // 10}")
        if number % 10 == 9:
            _on_loop(in_thread(manager.store.delete, manager.sessions.id_of(f"s{number // 10}")))
        if number + 1 in {100, 1_000}:
            sizes.append(psutil.Process().memory_info().rss / 1e6)
    print(json.dumps(sizes))


if __name__ == "__main__":
    main()
