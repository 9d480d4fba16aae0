"""The time from the first token that the server sends to the first iopub message that contains it, in a warm kernel."""

from __future__ import annotations

from benchmarks.answers import FIRST_WORD
from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import Kernel, Run
from benchmarks.server import Server
from benchmarks.subjects import CHATLAS, OURS, PRINT, Subject

MODEL = "markdown-2000"


def measure(runs: int) -> list[Figure]:
    with Server() as server:
        samples = {subject: _first_text(server, subject, 2 * runs + 1) for subject in (OURS, CHATLAS, PRINT)}
    return [
        Figure(
            "first text after the server sent it, ms",
            samples[OURS],
            at_most=50,
            chatlas=samples[CHATLAS],
            print=samples[PRINT],
        )
    ]


def _first_text(server: Server, subject: Subject, runs: int) -> Sample:
    if subject.missing:
        return not_measured(subject.missing)
    with Kernel(server.url, subject) as kernel:
        kernel.ask(MODEL)
        values = []
        for _ in range(runs):
            run = kernel.ask(MODEL)
            values.append((_shown_at(run) - server.sent()["at"]) * 1000)
        return sample(values, "{:.0f}")


def _shown_at(run: Run) -> float:
    return next(message.at for message in run.messages if FIRST_WORD in str(message.content))
