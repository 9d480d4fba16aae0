"""The processor time of a turn without a display beside a run of bare pydantic-ai, many at a time.

The scripted server runs in another process, and so does each subject. The sides take turns, and each pair is compared.
Sessions are kept in memory.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, sample
from benchmarks.server import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

AT_ONCE = 50
TURNS = 200
MODEL = "markdown-20"


def measure(runs: int) -> list[Figure]:
    turns = TURNS if runs > 2 else TURNS // 2
    with Server() as server:
        pairs = [[_run(subject, server.url, turns) for subject in ("turn", "bare")] for _ in range(runs)]
    ours, bare = (sample([pair[side] for pair in pairs]) for side in (0, 1))
    ratio = sample([turn / run for turn, run in pairs], "{:.2f} ×", f"= {ours.median:.1f} against {bare.median:.1f} ms")
    return [
        Figure(f"a turn, {AT_ONCE} at a time, CPU ms", ours),
        Figure(f"a turn against bare pydantic-ai, {AT_ONCE} at a time, CPU", ratio, at_most=1.3),
    ]


def _run(subject: str, url: str, turns: int) -> float:
    command = [sys.executable, "-m", "benchmarks.turn", subject, url, str(turns)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def ask_turn(url: str) -> Callable[[int], Awaitable[object]]:
    from sessionmagic import MemoryStore, Models, SessionManager

    manager = SessionManager(MemoryStore(), Models(endpoints={"bench": url}))

    async def ask(number: int) -> None:
        turn = await manager.run(f"What spoils churn model {number}?", session=f"s{number}", model=f"bench:{MODEL}")
        result = await turn.result()
        assert result.status == "completed", result.error

    return ask


def ask_bare(url: str) -> Callable[[int], Awaitable[object]]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key="none")))

    async def ask(number: int) -> None:
        async with agent.run_stream_events(f"What spoils churn model {number}?") as events:
            async for _ in events:
                pass

    return ask


async def _timed(ask: Callable[[int], Awaitable[object]], turns: int) -> float:
    """Return the processor time of a turn in milliseconds, without that of imports and first connections."""

    async def work(numbers: range) -> None:
        shared = iter(numbers)

        async def worker() -> None:
            for number in shared:
                await ask(number)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    await work(range(2 * AT_ONCE))
    began = time.process_time()
    await work(range(1_000, 1_000 + turns))
    return 1000 * (time.process_time() - began) / turns


def main(subject: str, url: str, turns: str) -> None:
    print(json.dumps(asyncio.run(_timed(globals()[f"ask_{subject}"](url), int(turns)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
