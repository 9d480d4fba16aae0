"""``%agent record`` and ``%agent replay``: sessions as recordings, and recordings as a show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError, SessionNotFoundError, UsageError
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.notebook.context import NotebookContext

FASTEST = 1000.0


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
    if left := sum(turn.caller is None for turn in session.turns) - turns:  # not those of sub-agents
        say(f"{counted(left, 'turn')} on other branches left out; %agent branches shows them")


@command(
    "Show a session again as it happened, with its own timing. No model is asked, and no tool runs.",
    argument("session", nargs="?", default="", metavar="NAME", help="a session, or a file of %agent record"),
    argument("--turn", default="", metavar="TURN", help="show only this turn"),
    argument("--speed", type=float, default=1.0, metavar="N", help="N times faster; 0 for all at once"),
    argument("--step", action="store_true", help="wait for a click on a button before each step"),
)
def replay(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.show import show_again

    if not 0 <= options.speed <= FASTEST:
        raise UsageError(f"--speed {options.speed:g} is not a speed; 2 is twice as fast, and 0 shows all at once")
    try:
        session, _ = context.manager.recordings.session(options.session or chosen(context, ""))
    except ModelReferenceError as error:
        raise SessionNotFoundError(str(error)) from None
    turns = recorded_path(session)
    if options.turn:
        turns = [turn for turn in session.turns if turn.id == options.turn]
    if not turns:
        what = f"turn {options.turn}" if options.turn else "turns"
        raise UsageError(f"{session.name} has no {what} to show; %agent show shows a session")
    show_again(context, session, turns, speed=options.speed, step=options.step)


def recorded_path(session: Session) -> list[TurnRecord]:
    """Return the turns that are shown: those on the path to the head, or all if there is no head."""
    return session.path() or [turn for turn in session.turns if turn.status != "running"]
