"""``%agent export`` and ``%agent import``: sessions as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import dollars
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext


@command(
    "Write a session to a file, in the format of its suffix or of --format, and say what the format cannot hold.",
    argument("words", nargs="+", metavar="[SESSION] FILE", help="default: the active session, or the latest"),
    argument("-s", "--session", default="", metavar="NAME", help="the session, also as the first word"),
    argument(
        "--format",
        default="",
        metavar="NAME",
        help="json (.json), atif, otel, openai, markdown, html, recording, notebook",
    ),
    argument("--force", action="store_true", help="replace the file if it exists"),
)
def export(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.exports.files import FORMATS, export_session, format_of

    if len(options.words) > (1 if options.session else 2):
        raise UsageError("export takes a session and a file; put quotes around one with spaces")
    *words, file = options.words
    named = options.session or context.named("".join(words))
    path = Path(file)
    chosen_format = FORMATS[format_of(path, options.format)]
    session = context.manager.sessions.load(chosen(context, named))
    losses = export_session(session, path, options.format, force=options.force)
    written = session.turns if "branches" in chosen_format.holds else session.path()
    say(f"wrote {session.name} to {path} ({counted(len(written), 'turn')})")
    for loss in losses:
        say(f"{chosen_format.title} cannot hold {loss}")


@command(
    "Add the session in a file: our JSON, an ATIF trajectory, or a session of docker-agent.",
    argument("file"),
    argument("name", nargs="?", default="", help="its name here; default: its name in the file"),
    name="import",
)
def import_(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.sessions.importing import import_session

    session = import_session(context.manager.store, Path(options.file).expanduser(), options.name)
    turns = counted(len(session.turns), "turn")
    say(f"{session.name} is imported ({turns}); %agent use {typed(session.name)} continues it")
    for line in _brought(context, session):
        say(line)


def _brought(context: NotebookContext, session: Session) -> list[str]:
    """Return what a session brings that acts on its next turns, one line each."""
    from sessionmagic.notebook.captions import settings_line
    from sessionmagic.tools.trust import doubts

    _, untrusted = context.manager.sessions.trusted(session)
    models = ", ".join(session.agent_model_overrides.values())
    settings = settings_line(session.settings, session.system)
    return [
        *doubts(session.name, untrusted),
        *([f"it is set to the model {models}"] if models else []),
        *([f"it has a budget of {dollars(session.budget)}"] if session.budget is not None else []),
        *([f"it brings settings: {settings}"] if settings else []),
    ]
