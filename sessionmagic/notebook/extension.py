"""Load the extension: register the magics with a shell, and end their turns when the kernel exits."""

from __future__ import annotations

import atexit
from functools import partial
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.completion import register_completion
from sessionmagic.notebook.kernel.figures import keep_figures_whole
from sessionmagic.notebook.magics import AgentMagics
from sessionmagic.notebook.page.attention import queued_cells
from sessionmagic.notebook.question_marks import keep_question_marks
from sessionmagic.notebook.visible import visible
from sessionmagic.notebook.warm_up import WarmUp
from sessionmagic.words import NO_ANSWER

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter

    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.turns.turn import TurnResult

_PRINTED = (
    ("sessionmagic.comparing.summary", "Summary"),
    ("sessionmagic.comparing.preferences", "Preferences"),
    ("sessionmagic.comparing.judge_report", "JudgeReport"),
    ("sessionmagic.comparing.results", "GridResults"),
)
"""What a terminal shows as its text, by module and name, so that nothing is imported for it."""


def load(shell: InteractiveShell) -> None:
    """Register the magics and their completion, and stop all turns at exit. Does nothing when already loaded.

    Raises `UsageError` if a setting of IPython's configuration is not valid.
    """
    if "AgentMagics" in shell.magics_manager.registry:
        return
    try:
        magics = AgentMagics(shell)
    except TraitError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UsageError(f"a setting in IPython's configuration is not valid: {reason}; correct it there") from None
    shell.register_magics(magics)
    warm_up = WarmUp(magics.context)
    register_completion(shell, magics.context, warm_up.paused)
    keep_figures_whole(shell)
    _know_queued_cells(shell, magics.context.front_end.kernel)
    magics.context.front_end.offer_a_widget()
    shell.input_transformers_cleanup.append(keep_question_marks)
    formatter: Any = shell.display_formatter
    plain = formatter.formatters["text/plain"]
    plain.for_type_by_name("sessionmagic.turns.turn", "TurnResult", partial(_printed_answer, magics.context))
    for module, name in _PRINTED:
        plain.for_type_by_name(module, name, _printed)
    atexit.register(magics.context.close)
    atexit.register(warm_up.stop)


def _know_queued_cells(shell: InteractiveShell, kernel: object) -> None:
    """Know the cells that are sent from now on; if the kernel has not started yet, from its first cell on."""
    if kernel is None or queued_cells(kernel) is not None:
        return

    def begin() -> None:
        shell.events.unregister("pre_execute", begin)
        queued_cells(kernel)

    shell.events.register("pre_execute", begin)


def _printed(result: object, printer: RepresentationPrinter, _cycle: object) -> None:
    printer.text(visible(str(result) or NO_ANSWER))


def _printed_answer(
    context: NotebookContext, result: TurnResult, printer: RepresentationPrinter, _cycle: object
) -> None:
    from sessionmagic.notebook.surface import prose_of

    prose = prose_of(context) if result.stored_value is None else visible
    printer.text(prose(str(result) or NO_ANSWER))
