"""``%agent`` on the tree of a session's turns: draw it, go back, copy it, empty it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.commands.registry import SESSION, argument, chosen, command, next_turn, say
from sessionmagic.notebook.page.listing import Listing, ago
from sessionmagic.turns.account import account_of
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.context import NotebookContext

IN = argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest")


@command("Draw the tree of a session's turns. The next turn continues the head.", SESSION)
def branches(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.conversation.branches import tree_rows

    session = context.manager.sessions.load(chosen(context, options.session))
    rows = tree_rows(session)
    name = typed(session.name)
    aside = ["○ marks turns that were set aside"] if any(not row.on_path for row in rows) else []
    how = f"%agent use {name}@TURN lets the next turn continue another; %agent fork --at TURN copies the turns up to it"
    return Listing(
        rows,
        {
            "turn": lambda row: row.graph,
            "prompt": lambda row: row.prompt,
            "kind": lambda row: row.kind,
            "model": lambda row: row.model,
            "status": lambda row: f"{row.status}, head" if row.is_head else row.status,
            "started_at": lambda row: ago(row.started_at),
        },
        [f"session {session.name!r}: {next_turn(session)}", *aside, how]
        if rows
        else [f"{session.name!r} has no turns"],
    )


@command(
    "Let the next turn continue an earlier one. The later turns stay stored.",
    argument("turn", nargs="?", default="", metavar="TURN", help="a turn, or root; default: the one before the head"),
    IN,
)
def rewind(context: NotebookContext, options: argparse.Namespace) -> None:
    branches, name = context.manager.branches, chosen(context, options.session)
    session = branches.move_head(name, options.turn) if options.turn else branches.drop(name)
    say(f"session {session.name!r}: {next_turn(session)}")


@command(
    "Copy a session with all its turns, settings and rules, and make the copy the active session.",
    argument("name", nargs="?", default="", metavar="NAME", help="of the copy; default: a number after the old one"),
    argument("--at", default=None, metavar="TURN", help="the turn that the copy continues; default: the head"),
    IN,
)
def fork(context: NotebookContext, options: argparse.Namespace) -> None:
    original = context.manager.sessions.load(chosen(context, options.session))
    copy = context.manager.branches.fork(original.id, options.name, at=options.at)
    context.active_session = copy.id
    say(f"{copy.name} is a copy of {original.name}, and now the active session; {next_turn(copy)}")


@command("Remove all turns of a session permanently. Its name, settings and rules stay.", argument("session"))
def reset(context: NotebookContext, options: argparse.Namespace) -> None:
    if context.manager.store.find(options.session) is None:
        say(f"there is no session {options.session!r}, so there is nothing to remove")
        return
    before = context.manager.branches.reset(options.session)
    say(f"removed {counted(len(before.turns), 'turn')} from {before.name}")
    if state := account_of(before).state():
        say(state)


@command(
    "Take the latest turns off a session, so that the next one continues the turn before them. They stay stored.",
    argument("count", nargs="?", default="1", metavar="N", help="how many turns; default: 1"),
    IN,
)
def drop(context: NotebookContext, options: argparse.Namespace) -> None:
    if not options.count.isdecimal():
        raise UsageError(f"{options.count!r} is not a number of turns; %agent drop -s NAME names the session")
    count = int(options.count)
    session = context.manager.branches.drop(chosen(context, options.session), count)
    turns = "the latest turn" if count == 1 else f"the latest {count} turns"
    say(f"took {turns} off session {session.name!r}; {next_turn(session)}")
