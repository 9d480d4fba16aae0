"""The time from the execute request to the status line; for the others, which show none, to any output."""

from __future__ import annotations

from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import WIDGETS, Kernel, Run
from benchmarks.server import Server
from benchmarks.subjects import CHATLAS, OURS, PRINT, Subject

MODEL = "markdown-2000"


def measure(runs: int) -> list[Figure]:
    with Server() as server:
        warm = {subject: _warm(server.url, subject, runs) for subject in (OURS, CHATLAS, PRINT)}
        fresh = {subject: _fresh(server.url, subject, runs) for subject in (OURS, CHATLAS, PRINT)}
    return [
        Figure(
            f"status line after Enter, {when}, ms",
            samples[OURS],
            at_most=100,
            chatlas=samples[CHATLAS],
            print=samples[PRINT],
        )
        for when, samples in (("warm", warm), ("first turn of a kernel", fresh))
    ]


def _warm(url: str, subject: Subject, runs: int) -> Sample:
    if subject.missing:
        return not_measured(subject.missing)
    with Kernel(url, subject) as kernel:
        kernel.ask(MODEL)
        return sample([_milliseconds(kernel.ask(MODEL), subject) for _ in range(runs)], "{:.0f}", _note(subject))


def _fresh(url: str, subject: Subject, runs: int) -> Sample:
    if subject.missing:
        return not_measured(subject.missing)
    values = []
    for _ in range(runs):
        with Kernel(url, subject) as kernel:
            values.append(_milliseconds(kernel.ask(MODEL), subject))
    return sample(values, "{:.0f}", _note(subject))


def _note(subject: Subject) -> str:
    return "" if subject is OURS else "to any output"


def _milliseconds(run: Run, subject: Subject) -> float:
    """Return the milliseconds to our widgets, or to any output of another subject."""
    for message in run.messages:
        widgets = message.kind == "display_data" and WIDGETS in message.content["data"]
        output = message.kind in {"display_data", "stream"}
        if widgets if subject is OURS else output:
            return (message.at - run.sent_at) * 1000
    raise RuntimeError("nothing was shown")
