"""The first cells of a kernel: beside later ones and bare pydantic-ai, and plain cells beside a kernel without us."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.figures import Figure, Sample, sample
from benchmarks.kernel import WIDGETS, Kernel, Run
from benchmarks.server import Server

PAUSE_SECONDS = 5.0
"""What a user needs to write the first cell."""
LATER = 3
CELL = "%%agent -s benchmark\nWhat spoils a churn model?"
BARE = """
from pydantic_ai import Agent
{models}
async def ask():
    async with Agent({model}).run_stream("What spoils a churn model?") as answer:
        async for text in answer.stream_text(delta=True):
            print(text, end="")
await ask()
"""
TEST = BARE.format(models="from pydantic_ai.models.test import TestModel", model="TestModel(call_tools=[])")
SCRIPTED = BARE.format(
    models=(
        "from pydantic_ai.models.openai import OpenAIChatModel\nfrom pydantic_ai.providers.openai import OpenAIProvider"
    ),
    model="OpenAIChatModel('markdown-50', provider=OpenAIProvider(base_url='{url}', api_key='none'))",
)
PLAIN = "sum(i * i for i in range(3_000_000))"
LITTLE = "1 + 1"


def agent(runs: int) -> list[Figure]:
    with Server() as server:
        models = {"test model": ("test", TEST), "scripted server": ("bench:markdown-50", SCRIPTED)}
        return [
            figure
            for name, (model, bare) in models.items()
            for figure in _agent_cells(name, _setup(server.url, model), bare.replace("{url}", server.url), runs)
        ]


def _setup(url: str, model: str) -> str:
    return (
        "%load_ext sessionmagic\n"
        f'%config AgentMagics.endpoints = {{"bench": "{url}"}}\n'
        f'%config AgentMagics.model = "{model}"\n'
        "%config AgentMagics.kernel_tools = False"  # the test model would call them, and wait for approval
    )


def _agent_cells(name: str, setup: str, bare_cell: str, runs: int) -> list[Figure]:
    written, at_once, bare = [], [], []
    for _ in range(runs):
        written.append(_cells(setup, PAUSE_SECONDS))
        at_once.append(_cells(setup, 0))
        bare.append(_first(bare_cell))
    pause = f"{PAUSE_SECONDS:.0f} s after %load_ext"
    return [
        Figure(f"first %%agent {pause}, ms, {name}", _milliseconds([first.wall for first, _ in written])),
        Figure(
            f"the same, times the second, {name}",
            sample([first.wall / second.wall for first, second in written], "{:.1f}"),
            at_most=2,
        ),
        Figure(f"first %%agent at once after %load_ext, ms, {name}", _milliseconds([each.wall for each, _ in at_once])),
        Figure(
            f"the same, times bare pydantic-ai, {name}",
            sample([first.wall / other.wall for (first, _), other in zip(at_once, bare, strict=True)], "{:.2f}"),
        ),
        Figure(
            f"the same, to the status line, ms, {name}",
            _milliseconds([shown_after(each) for each, _ in at_once]),
            at_most=300,
        ),
    ]


def _milliseconds(seconds: list[float]) -> Sample:
    return sample([1000 * each for each in seconds], "{:.0f}")


def _cells(setup: str, pause: float) -> tuple[Run, Run]:
    """Return the first and the second cell of a kernel."""
    with Kernel("") as kernel:
        kernel.run(setup)
        time.sleep(pause)
        return kernel.run(CELL), kernel.run(CELL)


def _first(cell: str) -> Run:
    """Return the first cell of a kernel without us."""
    with Kernel("") as kernel:
        return kernel.run(cell)


def shown_after(run: Run) -> float:
    """Return the seconds until our widgets are displayed."""
    return next(
        message.at - run.sent_at
        for message in run.messages
        if message.kind == "display_data" and WIDGETS in message.content["data"]
    )


def plain(runs: int) -> list[Figure]:
    ratios, waits = [], []
    for _ in range(runs):
        ours, without = _plain("%load_ext sessionmagic"), _plain("import ipywidgets")
        ratios.append(ours / without)
        waits.append(_longest_wait())
    return [
        Figure(
            "plain Python cell at once after %load_ext, times that without us", sample(ratios, "{:.2f}"), at_most=1.2
        ),
        Figure("longest plain Python cell of those run now and then after %load_ext, ms", sample(waits, "{:.0f}")),
    ]


def _plain(setup: str) -> float:
    with Kernel("") as kernel:
        kernel.run(setup)
        return median(kernel.run(PLAIN).wall for _ in range(LATER))


def _longest_wait() -> float:
    """Return the milliseconds of the longest little cell, when one comes every 0.4 s while things are imported."""
    with Kernel("") as kernel:
        kernel.run("%load_ext sessionmagic")
        walls = []
        for _ in range(12):
            time.sleep(0.4)
            walls.append(kernel.run(LITTLE).wall)
        return max(walls) * 1000


PARTS = {"agent": agent, "plain": plain}
