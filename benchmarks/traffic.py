"""Messages and bytes sent to the page, for answers of three shapes and three lengths."""

from __future__ import annotations

from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import Kernel, Run
from benchmarks.server import Server
from benchmarks.subjects import CHATLAS, OURS, PRINT, RIVALS, WITHOUT_WIDGETS, Subject

SHORT, LONGER, LONGEST = 2_000, 8_000, 32_000
SHAPES = ("markdown", "paragraph", "code")
COMPARED = f"%%agent --compare bench:paced-{SHORT} bench:paced-{SHORT - 100} -s compared-{{}}\nWhat spoils a model?"
TOO_LARGE = Sample(note="not run: about 3 GB")


def measure(runs: int) -> list[Figure]:
    figures: list[Figure] = []
    with Server() as server:
        rivals = {subject: _rival(server.url, subject, runs) for subject in RIVALS}
        with Kernel(server.url, OURS) as kernel:
            kernel.ask(f"markdown-{SHORT}")
            for shape in SHAPES:
                ours = {
                    tokens: [kernel.ask(f"{shape}-{tokens}") for _ in range(times)]
                    for tokens, times in ((SHORT, runs), (LONGER, 3), (LONGEST, 3))
                }
                shown = rivals if shape == "markdown" else {}
                figures += _short(shape, ours[SHORT], {rival: done.get(SHORT) for rival, done in shown.items()})
                figures += [_growth(shape, tokens, ours, shown) for tokens in (LONGER, LONGEST)]
        with Kernel(server.url, WITHOUT_WIDGETS) as kernel:
            alone = [kernel.ask(f"paced-{SHORT}") for _ in range(min(runs, 5))]
            figures.append(_without_widgets("view display", alone))
            compared = [kernel.run(COMPARED.format(number)) for number in range(min(runs, 5))]
            figures.append(_without_widgets("two columns in view display", compared))
    return figures


def _without_widgets(what: str, runs: list[Run]) -> Figure:
    """Return all bytes of the view without widgets, as a multiple of those of the saved outputs."""

    def times(run: Run) -> float:
        cleared = max(at for at, message in enumerate(run.messages) if message.kind == "clear_output")
        saved = [each.content_bytes for each in run.messages[cleared:] if each.kind == "display_data"]
        return run.content_bytes / sum(saved)

    kilobytes = sample([run.content_bytes / 1000 for run in runs]).median
    return Figure(
        f"bytes times those of what is saved, {what}, {SHORT:,} tokens in 10 s",
        sample([times(run) for run in runs], "{:.2f} ×", f"= {kilobytes:,.0f} kB"),
        at_most=3.0,
    )


def _rival(url: str, subject: Subject, runs: int) -> dict[int, list[Run]]:
    if subject.missing:
        return {}
    with Kernel(url, subject) as kernel:
        done = {SHORT: [kernel.ask(f"markdown-{SHORT}") for _ in range(runs)]}
        done[LONGER] = [kernel.ask(f"markdown-{LONGER}")]
        if subject is not CHATLAS:
            done[LONGEST] = [kernel.ask(f"markdown-{LONGEST}")]
        return done


def _short(shape: str, ours: list[Run], rivals: dict[Subject, list[Run] | None]) -> list[Figure]:
    def rows(runs: list[Run]) -> tuple[Sample, Sample, Sample]:
        return (
            sample([len(run.messages) for run in runs], "{:.0f}"),
            sample([run.content_bytes / 1000 for run in runs], "{:,.0f}"),
            sample([run.wire_bytes / 1000 for run in runs], "{:,.0f}"),
        )

    names = ("iopub messages", "kB of content", "kB with all frames")
    targets: tuple[float | None, ...] = (60, 150, None)
    theirs = {rival: rows(runs) if runs else (not_measured(rival.missing),) * 3 for rival, runs in rivals.items()}
    return [
        Figure(
            f"{name}, {shape}, {SHORT:,} tokens",
            ours_row,
            at_most=target,
            chatlas=theirs[CHATLAS][row] if CHATLAS in theirs else Sample(),
            print=theirs[PRINT][row] if PRINT in theirs else Sample(),
        )
        for row, (name, ours_row, target) in enumerate(zip(names, rows(ours), targets, strict=True))
    ]


def _growth(shape: str, tokens: int, ours: dict[int, list[Run]], rivals: dict[Subject, dict[int, list[Run]]]) -> Figure:
    """Return the bytes per token of a long answer, as a multiple of those of the short one."""

    def ratio(done: dict[int, list[Run]]) -> Sample:
        if tokens not in done:
            return TOO_LARGE if done else Sample(note="not measured")
        base = sample([run.content_bytes / SHORT for run in done[SHORT]]).median
        kilobytes = sample([run.content_bytes / 1000 for run in done[tokens]]).median
        messages = sample([len(run.messages) for run in done[tokens]]).median
        values = [run.content_bytes / tokens / base for run in done[tokens]]
        return sample(values, "{:.2f} ×", f"= {kilobytes:,.0f} kB, {messages:.0f} messages")

    return Figure(
        f"bytes per token, {shape}, {tokens:,} against {SHORT:,}",
        ratio(ours),
        at_most=1.5,
        chatlas=ratio(rivals[CHATLAS]) if CHATLAS in rivals else Sample(),
        print=ratio(rivals[PRINT]) if PRINT in rivals else Sample(),
    )
