"""A stored turn that is shown again as it happened."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import TurnFinished, TurnStarted
from sessionmagic.conversation.stored_transcript import displays_in
from sessionmagic.turns.beats import beats_of
from sessionmagic.turns.event_log import EventLog
from sessionmagic.turns.turn import Turn, TurnResult
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionmagic.conversation.events import TurnStatus
    from sessionmagic.conversation.session import Session, TurnRecord

LONGEST_PAUSE = 10.0
"""Seconds: a longer pause is cut, at any speed."""


class PlayedTurn(Turn):
    """A stored turn while it is shown again. It asks no model, runs no tool and changes no session.

    Args:
        session: The session.
        record: The turn.
        speed: How many times faster than recorded it is shown; 0 for all at once.
        go_on: Awaited before each step; None if it goes on by itself.
    """

    def __init__(
        self,
        session: Session,
        record: TurnRecord,
        speed: float = 1.0,
        go_on: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        log = EventLog(session.id, record.id, record.agent)
        super().__init__(log, session, record)
        self._record = record
        self._speed = speed
        self._go_on = go_on
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._ended.set)

        self.on_cancel(stop)
        self.recorded_displays.update(_displays_of(record))
        self._playing = asyncio.ensure_future(self._play())

    async def _play(self) -> None:
        record, log = self._record, self._log
        log.emit(
            TurnStarted,
            session=self.session_name,
            prompt=record.prompt,
            model=record.who_answered,
            cell_id=None,
            values=tuple(record.values),
            notes=tuple(record.notes),
            remark=f"turn {record.id} as it was recorded; no model is asked, and no tool runs",
        )
        status, error = record.status, record.error
        try:
            await self._tell_beats()
        except Exception as problem:  # noqa: BLE001  the session may come from somebody else, and a turn must end
            status, error = "failed", f"the turn cannot be shown: {words_of(problem)}"
        if self._ended.is_set():
            status, error = "interrupted", None
        log.emit(TurnFinished, status=status, model=record.who_answered, error=error, seconds=record.seconds)
        self.end(self._result_with(status))

    async def _tell_beats(self) -> None:
        """Emit the recorded events, each after its pause, until the show is ended."""
        for beat in beats_of(self._record):
            if beat.stops and self._go_on is not None:
                await self._wait(self._go_on())
            if self._speed and beat.pause:
                await self._wait(asyncio.sleep(min(beat.pause / self._speed, LONGEST_PAUSE)))
            if self._ended.is_set():
                return
            self._log.emit(beat.kind, **beat.content)

    def _result_with(self, status: TurnStatus) -> TurnResult:
        record = self._record
        return TurnResult(
            text=self.transcript.text,
            status=status,
            usage=record.usage,
            model=record.who_answered,
            turn=record.id,
            session=self.session_name,
            raw_messages=record.messages,
            seconds=record.seconds,
            first_token=record.first_token,
        )

    async def _wait(self, what: Awaitable[object]) -> None:
        """Wait for something, or for the end of the show."""
        waiting = [asyncio.ensure_future(what), asyncio.ensure_future(self._ended.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()


def _displays_of(record: TurnRecord) -> dict[str, list[dict[str, object]]]:
    """Return what the calls of a stored turn have displayed, by call id."""
    parts = (part for message in record.messages for part in message["parts"] if part["part_kind"] == "tool-return")
    return {part["tool_call_id"]: list(displays_in(part.get("metadata"))) for part in parts}
