"""``%agent`` on a session: show, use, stop, rename, star and delete it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import AgentsFileError, UnknownAgentError, UsageError
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.loop import result_of
from sessionmagic.models.replay_source import who_answers
from sessionmagic.notebook.captions import settings_line
from sessionmagic.notebook.commands.budgets import accounts_of_all, in_words
from sessionmagic.notebook.commands.registry import RUNNING, SESSION, argument, chosen, command, next_turn, running, say
from sessionmagic.notebook.visible import visible
from sessionmagic.turns.proposing import told_by_user
from sessionmagic.words import counted, shortened, typed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.turns.turn import Turn


@command(
    "Show a session's turns again, including a running one.",
    SESSION,
    argument("--last", type=int, default=0, metavar="N", help="show only the last N turns"),
    argument("--turn", default="", metavar="TURN", help="show only this turn, also one that was set aside"),
    argument("--sent", action="store_true", help="show the session's last model request as it went out"),
)
def show(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.conversation.comparison import shown_turn
    from sessionmagic.conversation.stored_transcript import transcript_of
    from sessionmagic.conversation.sub_agents import all_workers_of
    from sessionmagic.notebook.surface import prose_of
    from sessionmagic.notebook.terminal.text import turn_text
    from sessionmagic.notebook.view import show_turn

    session = context.manager.sessions.load(chosen(context, options.session))
    if options.sent:
        _show_sent(context, session)
        return
    if options.last < 0:
        raise UsageError("--last cannot be negative; --last 3 shows the last three turns")
    for line in (*_settings_of(context, session), who_answers()):
        if line:
            say(line)
    turns = [_turn(session, options.turn)] if options.turn else session.path()[-options.last :]
    if not turns:
        say(_no_turns(session))
    # Our own files have no keys. One from elsewhere may, or from a time when a key was not known yet.
    for turn in map(without_keys_in, turns):
        asked_with = settings_line(shown_turn(turn).settings, told_by_user(turn))
        running = context.manager.turns.find(session.id, turn.id)
        if running is not None:
            transcript = _so_far(running)
        else:
            workers = list(map(without_keys_in, all_workers_of(turn, session.turns)))
            transcript = transcript_of(session.name, turn, workers)
            if turn.status == "running":
                transcript = _noted(transcript, "running in another kernel")
        if context.front_end.in_terminal:
            print(turn_text(transcript, turn.prompt, asked_with, prose_of(context)))
        else:
            show_turn(transcript, turn.prompt, asked_with)


def _settings_of(context: NotebookContext, session: Session) -> Iterator[str]:
    """Yield the settings, instructions and budgets of the next turn, with where each comes from, or what is wrong."""
    from sessionmagic.sessions.levels import in_force

    sessions = context.manager.sessions
    try:
        joined, found = sessions.agent_of(session).additions, in_force(sessions, session)
    except (AgentsFileError, UnknownAgentError) as error:
        yield f"⚠ {error}"
        return
    parts = []
    for level in dict.fromkeys(each.level for each in found if each.level not in joined):
        own = {each.setting: each.value for each in found if each.level == level}
        system = str(own.pop("system", ""))
        parts.append(f"{settings_line(own, system)} ({level})")
    parts += [f"with {', '.join(joined)}"] if joined else []
    if parts:
        yield f"settings of {session.name}: {' · '.join(parts)}"
    budgets = [f"{in_words(each)} ({level})" for level, each in accounts_of_all(context, session).items()]
    if budgets:
        yield f"budgets of {session.name}: {' · '.join(budgets)}"


def _turn(session: Session, turn_id: str) -> TurnRecord:
    """Return a turn of a session; raises `UsageError` if there is no such turn."""
    try:
        return session.turn(turn_id)
    except KeyError:
        raise UsageError(
            f"session {session.name!r} has no turn {shortened(turn_id)!r}; %agent branches lists its turns"
        ) from None


def _no_turns(session: Session) -> str:
    """Return that a session's path has no turns, and what to do if it has only those of comparisons."""
    from sessionmagic.conversation.comparison import comparisons

    if not comparisons(session):
        return f"no turns; {next_turn(session)}"
    name = typed(session.name)
    return f"only a comparison; %agent keep 1 -s {name} goes on with its column 1, and %agent branches {name} lists all"


def _show_sent(context: NotebookContext, session: Session) -> None:
    sent = context.manager.turns.sent(session.id)
    if sent is None:
        raise UsageError(
            f"this kernel has sent no request of session {session.name!r}, or too many others since; requests are kept "
            "in memory only, so run a cell on the session first"
        )
    say(sent.text())


def _so_far(turn: Turn) -> Transcript:
    """Return the transcript of a running turn so far, with a note that it is running."""
    from sessionmagic.conversation.comparison import shown

    transcript = turn.transcript
    waits = transcript.waits_for_an_answer
    transcript = shown(transcript, turn.column)
    return _noted(transcript, "waiting for your answer; see %agent approve" if waits else "still running")


def _noted(transcript: Transcript, note: str) -> Transcript:
    return replace(transcript, warnings=(*transcript.warnings, note))


@command(
    "Make a session the active one, which cells without --session continue.",
    argument("session", metavar="SESSION[@TURN]", help="with a turn, the next turn continues that one"),
)
def use(context: NotebookContext, options: argparse.Namespace) -> None:
    name, at, turn = options.session.rpartition("@")
    if at and context.manager.store.find(options.session) is None:
        session = context.manager.branches.move_head(name or chosen(context, ""), turn)
        say(f"{session.name} is now the active session; {next_turn(session)}")
    else:
        session = context.manager.sessions.load(options.session)
        say(f"{session.name} is now the active session")
    context.active_session = session.id


@command("Stop a session's running turn; what was said so far is kept.", RUNNING)
def stop(context: NotebookContext, options: argparse.Namespace) -> None:
    session = context.manager.sessions.load(running(context, options.session))
    stopped = context.manager.turns.stop(session.id)
    say(f"stopping {session.name}" if stopped else f"{session.name} has no running turn in this kernel")


@command(
    "Rename a session.",
    argument("names", nargs="+", metavar="[SESSION] NAME"),
)
def rename(context: NotebookContext, options: argparse.Namespace) -> None:
    if len(options.names) > 2:  # noqa: PLR2004
        raise UsageError("rename takes one or two names; put quotes around a name with spaces")
    *old, new = options.names
    old = [context.named(name) for name in old]
    before = context.manager.sessions.load(old[0] if old else chosen(context, "")).name
    context.manager.sessions.rename(before, new)
    say(f"{before} is now {new}")


@command("Star a session.", SESSION, argument("--off", action="store_true", help="remove the star"))
def star(context: NotebookContext, options: argparse.Namespace) -> None:
    session = context.manager.sessions.star(chosen(context, options.session), starred=not options.off)
    say(f"{session.name} {'has a star' if session.starred else 'has no star'}")


@command(
    "Delete sessions permanently, after stopping their turns.",
    argument("sessions", nargs="+", metavar="SESSION"),
    argument("--yes", action="store_true", help="do not ask first"),
)
def delete(context: NotebookContext, options: argparse.Namespace) -> None:
    found = [context.manager.sessions.load(name) for name in dict.fromkeys(options.sessions)]
    sessions = {session.id: f"{session.name} ({counted(len(session.turns), 'turn')})" for session in found}
    if not options.yes:
        _confirm(context, f"delete {', '.join(sessions.values())} for ever?")
    for session_id, described in sessions.items():
        result_of(context.manager.delete(session_id))
        say(f"deleted {described}")


def _confirm(context: NotebookContext, question: str) -> None:
    """Ask on stdin; raises `UsageError` unless the user says yes."""
    if not context.front_end.takes_input:
        raise UsageError("there is nobody to ask; --yes deletes without asking")
    if input(visible(f"{question} [y/N] ")).strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was deleted")
