"""What the user says to a turn while it runs: steering for its next request, and messages for when it is done."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sessionmagic.exceptions import InboxFullError, SessionIdleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Kind = Literal["steer", "queue"]

SIZES: dict[Kind, int] = {"steer": 5, "queue": 20}
"""How many messages of a kind may wait. docker-agent's figures."""
KEYS_KEPT = 256


@dataclass(slots=True)
class Note:
    """A message that waits to be delivered."""

    text: str
    kind: Kind
    key: str = ""
    """Under which it was queued, if it was."""
    delivery: str | None = None
    """The id under which the run will say that it has delivered it; None while it was not handed over."""


class Inbox:
    """The messages of one turn that wait for delivery, in order. Safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[Note] = []
        self._send: Callable[[str, Kind], str] | None = None
        self._take_back: Callable[[str], bool] = lambda _: False
        self._closed = False

    @property
    def waiting(self) -> list[str]:
        """The texts that were accepted and not delivered yet."""
        with self._lock:
            return [note.text for note in self._notes]

    @property
    def waiting_keys(self) -> list[str]:
        """The keys of those that were accepted and not delivered yet."""
        with self._lock:
            return [note.key for note in self._notes if note.key]

    def accept(self, kind: Kind, texts: Sequence[str], key: str = "") -> None:
        """Take all of these messages or none. Raises `InboxFullError`, and `SessionIdleError` when it is too late."""
        with self._lock:
            if self._closed:
                raise SessionIdleError("the turn has just ended")
            room = SIZES[kind] - sum(note.kind == kind for note in self._notes)
            if len(texts) > room:
                raise InboxFullError(f"{SIZES[kind]} messages wait already; let the model answer first")
            before = list(self._notes)
            self._notes += [Note(text, kind, key) for text in texts]
            try:
                self._hand_over()
            except SessionIdleError:
                self._notes = before
                raise

    def open(self, send: Callable[[str, Kind], str], take_back: Callable[[str], bool]) -> None:
        """Begin to hand messages over to the run. Called when that begins.

        Args:
            send: returns the id of a delivery.
            take_back: says whether a delivery could be taken back.
        """
        with self._lock:
            self._send, self._take_back = send, take_back
            self._hand_over()

    def delivered(self, delivery: str) -> Note | None:
        """Say that the run has delivered a message; return it. The next one of the queue is handed over."""
        with self._lock:
            note = next((note for note in self._notes if note.delivery == delivery), None)
            if note is not None:
                self._notes.remove(note)
                with suppress(SessionIdleError):  # the run was cancelled meanwhile: what waits is not delivered
                    self._hand_over()
            return note

    def close(self) -> list[str]:
        """Take no more, and return what was not delivered. Called when the run has ended."""
        with self._lock:
            self._closed = True
            self._send = None
            return [note.text for note in self._notes]

    def _hand_over(self) -> None:
        """Hand over all steering, and when none waits the first message of the queue, so that each has its answer."""
        if self._send is None:
            return
        steering = [note for note in self._notes if note.kind == "steer"]
        queued = [note for note in self._notes if note.kind == "queue"][:1]
        for note in queued if steering else ():
            if note.delivery is not None and self._take_back(note.delivery):
                note.delivery = None
        for note in steering or queued:
            if note.delivery is None:
                note.delivery = self._send(note.text, note.kind)


class UsedKeys:
    """The keys under which something was queued, so that it is not queued twice. Safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEYS_KEPT))

    @contextmanager
    def once(self, session: str, key: str) -> Iterator[bool]:
        """Give whether the key is new on that session, as an empty one always is. It stays new when the body fails."""
        new = self.use(session, key)
        try:
            yield new
        except BaseException:
            if new:
                self.free(session, key)
            raise

    def free(self, session: str, key: str) -> None:
        """Let a key be new on that session again: what was queued under it came to nothing."""
        with self._lock, suppress(ValueError):
            self._used[session].remove(key)

    def use(self, session: str, key: str) -> bool:
        """Use the key on that session; whether it was new there, as an empty one always is."""
        with self._lock:
            used = self._used[session]
            new = key not in used
            if new and key:
                used.append(key)
            return new
