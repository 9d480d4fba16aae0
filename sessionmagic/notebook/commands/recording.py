"""``%agent record``: sessions as recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.context import NotebookContext


@command(
    "Write a session to a file whose answers can be replayed without network, keys or models.",
    argument("words", nargs="+", metavar="[SESSION] FILE", help="default: the active session, or the latest"),
    argument("-s", "--session", default="", metavar="NAME", help="the session, also as the first word"),
    argument("--force", action="store_true", help="replace the file if it exists"),
)
def record(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.exports.files import export_session
    from sessionmagic.sessions.recordings import SUFFIX
    from sessionmagic.turns.recorded import recorded_turns

    if len(options.words) > (1 if options.session else 2):
        raise UsageError("record takes a session and a file; put quotes around one with spaces")
    *words, file = options.words
    path = Path(file)
    if path.suffix != SUFFIX:
        raise UsageError(f"a recording is a file of JSON lines; name it {path.stem}{SUFFIX}")
    session = context.manager.sessions.load(chosen(context, options.session or context.named("".join(words))))
    export_session(session, path, "recording", force=options.force)
    turns = len(recorded_turns(session))
    say(f"recorded {session.name} in {path} ({counted(turns, 'turn')}); --model replay:{typed(str(path))} replays it")
    if left := len(session.turns) - turns:
        say(f"{counted(left, 'turn')} on other branches left out; %agent branches shows them")
