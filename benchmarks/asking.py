"""Whole turns without a display: in long sessions, many at a time, with tools, and their memory. For ``--against``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, sample
from benchmarks.long_session import PROMPT, fill, fill_with_images, manager_on
from benchmarks.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionmagic import SessionManager

AT_ONCE = 50
CALLS = 10
IMAGES = 43
"""Images of 3.5 MB that make a file of 200 MB."""
TURNS, TURNS_A_SESSION = 1_000, 20


def _turn(turns: int, runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), turns)
        manager = manager_on(Path(home))
        values = [_asked(manager, session_id) for _ in range(5 * runs + 1)]
        return [Figure(f"a turn of the test model, {turns:,} turns, ms", sample(values[1:]))]


def _asked(manager: SessionManager, session: str, **options: Any) -> float:
    started = time.perf_counter()
    manager.run_sync(PROMPT, session=session, **options)
    return (time.perf_counter() - started) * 1000


def _tools(turns: int, runs: int) -> list[Figure]:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel

    from sessionmagic import register_model

    def add(first: int, second: int) -> int:
        """Return a sum."""
        return first + second

    async def call(messages: list[Any], _info: object) -> AsyncIterator[Any]:
        said = 0
        for message in reversed(messages):  # back to the prompt of this turn
            if any(part.part_kind == "user-prompt" for part in message.parts):
                break
            said += isinstance(message, ModelResponse)
        if said < CALLS:
            yield {0: DeltaToolCall("add", f'{{"first": {said}, "second": 1}}', tool_call_id=f"call-{said}")}
        else:
            yield "It is done."

    register_model("calls", FunctionModel(stream_function=call))
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), turns)
        manager = manager_on(Path(home))
        _asked(manager, session_id)
        values = [_asked(manager, session_id, model="calls", tools=[add], yes=True) for _ in range(runs)]
        done = manager.sessions.load(session_id).turns[-1].messages
        assert len(done) == 2 * CALLS + 2, f"the turn has {len(done)} messages"
        return [Figure(f"{CALLS} tool calls, {turns:,} turns, ms", sample(values, "{:,.0f}"))]


def _at_once(runs: int) -> list[Figure]:
    with Server() as server, TemporaryDirectory(prefix="benchmark-") as home:
        manager = manager_on(Path(home), endpoints={"bench": server.url})
        asyncio.run(_batch(manager, "first"))
        values = []
        for number in range(2 * runs):
            started = time.process_time()
            asyncio.run(_batch(manager, f"batch {number}"))
            values.append((time.process_time() - started) * 1000 / AT_ONCE)
        return [Figure(f"a turn, {AT_ONCE} at a time, CPU ms", sample(values))]


async def _batch(manager: SessionManager, name: str) -> None:
    async def ask(number: int) -> None:
        turn = await manager.run(PROMPT, session=f"{name} {number}", model="bench:markdown-40")
        result = await turn.result()
        assert result.status == "completed", result

    await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))


def _peak(_runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id, peak = (
            subprocess.run(
                [sys.executable, "-m", "benchmarks.asking", *arguments], stdout=subprocess.PIPE, text=True, check=True
            ).stdout.split()[-1]
            for arguments in (("fill", home), ("ask", home))
        )
        assert session_id
        return [Figure("peak memory of a turn, 200 MB of images, MB", sample([float(peak)], "{:,.0f}"))]


def _memory(_runs: int) -> list[Figure]:
    import psutil

    with TemporaryDirectory(prefix="benchmark-") as home:
        manager = manager_on(Path(home))
        for number in range(TURNS):
            manager.run_sync(PROMPT, session=f"session {number // TURNS_A_SESSION}")
            if number == TURNS // 10:
                early = psutil.Process().memory_info().rss / 2**20
        late = psutil.Process().memory_info().rss / 2**20
    return [
        Figure(f"memory after {TURNS:,} turns, MB", sample([late])),
        Figure(f"memory after {TURNS:,} turns, of that after {TURNS // 10}", sample([late / early], "{:.3f} ×")),
    ]


PARTS = {
    **{f"{turns:,} turns": partial(_turn, turns) for turns in (10, 1_000, 5_000)},
    **{f"{CALLS} tool calls, {turns:,} turns": partial(_tools, turns) for turns in (10, 5_000)},
    "many at a time": _at_once,
    "200 MB": _peak,
    f"{TURNS:,} turns one after the other": _memory,
}


def measure(runs: int) -> list[Figure]:
    return [figure for part in PARTS.values() for figure in part(runs)]


def main(action: str, home: str) -> None:
    import resource

    if action == "fill":
        print(fill_with_images(Path(home), IMAGES))
        return
    manager_on(Path(home)).run_sync(PROMPT, session="long")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


if __name__ == "__main__":
    main(*sys.argv[1:])
