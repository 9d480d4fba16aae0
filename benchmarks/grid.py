"""A cell of a grid beside a sample of inspect_ai, a run of bare pydantic-ai and a request of the SDK.

The scripted server runs in another process, and so does each subject. Processor times are those of a subject's process,
without its imports; peak memory is that of the whole process. inspect_ai is measured if it is installed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from benchmarks.figures import Figure, Sample, not_measured, sample

CELLS = 2_000
AT_ONCE = 20
LATENCY = 0.05
"""Seconds after which the server answers."""
SLOW = 1.0
"""The same where the share of open requests is measured, so that the processor is not what limits them."""


class Server:
    """The server's process, with its base URL as `url`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.chat_server", str(self._seconds)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def spans(self) -> list[list[float]]:
        """End the server, and return when each request came and was answered."""
        return json.loads(self._process.communicate()[0])


def measure(runs: int) -> list[Figure]:
    cells = CELLS if runs > 2 else CELLS // 4
    with Server(LATENCY) as server:
        ours, bare, sdk, inspect = (
            [_measured(subject, server.url, cells) for _ in range(max(1, runs // 4))]
            for subject in ("grid", "pydantic_ai", "sdk", "inspect_ai")
        )
        long = _run("long", server.url, 10_000 if runs > 2 else 2_000)
        again = _run("again", server.url, 10_000)
    share = _share(300 if runs > 2 else 150)
    times, peaks = _column(inspect, "ms"), _column(inspect, "MB")
    most = 0.6 * times.median if times.values else None
    peak = peaks.median if peaks.values else None
    return [
        Figure("a cell, CPU ms", _column(ours, "ms"), at_most=most),
        Figure("the same: a sample of inspect_ai", times),
        Figure("the same: a run of bare pydantic-ai", _column(bare, "ms")),
        Figure("the same: a request of the SDK", _column(sdk, "ms")),
        Figure(f"peak memory at {cells:,} cells, MB", _column(ours, "MB"), at_most=peak),
        Figure("the same: inspect_ai", peaks),
        Figure("the same: bare pydantic-ai", _column(bare, "MB")),
        Figure(
            "the last 1,000 cells against the first, CPU", sample([long["last"] / long["first"]], "{:.2f}"), at_most=1.1
        ),
        Figure("peak memory of the longest grid, MB", sample([long["MB"]])),
        Figure("open requests of those allowed, %", sample([100 * share]), at_least=90),
        Figure("10,000 cells that are done, s", sample([again["seconds"]], "{:.2f}"), at_most=1),
        Figure("requests for these", sample([again["asked"]], "{:.0f}"), at_most=0),
    ]


def _measured(subject: str, url: str, cells: int) -> dict[str, float]:
    if subject == "inspect_ai" and find_spec(subject) is None:
        return {}
    return _run(subject, url, cells)


def _column(runs: list[dict[str, float]], name: str) -> Sample:
    values = [run[name] for run in runs if run]
    return sample(values) if values else not_measured("it is not installed")


def _run(subject: str, url: str, cells: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.grid", subject, url, str(cells)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def _share(cells: int) -> float:
    """Return the share of the requests that the limit allows which the server had open, while there were enough."""
    from sessionmagic.comparing.pace import Pace

    limits: list[tuple[float, float]] = []
    answered = Pace.answered

    def note(pace: Pace, now: float) -> None:
        limits.append((time.monotonic(), pace.limit))
        answered(pace, now)

    Pace.answered = note
    try:
        with Server(SLOW) as server, tempfile.TemporaryDirectory() as home:
            _manager(home, server.url).grid_sync(_prompts(cells), "lab:m")
            spans = server.spans()
    finally:
        Pace.answered = answered
    shares = [
        sum(came < moment < ended for came, ended in spans) / int(limit)
        for moment, limit in limits[: -2 * AT_ONCE]
        for moment in [moment + SLOW / 2]  # between two answers
    ]
    return sum(min(1.0, each) for each in shares) / len(shares)


def _prompts(count: int, first: int = 0) -> list[str]:
    return [f"What spoils churn model {number}?" for number in range(first, first + count)]


def _manager(home: str, url: str) -> Any:
    from sessionmagic import Models, SessionManager, TinyStore

    return SessionManager(TinyStore(home), Models(endpoints={"lab": url}))


def run_grid(url: str, cells: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        manager = _manager(home, url)
        manager.grid_sync(_prompts(AT_ONCE), "lab:m", name="imports")
        began = time.process_time()
        assert len(manager.grid_sync(_prompts(cells), "lab:m")) == cells
        return {"ms": 1000 * (time.process_time() - began) / cells}


def run_long(url: str, cells: int) -> dict[str, float]:
    """Compare the first thousand cells, but for the very first, with the last thousand."""
    times: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as home:
        manager = _manager(home, url)
        manager.grid_sync(_prompts(AT_ONCE), "lab:m", name="imports")
        manager.grid_sync(
            _prompts(cells), "lab:m", progress=lambda progress: times.append((progress.done, time.process_time()))
        )

    def rate(first: int, last: int) -> float:
        inside = [(done, at) for done, at in times if first <= done <= last]
        return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])

    return {"first": rate(10, 1_000), "last": rate(cells - 1_000, cells - 1)}


def run_again(url: str, cells: int) -> dict[str, float]:
    from sessionmagic.comparing import grid_store
    from sessionmagic.comparing.cells import CellAnswer
    from sessionmagic.comparing.plan import GridRequest, planned

    with tempfile.TemporaryDirectory() as home:
        manager, prompts = _manager(home, url), _prompts(cells)
        manager.grid_sync(_prompts(1), "lab:m")
        answer = CellAnswer("It is fine. " * 20, "lab:m")
        with (Path(home) / "grids" / "grid.jsonl").open("ab") as file:
            plan = planned(GridRequest(prompts=prompts, models="lab:m"), manager.models)
            file.writelines(grid_store._line(cell.key, answer) for cell in plan.cells)
        began = time.perf_counter()
        results = manager.grid_sync(prompts, "lab:m")
        return {"seconds": time.perf_counter() - began, "asked": results.asked + results.missing}


def run_pydantic_ai(url: str, cells: int) -> dict[str, float]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none")))
    return _asked(agent.run, cells)


def run_sdk(url: str, cells: int) -> dict[str, float]:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="none")

    async def ask(prompt: str) -> None:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}])

    return _asked(ask, cells)


def _asked(ask: Any, cells: int) -> dict[str, float]:
    async def work(prompts: Any) -> None:
        for prompt in prompts:
            await ask(prompt)

    async def all_of(prompts: list[str]) -> None:
        shared = iter(prompts)
        await asyncio.gather(*(work(shared) for _ in range(AT_ONCE)))

    async def timed() -> float:
        await all_of(_prompts(AT_ONCE))
        began = time.process_time()
        await all_of(_prompts(cells))
        return time.process_time() - began

    return {"ms": 1000 * asyncio.run(timed()) / cells}


def run_inspect_ai(url: str, cells: int) -> dict[str, float]:
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import Sample as Question
    from inspect_ai.model import get_model
    from inspect_ai.solver import generate

    def ask(prompts: list[str], logs: str) -> None:
        model = get_model("openai/m", base_url=url, api_key="none", responses_api=False)
        task = Task(dataset=[Question(input=prompt) for prompt in prompts], solver=generate())
        [log] = eval(task, model=model, log_dir=logs, display="none", max_connections=AT_ONCE)
        assert log.status == "success"

    with tempfile.TemporaryDirectory() as logs:
        ask(_prompts(AT_ONCE), logs)
        began = time.process_time()
        ask(_prompts(cells), logs)
        return {"ms": 1000 * (time.process_time() - began) / cells}


def main(subject: str, url: str, cells: str) -> None:
    import resource

    figures = globals()[f"run_{subject}"](url, int(cells))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    print(json.dumps({**figures, "MB": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
