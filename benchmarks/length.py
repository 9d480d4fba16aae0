"""What a session costs that gets longer: writing one turn, ten tool calls, loading, and memory with images."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Sample, sample

if TYPE_CHECKING:
    from sessionmagic import TinyStore
    from sessionmagic.conversation.session import TurnRecord

LENGTHS = (10, 1_000, 5_000, 20_000)
LOADED = (1_000, 20_000)
IMAGES, IMAGE_BYTES = 10, 3_500_000
LARGE_IMAGES = 58
LOAD = """
import sys, time
from sessionmagic import TinyStore
store = TinyStore(sys.argv[1])
began = time.perf_counter()
store.load(sys.argv[2])
print(1000 * (time.perf_counter() - began))
"""
TURN = """
import resource, sys
from sessionmagic import Models, SessionManager, TinyStore
SessionManager(TinyStore(sys.argv[1]), Models("test", home=sys.argv[1])).run_sync("Hello", session=sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / (1e9 if sys.platform == "darwin" else 1e6))
"""


def measure(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        from sessionmagic import TinyStore

        store = TinyStore(home)
        keys = {length: _stored(store, length) for length in LENGTHS}
        images = _stored(store, LENGTHS[0], [_image() for _ in range(IMAGES)])
        large = _stored(store, LENGTHS[0], [_image() for _ in range(LARGE_IMAGES)])
        times = _written(store, {**keys, "images": images}, 8 * runs)
        shortest = median(times[LENGTHS[0]])
        figures = [Figure(f"writing one turn, {length:,} turns", sample(times[length], "{:.2f} ms")) for length in keys]
        return [
            *figures,
            _ratio(f"the same, {LENGTHS[-1]:,} turns against {LENGTHS[0]}", median(times[LENGTHS[-1]]) / shortest),
            _ratio(f"the same, {IMAGES} images against none", median(times["images"]) / shortest),
            *(
                Figure(
                    f"loading {length:,} turns in a new process",
                    sample([_in_process(LOAD, home, keys[length]) for _ in range(runs)], "{:.0f} ms"),
                )
                for length in LOADED
            ),
            Figure(
                "peak memory of a turn, 200 MB of images", sample([_in_process(TURN, home, large)], "{:.2f} GB"), 0.6
            ),
        ]


def _ratio(what: str, ratio: float) -> Figure:
    return Figure(what, Sample((ratio,), "{:.2f} ×"), at_most=2.0)


def _in_process(code: str, *arguments: str) -> float:
    command = [sys.executable, "-c", code, *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _image() -> list[dict[str, Any]]:
    data = base64.b64encode(os.urandom(IMAGE_BYTES * 3 // 4)).decode()
    return [{"kind": "binary", "data": data, "media_type": "image/png", "identifier": "plot", "vendor_metadata": None}]


def _stored(store: TinyStore, length: int, images: list[list[dict[str, Any]]] | None = None) -> str:
    """Store a session with so many turns, of which the first have images, and return its id."""
    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import new_session_id

    length = max(length, len(images or ()))
    attached = [*(images or ()), *([[]] * length)]
    turns = tuple(_turn(number, attached[number - 1]) for number in range(1, length + 1))
    key = new_session_id()
    store.create(
        Session(id=key, name=key, created_at=1.0, updated_at=1.0, turns=turns, head=str(length), turns_started=length)
    )
    return key


def _turn(number: int, images: list[dict[str, Any]]) -> TurnRecord:
    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.conversation.usage import RequestRecord, Usage

    return TurnRecord(
        id=str(number),
        parent=str(number - 1) if number > 1 else None,
        agent="assistant",
        model="test",
        prompt=f"prompt {number} " * 10,
        started_at=float(number),
        finished_at=number + 1.0,
        status="completed",
        messages=_said(number, images),
        requests=[RequestRecord(agent="assistant", model="test", usage=Usage(input_tokens=10, output_tokens=5))],
    )


def _said(number: int, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = "2026-11-20T09:00:00Z"
    prompt = {"part_kind": "user-prompt", "content": [f"prompt {number} " * 10, *images], "timestamp": at}
    answer = {"part_kind": "text", "content": f"answer {number} " * 40}
    return [
        {"kind": "request", "parts": [prompt]},
        {"kind": "response", "parts": [answer], "usage": {}, "model_name": "test", "timestamp": at},
    ]


def _written(store: TinyStore, keys: dict[Any, str], runs: int) -> dict[Any, list[float]]:
    """Write turns to the sessions alternately, and return the milliseconds of each by session."""
    times: dict[Any, list[float]] = {name: [] for name in keys}
    for run in range(runs + 2):
        for name, key in keys.items():
            store.load(key)
            began = time.perf_counter()
            _write(store, key)
            if run >= 2:  # the first ones are slower
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def _write(store: TinyStore, key: str) -> None:
    from sessionmagic.conversation.tree import next_turn_id, with_changed_turn, with_finished_turn, with_turn

    session = store.update(
        key,
        lambda now: with_turn(
            now, replace(_turn(int(next_turn_id(now)), []), parent=now.head, status="running", messages=[])
        ),
    )
    turn_id = session.turns[-1].id
    said = _said(int(turn_id), [])
    store.update(key, lambda now: with_changed_turn(now, turn_id, lambda turn: replace(turn, messages=said[:1])))
    store.update(
        key,
        lambda now: with_finished_turn(
            now, turn_id, lambda turn: replace(turn, messages=said, status="completed"), at=time.time()
        ),
    )
