"""``%agent code``: the code of an answer as a new cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.notebook.page.code_blocks import PYTHON, as_cell, code_blocks, python_in
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.page.code_blocks import CodeBlock

NO_CELLS = "no cell was added, because this front end does not take any from the kernel; copy the code:"


@command(
    "Put the Python code of an answer into a new cell below. Nothing is run.",
    argument("turn", nargs="?", default="", metavar="TURN", help="which answer; default: the latest"),
    argument("-n", type=int, metavar="N", help="only the answer's code block with this number"),
    argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest"),
)
def code(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.conversation.stored_transcript import transcript_of

    session = context.manager.sessions.load(chosen(context, options.session))
    turn = _answered(session, options.turn)
    where = f"turn {turn.id} of session {session.name!r}"
    # Our own files have no keys. One from elsewhere may, or from a time when a key was not known yet.
    blocks = code_blocks(transcript_of(session.name, without_keys_in(turn)).text)
    taken = python_in(blocks) if options.n is None else [_numbered(blocks, options.n, where)]
    if not taken:
        others = ", ".join(sorted({block.language for block in blocks}))
        say(f"{where} has no Python code{f', only {others}' if others else ''}")
    elif context.next_cell.possible:
        context.next_cell.propose(as_cell(taken))
        several = ", each after a line # %%; -n N takes only one" if len(taken) > 1 else ""
        cut = "; the answer was interrupted, so code may be missing" if turn.status == "interrupted" else ""
        say(f"{counted(len(taken), 'code block')} of {where} in {context.next_cell.where}, not run yet{several}{cut}")
    else:
        say(f"{NO_CELLS}\n\n{as_cell(taken)}")


def _answered(session: Session, turn_id: str) -> TurnRecord:
    """Return the given turn, else the latest one with an answer. Raises `UsageError` if there is none."""
    if turn_id:
        try:
            turn = session.turn(turn_id)
        except KeyError:
            raise UsageError(
                f"session {session.name!r} has no turn {shortened(turn_id)!r}; -s NAME names a session"
            ) from None
    else:
        turns = [turn for turn in session.path() if turn.kind != "compaction"]
        if not turns:
            raise UsageError(f"session {session.name!r} has no answer; %agent branches lists all its turns")
        turn = turns[-1]
    if turn.status == "running":
        raise UsageError(f"turn {turn.id} of session {session.name!r} is still running")
    return turn


def _numbered(blocks: list[CodeBlock], number: int, where: str) -> CodeBlock:
    """Return the code block with this number, counted from 1. Raises `UsageError` if there is none, or no Python."""
    if not 1 <= number <= len(blocks):
        raise UsageError(f"{where} has {counted(len(blocks), 'code block')}; -n {number} is none of them")
    block = blocks[number - 1]
    if block.language and block.language not in PYTHON:
        raise UsageError(f"code block {number} of {where} is {shortened(block.language)}, not Python")
    return block
