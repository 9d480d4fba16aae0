"""Write a session to a file in one of the formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.garbage import uncollected
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.notebook.exports import html, notebook
from sessionmagic.sessions.formats import atif, markdown, native, openai_chat, opentelemetry, recording
from sessionmagic.sessions.formats.checks import check_circles, with_whole_messages
from sessionmagic.sessions.formats.contents import not_held
from sessionmagic.storage.atomic import create_file, replace_file
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.formats.contents import Content

PUBLIC_FILE = 0o666
"""The mode of an exported file, from which the user's mask is subtracted, as for files of other programs."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that sessions are exported to."""

    title: str
    """Its name in messages."""
    suffixes: tuple[str, ...]
    """The suffixes of files for which it is chosen; empty if another format has its suffix."""
    write: Callable[[Session], str | bytes]
    holds: Collection[Content]
    also_lost: Callable[[Session], list[str]] = lambda _: []
    """Returns what else of a session cannot be written."""


FORMATS: dict[str, Format] = {
    "json": Format("sessionmagic's JSON", (".json",), native.to_native, native.HOLDS),
    "atif": Format(atif.VERSION, (), atif.to_atif, atif.HOLDS),
    "otel": Format("OpenTelemetry", (), opentelemetry.to_opentelemetry, opentelemetry.HOLDS),
    "openai": Format("OpenAI's chat format", (".jsonl",), openai_chat.to_openai_chat, openai_chat.HOLDS),
    "markdown": Format("Markdown", (".md", ".markdown"), markdown.to_markdown, markdown.HOLDS),
    "html": Format("HTML", (".html", ".htm"), html.to_html, html.HOLDS, html.cut_in_html),
    "recording": Format("a recording", (), recording.to_recording, recording.HOLDS),
    "notebook": Format("a notebook", (".ipynb",), notebook.to_notebook, notebook.HOLDS, notebook.not_in_notebook),
}


def export_session(session: Session, file: Path | str, format: str = "", *, force: bool = False) -> list[str]:  # noqa: A002
    """Write a session to a file, and return in words what the format cannot hold of it, one line each.

    Keys and passwords are left out. A turn that is running is written as an interrupted one. The file is complete, or
    it is not written at all.

    Args:
        session: The session, as `SessionManager.sessions.load` returns it.
        file: The file.
        format: ``json``, which can be imported without losses, ``atif``, ``otel``, ``openai``, ``markdown``, ``html``,
            ``recording`` or ``notebook``; by default that of the file's suffix.
        force: Replace a file that exists.

    Raises `UsageError` when the format is unknown, when the file exists or cannot be written, and when the session
    cannot be read because somebody has edited its file.
    """
    path = Path(file).expanduser()
    chosen = FORMATS[format_of(path, format)]
    cleaned = without_keys_in(_readable(session))
    content = chosen.write(cleaned)
    _write(path, content.encode(errors="replace") if isinstance(content, str) else content, force=force)
    return [*not_held(cleaned, chosen.holds), *chosen.also_lost(cleaned)]


@uncollected()  # all turns are read, and stay until the file is written
def _readable(session: Session) -> Session:
    """Return a session in which no turn is running; raises `UsageError` if its file was edited and is not valid."""
    try:
        check_circles(session)
        turns = tuple(with_whole_messages(_at_rest(turn)) for turn in session.turns)
    except ValueError as error:
        raise UsageError(f"session {session.name!r} cannot be exported: {error}") from None
    return replace(session, turns=turns)


def _at_rest(turn: TurnRecord) -> TurnRecord:
    if turn.status != "running":
        return turn
    return replace(turn, status="interrupted", error="it was running when the session was exported", waiting=[])


def format_of(path: Path, name: str) -> str:
    """Return the name of the format with that name, or else of the file's suffix; raises `UsageError`."""
    if name:
        if name not in FORMATS:
            raise UsageError(
                f"{shortened(name)!r} is not a format{suggestion(name, FORMATS, f'use one of {_names()}')}"
            )
        return name
    for known, each in FORMATS.items():
        if path.suffix.lower() in each.suffixes:
            return known
    suffix = f"the suffix {shortened(path.suffix)!r} has no format" if path.suffix else f"{path.name!r} has no suffix"
    raise UsageError(f"{suffix}; give a file such as {path.stem}.html, or name a format with --format: {_names()}")


def _names() -> str:
    return ", ".join(FORMATS)


def _write(path: Path, content: bytes, *, force: bool) -> None:
    try:
        if path.exists() and not path.is_file():  # a directory, or a device, which would be replaced by the file
            raise UsageError(f"cannot write {path}: it is not a regular file; name another one")
        (replace_file if force else create_file)(path, content, PUBLIC_FILE)
    except FileExistsError:
        raise UsageError(f"{path} exists; --force replaces it") from None
    except FileNotFoundError:
        raise UsageError(f"cannot write {path}: there is no directory {path.parent}; make it first") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; nothing was written") from error
    except ValueError as error:  # the path has a character that no path can have
        raise UsageError(f"{shortened(str(path))!r} is not a path: {error}") from error
