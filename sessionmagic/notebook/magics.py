"""``%%agent`` sends a cell to a session; ``%agent SUBCOMMAND`` manages sessions, models and tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.cell_line import CELL_LINE, check_comparison
from sessionmagic.notebook.context import NotebookContext
from sessionmagic.notebook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class AgentMagics(Magics, Settings):
    """The magics and their defaults: ``%config AgentMagics`` lists them, ``%config AgentMagics.model = …`` sets one."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)  # applies the user's config file
        self.context = NotebookContext(shell, settings=self)

    @no_var_expand  # by IPython, which would split values with blanks, and leave names that it does not know
    @needs_local_scope
    @line_cell_magic
    def agent(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:  # noqa: D102  its docstring is the manual, below
        try:
            return self._run(line, cell, {**self.context.shell.user_ns, **(local_ns or {})})
        except SessionMagicError as error:
            error.args = (without_keys(str(error)),)  # it may quote the line or a value
            raise
        except KeyboardInterrupt as interrupt:
            if hasattr(interrupt, "_render_traceback_"):
                raise
            from sessionmagic.notebook.cell_work import short_interrupt

            raise short_interrupt("interrupted") from None

    def _run(self, line: str, cell: str | None, names: Mapping[str, Any]) -> Any:
        self.context.front_end.offer_a_widget()
        if cell is None:
            from sessionmagic.notebook.commands import run_command

            return run_command(self.context, line, names)
        if CELL_LINE.wants_help(line):
            print(CELL_LINE.format_help())
            return None
        options, text = CELL_LINE.parse_line(line, names), cell.removesuffix("\n")
        check_comparison(options)
        if options.compare:
            from sessionmagic.notebook.comparison import run_comparison

            run_comparison(self.context, options, text)
        else:
            from sessionmagic.notebook.cell import run_cell

            run_cell(self.context, options, text)
        return None


AgentMagics.agent.__doc__ = CELL_LINE.format_help()
