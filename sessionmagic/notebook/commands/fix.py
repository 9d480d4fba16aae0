"""``%agent fix``: ask about the cell that failed last, and propose a new one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import require_waiting
from sessionmagic.notebook.cell import ask, request_of
from sessionmagic.notebook.cell_line import add_turn_options
from sessionmagic.notebook.commands.registry import argument, command, say
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.kernel.last_failure import variables_in
from sessionmagic.notebook.kernel.values import inspected, learn_keys, short
from sessionmagic.notebook.page.code_blocks import code_blocks, python_in
from sessionmagic.notebook.page.code_difference import changed_lines, changed_lines_html
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.kernel.last_failure import Failure
    from sessionmagic.turns.request import Request

FORM = (
    "Say in a sentence or two what is wrong. Then give the whole corrected cell in one code block that begins with "
    "```python."
)
CODE_LENGTH = 20_000
TRACE_LENGTH = 4_000
VARIABLE_LENGTH = 1_000
VARIABLES_LENGTH = 8_000
"""Characters that are sent: of the cell's code, of its traceback, of each variable, and of all variables."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A proposed cell as the value of the cell that has asked for it: how it differs from the one that failed."""

    code: str
    lines: list[str]

    def __repr__(self) -> str:
        """Return the difference as text."""
        return visible("\n".join(self.lines))

    def _repr_html_(self) -> str:
        return html_block(changed_lines_html(self.lines))


@command(
    "Ask the session about the cell that failed last, and propose a corrected one below. Nothing is run.",
    argument("what", verbatim=True, nargs="?", default="", help="what to ask; default: why it failed"),
    argument("--replace", action="store_true", help="change the cell that failed, if this line now stands in it"),
    options=add_turn_options,
)
def fix(context: NotebookContext, options: argparse.Namespace) -> Fix | None:
    failure = context.last_failure.failure
    if failure is None:
        say("no cell has failed in this kernel, or the one that failed last has run since without an error")
        return None
    require_waiting()
    result = ask(context, options, _request(context, options, failure), takes_code=False)
    if result is None or result.status != "completed":
        say("the answer is not complete, so nothing is proposed")
        return None
    blocks = python_in(code_blocks(result.text))
    if not blocks:
        say("the answer has no Python code, so nothing is proposed")
        return None
    code = max((block.code for block in blocks), key=len)  # the others show details
    lines = changed_lines(without_keys(failure.code), without_keys(code))
    if not lines:
        say(f"the answer repeats {failure.place} as it is, so nothing is proposed")
        return None
    _propose(context, failure, _with_keys_of(failure.code, code), in_place=options.replace)
    return Fix(code, lines)


def _with_keys_of(failed: str, code: str) -> str:
    """Return code in which the lines with keys, which the model has not seen, are those of the cell that failed."""
    before, sent = failed.splitlines(), without_keys(failed).splitlines()
    if len(before) != len(sent):
        return code
    lines = dict(zip(sent, before, strict=True))
    return "\n".join(lines.get(line, line) for line in code.splitlines())


def _request(context: NotebookContext, options: argparse.Namespace, failure: Failure) -> Request:
    """Return the request about a failure. What the cell has in it is not read as a prompt, so no value is filled in."""
    request = request_of(context, options, options.what or f"Why did {failure.place} fail? Fix it.", background=False)
    variables = _variables(context, failure)
    described = "\n\n".join(variables.values())
    return replace(
        request,
        attachments=[
            *request.attachments,
            Attachment(name=f"The code of {failure.place}", content=short(failure.code, CODE_LENGTH)),
            Attachment(name="Its error", content=short(failure.trace, TRACE_LENGTH)),
            *([Attachment(name="Variables that it names", content=described)] if described else []),
            Attachment(name="The answer", content=FORM),
        ],
        values=list(dict.fromkeys([*request.values, *variables])),
        tools=[tool for tool in request.tools if getattr(tool, "name", "") != "insert_cell"],  # the answer has the cell
        rerun="append",
    )


def _variables(context: NotebookContext, failure: Failure) -> dict[str, str]:
    """Return descriptions of the variables that the cell names, as many as are sent."""
    namespace, room = context.shell.user_ns, VARIABLES_LENGTH
    learn_keys(namespace)
    described: dict[str, str] = {}
    for name, value in variables_in(failure.code, namespace, context.shell.user_ns_hidden):
        text = short(inspected(name, value), VARIABLE_LENGTH)
        room -= len(text)
        if room < 0:
            break
        described[name] = text
    return described


def _propose(context: NotebookContext, failure: Failure, code: str, *, in_place: bool) -> None:
    """Propose the code, in place of the running cell if that is the one that failed, and say where it is."""
    here = context.front_end.cell
    if not context.next_cell.possible:
        say("no cell was added, because this front end does not take any from the kernel; the answer has the code")
    elif in_place and here is not None and here.id == failure.cell:
        context.next_cell.propose(code, replace=True)
        say("the corrected code is in this cell, not run yet; the difference to what failed:")
    else:
        how = f"; to change {failure.place} itself, run %agent fix --replace in it" if in_place and failure.cell else ""
        context.next_cell.propose(code)
        say(f"the corrected code is in {context.next_cell.where}, not run yet{how}; the difference to {failure.place}:")
