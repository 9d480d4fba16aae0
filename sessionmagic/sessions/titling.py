"""The titles that models are making for sessions, beside all turns."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.turns.title import give_title, wants_title

if TYPE_CHECKING:
    from sessionmagic.models.catalog import Models
    from sessionmagic.sessions.recordings import Recordings
    from sessionmagic.sessions.running import RunningTurns
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted


class Titling:
    """Lets models make titles in tasks of their own, which neither hold a session nor keep the process alive.

    Args:
        models: The models that references can name.
        store: The store of the sessions.
        turns: The running turns, which report new titles.
        recordings: Get the titles that they do not have.
    """

    def __init__(self, models: Models, store: Store, turns: RunningTurns, recordings: Recordings) -> None:
        self._recordings = recordings
        self._models = models
        self._store = store
        self._turns = turns
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """The running tasks by the id of their session."""
        self._untold: dict[str, str] = {}
        """New titles that no turn has reported yet, by the id of the session."""

    def begin(self, admitted: Admitted) -> None:
        """Begin to make a title if one is wanted after this turn, which has ended. Called on the turn's loop."""
        session_id = admitted.turn.session_id
        if not admitted.turn.finished or not wants_title(admitted) or session_id in self._tasks:
            return
        with suppress(RuntimeError):  # the loop is closing
            self._tasks[session_id] = asyncio.get_running_loop().create_task(self._make(admitted))

    async def _make(self, admitted: Admitted) -> None:
        session_id = admitted.turn.session_id
        try:
            title = await give_title(admitted, self._models, self._store, self._recordings.add_title)
        finally:
            self._tasks.pop(session_id, None)
        if title is None:
            return
        running = self._turns.of_id(session_id)
        for turn in running:
            turn.tell_title(title)
        if not running:
            self._untold[session_id] = title

    def tell(self, admitted: Admitted) -> None:
        """Let a turn that is about to start report the title that its session got since the turn before."""
        title = self._untold.pop(admitted.turn.session_id, "")
        if title == admitted.title:  # otherwise, the session was emptied
            admitted.turn.tell_title(title)

    def stop(self, session_id: str | None = None) -> None:
        """Stop making the title of one session, or of all. The first words stay. Safe on any thread."""
        if session_id is not None:
            self._untold.pop(session_id, None)
        for key, task in list(self._tasks.items()):
            if session_id in {None, key}:
                with suppress(RuntimeError):  # its loop is closed
                    task.get_loop().call_soon_threadsafe(task.cancel)
