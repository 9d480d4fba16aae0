"""Load the extension: register the magics with a shell, and end their turns when the kernel exits."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.completion import register_completion
from sessionmagic.notebook.kernel.figures import keep_figures_whole
from sessionmagic.notebook.magics import AgentMagics
from sessionmagic.notebook.question_marks import keep_question_marks
from sessionmagic.notebook.visible import visible
from sessionmagic.notebook.warm_up import WarmUp

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter

    from sessionmagic.comparing.judge_report import JudgeReport
    from sessionmagic.comparing.preferences import Preferences
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.comparing.summary import Summary
    from sessionmagic.turns.turn import TurnResult

_STATISTICS = (
    ("sessionmagic.comparing.summary", "Summary"),
    ("sessionmagic.comparing.preferences", "Preferences"),
    ("sessionmagic.comparing.judge_report", "JudgeReport"),
    ("sessionmagic.comparing.results", "GridResults"),
)
"""What is displayed as tables, by module and name, so that nothing is imported for it."""


def load(shell: InteractiveShell) -> None:
    """Register the magics and their completion, and stop all turns at exit. Does nothing when already loaded."""
    if "AgentMagics" in shell.magics_manager.registry:
        return
    magics = AgentMagics(shell)
    shell.register_magics(magics)
    warm_up = WarmUp(magics.context)
    register_completion(shell, magics.context, warm_up.paused)
    keep_figures_whole(shell)
    shell.input_transformers_cleanup.append(keep_question_marks)
    formatters: Any = shell.display_formatter
    shown = (("text/html", _result_html), ("text/markdown", _result_markdown), ("text/plain", _printed))
    for kind, show in shown:
        formatters.formatters[kind].for_type_by_name("sessionmagic.turns.turn", "TurnResult", show)
    for module, name in _STATISTICS:
        formatters.formatters["text/html"].for_type_by_name(module, name, _statistics_html)
        formatters.formatters["text/plain"].for_type_by_name(module, name, _printed)
    atexit.register(magics.context.close)
    atexit.register(warm_up.stop)


def _result_html(result: TurnResult) -> str:
    from sessionmagic.notebook.html_block import html_block
    from sessionmagic.notebook.page.answer import text_html

    return html_block(text_html(str(result)))


def _result_markdown(result: TurnResult) -> str:
    from sessionmagic.notebook.page.markdown import safe_markdown

    return safe_markdown(str(result))


def _statistics_html(statistics: Summary | Preferences | JudgeReport | GridResults) -> str:
    from sessionmagic.notebook.html_block import html_block
    from sessionmagic.notebook.page.tables import tables_html

    return html_block(tables_html(statistics.tables()))


def _printed(result: object, printer: RepresentationPrinter, _cycle: object) -> None:
    printer.text(visible(str(result)))
