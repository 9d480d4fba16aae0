"""What the user says to a turn while it runs.

A steering message is delivered before the next model request, a queued one when the model has answered.
"""

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
"""How many messages of each kind may wait. The numbers are docker-agent's."""
KEYS_KEPT = 256
"""How many used keys are kept for each session."""


@dataclass(slots=True)
class Note:
    """A message that waits to be delivered."""

    text: str
    kind: Kind
    key: str = ""
    """The key that it was queued with, if any."""
    values: tuple[str, ...] = ()
    """The expressions whose values the user has put into the message."""
    held: bool = False
    """Whether it waits until a recording says it, too."""
    delivery: str | None = None
    """The id with which the run reports its delivery; None until it is handed over to the run."""


class Inbox:
    """The messages of one turn that wait for delivery, in order. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[Note] = []
        self._send: Callable[[str, Kind], str] | None = None
        self._take_back: Callable[[str], bool] = lambda _: False
        self._closed = False
        self._refusal = ""
        self._holds = False
        self._said_again: list[str] = []
        """The messages that came from a recording, and that the user has not sent since."""

    def refuse(self, why: str) -> None:
        """Accept no messages from the beginning.

        Args:
            why: The error that their senders get.
        """
        self._closed, self._refusal = True, why

    @property
    def refuses(self) -> bool:
        """Whether the turn takes no messages, although it is running."""
        return bool(self._refusal)

    @property
    def waiting(self) -> list[str]:
        """The texts of the messages that wait."""
        with self._lock:
            return [note.text for note in self._notes]

    @property
    def waiting_keys(self) -> list[str]:
        """The keys of the messages that wait."""
        with self._lock:
            return [note.key for note in self._notes if note.key]

    def accept(self, kind: Kind, texts: Sequence[str], key: str = "", values: Sequence[str] = ()) -> None:
        """Accept all of these messages or none.

        Raises:
            InboxFullError: Too many messages of this kind wait.
            SessionIdleError: The turn has ended, or takes no messages.
        """
        with self._lock:
            if self._closed:
                raise SessionIdleError(self._refusal or "the turn has just ended; send it as a new prompt")
            room = SIZES[kind] - sum(note.kind == kind for note in self._notes)
            if len(texts) > room:
                raise InboxFullError(
                    f"{SIZES[kind]} messages are already waiting; send more when the model has read them"
                )
            before = list(self._notes)
            self._notes += [Note(text, kind, key, tuple(values), self._holds) for text in texts]
            try:
                self._hand_over()
            except SessionIdleError:
                self._notes = before
                raise

    def say_again(self, texts: Sequence[str]) -> None:
        """Deliver the messages that a recorded turn got at this point. Those that wait already are not sent twice.

        Raises `SessionIdleError` when the run has just ended.
        """
        with self._lock:
            for text in texts:
                note = next((note for note in self._notes if note.text == text), None)
                if note is None:
                    self._notes.append(Note(text, "steer"))
                    self._said_again.append(text)
                else:
                    note.held = False
            if texts:
                self._hand_over()

    def release(self) -> None:
        """Deliver all messages, also those that the recorded turn did not get. Raises `SessionIdleError`."""
        with self._lock:
            self._holds = False
            for note in self._notes:
                note.held = False
            self._hand_over()

    @property
    def has_said_again(self) -> bool:
        """Whether messages came from a recording that the user has not sent since."""
        return bool(self._said_again)

    def was_said_again(self, texts: Sequence[str]) -> bool:
        """Return whether all of these messages came from a recording, so that the user need not send them."""
        with self._lock:
            if not texts or not set(texts) <= set(self._said_again):
                return False
            for text in texts:
                self._said_again.remove(text)
            return True

    def open(self, send: Callable[[str, Kind], str], take_back: Callable[[str], bool], *, holds: bool = False) -> None:
        """Start to hand messages over to the run. Called when the run begins.

        Args:
            send: Hands a message over and returns the id of its delivery.
            take_back: Takes a message back by that id, and returns whether it could; a delivered message cannot be.
            holds: Hold messages back until `say_again` or `release`, as a recording answers sooner than its model did.
        """
        with self._lock:
            self._send, self._take_back, self._holds = send, take_back, holds
            for note in self._notes:  # an earlier run of the turn did not deliver them
                note.delivery, note.held = None, holds
            self._hand_over()

    def delivered(self, delivery: str) -> Note | None:
        """Remove a message that the run has delivered and return it; hand over the next queued one."""
        with self._lock:
            note = next((note for note in self._notes if note.delivery == delivery), None)
            if note is not None:
                self._notes.remove(note)
                with suppress(SessionIdleError):  # the run has been cancelled, so nothing more is delivered
                    self._hand_over()
            return note

    def close(self) -> list[str]:
        """Accept no more messages, and return the texts that were not delivered. Called when the turn ends."""
        with self._lock:
            self._closed = True
            self._send, self._take_back = None, lambda _: False  # the run's hold all that it has made
            return [note.text for note in self._notes]

    def _hand_over(self) -> None:
        """Hand over all steering messages or, if there are none, the first queued message.

        Queued messages are handed over one by one, so that the model answers each of them. One that was handed over is
        taken back when a steering message arrives, which goes first.
        """
        if self._send is None:
            return
        notes = [note for note in self._notes if not note.held]
        steering = [note for note in notes if note.kind == "steer"]
        queued = [note for note in notes if note.kind == "queue"][:1]
        for note in queued if steering else ():
            if note.delivery is not None and self._take_back(note.delivery):
                note.delivery = None
        for note in steering or queued:
            if note.delivery is None:
                note.delivery = self._send(note.text, note.kind)


class UsedKeys:
    """The keys that prompts were queued with, so that no prompt is queued twice. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEYS_KEPT))

    @contextmanager
    def once(self, session: str, key: str) -> Iterator[bool]:
        """Use the key in the session, and yield whether it was new there. An empty key is always new.

        The key is free again if the body raises.
        """
        new = self.use(session, key)
        try:
            yield new
        except BaseException:
            if new:
                self.free(session, key)
            raise

    def free(self, session: str, key: str) -> None:
        """Make the key new in the session again."""
        with self._lock, suppress(ValueError):
            self._used[session].remove(key)

    def use(self, session: str, key: str) -> bool:
        """Use the key in the session, and return whether it was new there. An empty key is always new."""
        with self._lock:
            used = self._used[session]
            new = key not in used
            if new and key:
                used.append(key)
            return new
