"""A comparison as one static output: the answers side by side, and a table of their figures."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.notebook.captions import answer_text, ending
from sessionmagic.notebook.compared import ShownRun, by_column, figures, headings
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, blocks_html, ending_html, note_html, warning_html
from sessionmagic.notebook.page.markdown import escaped, turn_markdown
from sessionmagic.notebook.page.side_by_side import headed, side_by_side
from sessionmagic.notebook.page.static import NO_ANSWER, facts
from sessionmagic.notebook.page.wide import framed, scrolling_table
from sessionmagic.notebook.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.transcript import Transcript

HEAD = 'style="text-align: left; font-weight: 600"'
CELL = 'style="text-align: left; white-space: nowrap"'
UNFINISHED = "not finished when this was saved; %agent branches {} shows how it ended"
PICTURES = ("image/png", "image/jpeg")


def comparison_output(
    runs: Sequence[ShownRun], session: str, line: str, note: str = "", prose: Callable[[str], str] = visible
) -> Output:
    """Return a comparison as the notebook saves it.

    Args:
        runs: The runs, in the order of their columns.
        session: The name of the session.
        line: A line below the answers; empty for none.
        note: A line above the answers; empty for none.
        prose: Makes the Markdown of an answer safe to print.
    """
    return Output(
        {
            "text/html": comparison_html(runs, line, note),
            "text/markdown": _markdown(runs, line, note),
            "text/plain": comparison_text(runs, line, note, prose),
        },
        {"sessionmagic": {"session": session, "part": "comparison", "runs": [_facts(run) for run in runs]}},
    )


def unfinished_comparison(runs: Sequence[ShownRun], note: str) -> tuple[str, str]:
    """Return a comparison as HTML and as text, with a note above it and one below that it is not finished."""
    session = next((run.transcript.session for run in runs if run.transcript.session), "")
    said = UNFINISHED.format(session)
    html = f"{comparison_html(runs, note=note)}<p>{warning_html(said)}</p>"
    return html, comparison_text(runs, f"[{said}]", note)


def comparison_html(runs: Sequence[ShownRun], line: str = "", note: str = "") -> str:
    """Return a comparison as HTML, with a line below and one above it."""
    above, below = ("".join(map(note_html, lines.splitlines())) for lines in (note, line))
    return framed(f"{above}{columns_html(runs)}{figures_html(runs)}{below}")


def columns_html(runs: Sequence[ShownRun]) -> str:
    """Return the answers side by side where there is room."""
    return side_by_side(
        "".join(headed(run.heading, run.html or run_html(run)) for run in column) for column in by_column(runs)
    )


def run_html(run: ShownRun) -> str:
    """Return one answer, with each picture after the call that made it."""
    html = ""
    for block in run.transcript.blocks:
        html += blocks_html((block,))
        if isinstance(block, ToolBlock):
            html += "".join(map(picture_html, run.displays.get(block.call_id, ())))
    return html + ending_html(run.transcript) or note_html(_nothing(run.transcript))


def picture_html(output: Output) -> str:
    """Return what a call has displayed: a picture, or text."""
    for kind in PICTURES:
        if isinstance(picture := output.data.get(kind), str | bytes):
            encoded = base64.b64encode(picture).decode() if isinstance(picture, bytes) else "".join(picture.split())
            return f'<img alt="figure" style="max-width: 100%" src="data:{kind};base64,{escape(encoded)}">'
    return f"<pre>{escape(str(output.data.get('text/plain', '')))}</pre>"


def figures_html(runs: Sequence[ShownRun]) -> str:
    """Return a table of tokens, costs and times."""
    head = "".join(f"<th {HEAD}>{escape(heading)}</th>" for heading in headings(runs))
    rows = "".join(
        "<tr>" + "".join(f"<td {CELL}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in figures(runs)
    )
    return scrolling_table(f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", NO_MATH, f";{MUTED}")


def _markdown(runs: Sequence[ShownRun], line: str, note: str) -> str:
    above, below = ([escaped(each) for each in lines.splitlines()] for lines in (note, line))
    answers = [f"**{escaped(run.heading)}**\n\n{turn_markdown(run.transcript)}" for run in runs]
    rows = [headings(runs), ["---"] * len(headings(runs)), *([escaped(cell) for cell in row] for row in figures(runs))]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([*above, *answers, table, *below])


def comparison_text(runs: Sequence[ShownRun], line: str, note: str = "", prose: Callable[[str], str] = visible) -> str:
    """Return a comparison as text, with a line below and one above it. `prose` makes Markdown safe to print."""
    answers = [f"{visible(f'=== {run.heading}')}\n{_text(run.transcript, prose)}" for run in runs]
    return "\n\n".join(filter(None, [visible(note), *answers, visible(figures_text(runs)), visible(line)]))


def _text(transcript: Transcript, prose: Callable[[str], str]) -> str:
    """Return one answer, with how it ended if that is not all there is."""
    text, end = answer_text(transcript, prose=prose), visible(ending(transcript))
    return "\n".join(filter(None, [text, end if end not in text else ""])) or _nothing(transcript)


def _nothing(transcript: Transcript) -> str:
    return f"{NO_ANSWER} yet" if transcript.status == "running" else NO_ANSWER


def figures_text(runs: Sequence[ShownRun]) -> str:
    """Return a table of tokens, costs and times as plain text."""
    rows = [headings(runs), *figures(runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _facts(run: ShownRun) -> dict[str, object]:
    about = facts(run.transcript, "run")
    del about["session"], about["part"]
    first = run.transcript.first_token
    column = {"column": run.column.number, "name": run.column.name, "repeat": run.column.repeat}
    return {**column, **about, "first_token": first if first is None else round(first, 3)}
