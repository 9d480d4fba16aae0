"""The wall time of a turn against that of the same pydantic-ai run without a display, alternating in one kernel."""

from __future__ import annotations

from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import Kernel
from benchmarks.server import Server
from benchmarks.subjects import CHATLAS, OURS, PRINT, Subject

BARE = """
from functools import cache
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

@cache
def agent(model):
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(base_url="{url}", api_key="none")))

async def bare(model):
    async with agent(model).run_stream_events("What spoils a churn model?") as events:
        async for event in events:
            pass
"""
SHORT, LONG = 2_000, 32_000


def measure(runs: int) -> list[Figure]:
    with Server() as server:
        ours, chatlas, plain = (_ratio(server.url, subject, SHORT, 2 * runs + 1) for subject in (OURS, CHATLAS, PRINT))
        long = _ratio(server.url, OURS, LONG, 3)
    return [
        Figure(f"wall against no display, {SHORT:,} tokens", ours, at_most=1.3, chatlas=chatlas, print=plain),
        Figure(f"wall against no display, {LONG:,} tokens", long),
    ]


def _ratio(url: str, subject: Subject, tokens: int, runs: int) -> Sample:
    if subject.missing:
        return not_measured(subject.missing)
    model = f"markdown-{tokens}"
    with Kernel(url, subject) as kernel:
        kernel.run(BARE.replace("{url}", url))
        kernel.run(f"await bare('{model}')")
        kernel.ask(model)
        pairs = []
        for _ in range(runs):
            without = kernel.run(f"await bare('{model}')").wall
            pairs.append((kernel.ask(model).wall, without))
    shown, without = (sample([pair[side] for pair in pairs]).median for side in (0, 1))
    return sample([ours / bare for ours, bare in pairs], "{:.2f} ×", f"= {shown:.2f} s against {without:.2f} s")
