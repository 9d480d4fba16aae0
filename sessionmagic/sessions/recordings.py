"""The recordings that can be replayed: stored sessions, and files that were made of them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sessionmagic.conversation.session import Session
from sessionmagic.exceptions import ModelReferenceError, SessionMagicError, UsageError
from sessionmagic.models.configured import configured
from sessionmagic.storage.atomic import replace_file
from sessionmagic.storage.locks import Timeout, lock_of
from sessionmagic.words import shortened, suggestion, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.models.recording import Recording
    from sessionmagic.sessions.stored import Sessions

SUFFIX = ".jsonl"
"""The suffix of a file with a recording."""
LOCK_SECONDS = 10.0
"""How long a file is waited for that another kernel fills."""


class Recordings:
    """Finds recordings by their names: the name or id of a session, or the path of a file.

    A recording stays the same object as long as its session or file is the same, so that it knows who has asked for
    which of its answers.

    Args:
        sessions: The stored sessions.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._known: dict[str, tuple[Hashable, Recording]] = {}
        self._read: dict[Path, tuple[Session, Hashable]] = {}

    def __call__(self, name: str) -> Recording:
        """Return the recording with this name. Raises `ModelReferenceError`."""
        from sessionmagic.turns.recorded import recording_of

        try:
            session, version = self.session(name)
            known = self._known.get(name)
            if known is None or known[0] != version:
                recording = recording_of(session, f"the recording {shortened(Path(name).name)}")
                if known is not None:
                    recording.go_on_from(known[1])
                known = self._known[name] = version, recording
        except SessionMagicError as error:
            raise ModelReferenceError(str(error)) from error
        return known[1]

    def session(self, name: str) -> tuple[Session, Hashable]:
        """Return the session with this name or in this file, and what changes when it does.

        Raises `ModelReferenceError` if there is none, `StoreError`, and `UsageError` for a file that cannot be read.
        """
        path = Path(name).expanduser()
        if configured.fills and name == configured.replay:
            if path.suffix != SUFFIX:
                raise ModelReferenceError(f"answers are only added to files such as lesson{SUFFIX}, and not to {name}")
            if not path.exists():
                return _empty(path.stem), None
        if not name.endswith(SUFFIX) and self._sessions.has(name):
            session = self._sessions.load(name)
            return session, (session.id, session.updated_at, len(session.turns))
        if name.endswith(SUFFIX) and not path.exists():
            made = f"%agent record SESSION {typed(name)} makes it"
            if name == configured.replay:  # whoever runs the notebook may have been given it without the file
                made = "put it there, or let models answer with %config AgentMagics.replay = ''"
            where = f"cannot replay {name}: there is no such file in {path.absolute().parent}"
            others = [each for each in files_beside(name) if each != name]  # a link may lead nowhere
            raise ModelReferenceError(f"{where}{suggestion(name, others, made)}")
        if name.endswith(SUFFIX) or path.exists():
            return self._in_file(path)
        raise ModelReferenceError(
            f"no session or file is called {shortened(name)!r}"
            f"{suggestion(name, [*self.names(), *files_beside('')], '%agent sessions lists the sessions')}"
        )

    def _in_file(self, path: Path) -> tuple[Session, Hashable]:
        """Return the session in a file. The file is only read if it has changed, as each turn asks for it."""
        from sessionmagic.sessions.formats.recording import read_recording, version_of

        known = self._read.get(path)
        with suppress(OSError):
            if known is not None and known[1] == version_of(path):
                return known
        known = self._read[path] = read_recording(path)
        return known

    def add(self, session: str, turn_id: str) -> None:
        """Add a turn to the recording that is filled, after the turns of it that say what came before.

        Args:
            session: The id of its session.
            turn_id: Its id.

        Raises `UsageError` if the file cannot be read or written, and `SessionMagicError` for the session.
        """
        self._change(lambda recorded: with_path(recorded, self._sessions.load(session).path(turn_id)))

    def add_title(self, session: str, turn_id: str) -> None:
        """Add the title that was made after a turn to the recording that is filled. Raises what `add` raises."""
        self._add_aside(session, turn_id, "title")

    def add_verdicts(self, session: str, turn_id: str) -> None:
        """Add what a judge has said about the comparison that begins with a turn. Raises what `add` raises."""
        self._add_aside(session, turn_id, "judge")

    def _add_aside(self, session: str, turn_id: str, purpose: Literal["title", "judge"]) -> None:
        stored = self._sessions.load(session)
        self._change(lambda recorded: with_aside(recorded, stored, turn_id, purpose))

    def _change(self, change: Callable[[Session], Session]) -> None:
        """Change the recording that is filled."""
        from sessionmagic.sessions.formats.recording import PUBLIC_FILE, to_recording

        path = Path(configured.replay).expanduser()
        try:
            with _changing(path):
                recorded, _ = self.session(configured.replay)
                replace_file(path, to_recording(change(recorded)).encode(errors="replace"), PUBLIC_FILE)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"cannot write {path}: {reason}; it is as it was, so run the cell again later") from error

    def names(self) -> list[str]:
        """Return the names of the sessions."""
        return self._sessions.names()


def whole_path(name: str) -> str:
    """Return the name of a recording; if it is a file, with its whole path."""
    with suppress(RuntimeError):  # of an unknown user
        return str(Path(name).expanduser().absolute()) if name.endswith(SUFFIX) else name
    return name


def files_beside(path: str) -> list[str]:
    """Return the paths of the files that may be recordings, in the folder of a path that is typed."""
    folder, slash, _ = path.rpartition("/")
    with suppress(OSError, RuntimeError):  # without rights, or of an unknown user
        found = Path(f"{folder}{slash}").expanduser().glob(f"*{SUFFIX}")
        return sorted(f"{folder}{slash}{each.name}" for each in found)
    return []


def with_path(recorded: Session, path: Sequence[TurnRecord]) -> Session:
    """Return a recording with the last turn of a path, and those before it that it does not have.

    The last one is added even if it says what another one says, as it is an answer that was lacking: to a further
    cell, or with other settings. The recording has no head then, as it may come from several sessions, so that all of
    its turns are replayed.
    """
    from sessionmagic.turns.recorded import said_in_turn

    turns = list(recorded.turns)
    number = max((int(turn.id) for turn in turns), default=0)
    place: str | None = None
    places: dict[str, str] = {}
    for turn in path:
        said = said_in_turn(turn)
        same = (each.id for each in turns if each.parent == place and said_in_turn(each) == said)
        known = next(same, None) if turn is not path[-1] else None
        if known is None:
            number += 1
            known = str(number)
            turns.append(replace(turn, id=known, parent=place, covers=places.get(turn.covers or "")))
        place = places[turn.id] = known
    return replace(recorded, turns=tuple(turns), head=None)


def with_aside(recorded: Session, session: Session, turn_id: str, purpose: Literal["title", "judge"]) -> Session:
    """Return a recording with what was asked about a turn beside the conversation, if it has that turn.

    Args:
        recorded: The recording.
        session: The session of the turn.
        turn_id: The id of the turn.
        purpose: Whether it is a title, or what a judge has said.
    """
    turn = session.turn(turn_id)
    place = _place_of(recorded, session.path(turn_id))
    if place is None:
        return recorded
    new = [each for each in turn.requests if each.purpose == purpose]
    verdicts = []
    for verdict in turn.verdicts if purpose == "judge" else ():
        pair = [_place_of(recorded, session.path(each)) for each in (verdict.first, verdict.second)]
        if None in pair:
            return recorded
        verdicts.append(replace(verdict, first=pair[0] or "", second=pair[1] or ""))

    def changed(known: TurnRecord) -> TurnRecord:
        others = [each for each in known.requests if each.purpose != purpose]
        return replace(known, requests=[*others, *new], verdicts=verdicts or known.verdicts)

    return replace(recorded, turns=tuple(changed(each) if each.id == place else each for each in recorded.turns))


def _place_of(recorded: Session, path: Sequence[TurnRecord]) -> str | None:
    """Return the id that the last turn of a path has in a recording; None if it has none."""
    place: str | None = None
    for turn in path:
        same = [each for each in recorded.turns if each.parent == place and _identity(each) == _identity(turn)]
        if not same:
            return None
        place = same[-1].id
    return place


def _identity(turn: TurnRecord) -> object:
    """Return what tells a turn from others that continue the same one."""
    from sessionmagic.turns.recorded import said_in_turn

    column = (turn.column.label, turn.column.repeat) if turn.column is not None else None
    return said_in_turn(turn), turn.settings, column


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which other threads and kernels may fill, too. Raises `UsageError` and `OSError`."""
    file = path.with_name(f".{path.name}.lock")
    if not path.parent.is_dir():  # the lock would make it
        raise UsageError(f"there is no directory {path.parent}; make it first")
    lock = lock_of(file, LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another kernel has locked {path} for more than {LOCK_SECONDS:g} seconds; run it again"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            file.unlink(missing_ok=True)
        lock.release()


def _empty(name: str) -> Session:
    return Session(id="0" * 32, name=name, created_at=0.0, updated_at=0.0)
