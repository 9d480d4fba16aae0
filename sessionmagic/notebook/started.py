"""The sessions on which cells of this kernel have started turns."""

from __future__ import annotations


class Started:
    """Sessions by their ids: all on which this kernel has started a turn, and those of the present run of a cell."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()
        self._run = ""
        self._in_run: set[str] = set()

    def add(self, session_id: str, run: str) -> None:
        """Note that a turn was started on a session, in the run of a cell."""
        self._sessions.add(session_id)
        if run != self._run:
            self._run, self._in_run = run, set()
        self._in_run.add(session_id)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def in_run(self, session_id: str, run: str) -> bool:
        """Return whether this run of a cell has started a turn on the session."""
        return run == self._run and session_id in self._in_run
