"""A turn while it runs: its events, its transcript so far, its result, and how to stop it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import TitleChanged, ToolPrinted
from sessionmagic.conversation.transcript import with_displays
from sessionmagic.conversation.value import rows_of
from sessionmagic.displayed import answer_html, answer_markdown
from sessionmagic.exceptions import UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.tools.approvals import Approvals
from sessionmagic.tools.questions import Questions
from sessionmagic.tools.tool_code import running_tool
from sessionmagic.turns.inbox import Inbox
from sessionmagic.words import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.column import Column
    from sessionmagic.conversation.events import Event, TurnStatus
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.conversation.usage import Usage
    from sessionmagic.conversation.value import StoredValue
    from sessionmagic.exceptions import SessionMagicError
    from sessionmagic.turns.event_log import EventLog
    from sessionmagic.turns.sent_request import SentRequest

current_turn: ContextVar[Turn] = ContextVar("current_turn")
"""The turn whose tool call runs in this context."""
current_call: ContextVar[str] = ContextVar("current_call", default="")
"""The id of the tool call that runs in this context."""

current_work: ContextVar[tuple[str, ...]] = ContextVar("current_work", default=())
"""For the work of a sub-agent in this context, the ids of the tool calls that it works for, the outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """The result of a turn. ``str(result)`` is the answer."""

    text: str
    status: TurnStatus
    usage: Usage
    model: str
    """The model that answered, by the name it gives itself; the last one if several have answered."""
    turn: str
    """The turn's id."""
    session: str
    """The session's name."""
    raw_messages: list[dict[str, Any]]
    error: SessionMagicError | None = None
    seconds: float = 0.0
    """How long the model requests took in all."""
    first_token: float | None = None
    """Seconds from the first model request to the first piece of its response; None when there was none."""
    elapsed: float = 0.0
    """Seconds from the start of the turn to its end, with its tool calls, and what it has waited for the user."""
    column: Column | None = None
    """Where the turn stands in a comparison; None if it is not part of one."""
    value: Any = None
    """The structured answer as a value of the type that was asked for; None if no structured answer was asked for, or
    given. In a stored answer that is shown again, it is a value of the type if it still fits, and else plain JSON."""
    stored_value: StoredValue | None = None
    """The same as plain JSON, as it is stored."""
    reused: bool = False
    """Whether this is the stored result of an earlier turn, because nothing had changed; see `Request.reuse`."""

    @property
    def number(self) -> int | None:
        """The turn's number in its session; None if its id is none, as in a file that somebody has edited."""
        return int(self.turn) if self.turn.isdecimal() else None

    @property
    def cost(self) -> float | None:
        """The cost in US dollars; None if the model has no known price, or if the cost is unknown.

        It is unknown if the turn was stopped, or if its usage could not be read. If that is so for only some of its
        requests, this is the cost of the others; `usage.unmeasured_requests` and `usage.unpriced_requests` count them.
        """
        return self.usage.cost

    @property
    def messages(self) -> list[ModelMessage]:
        """The turn's messages, the prompt first."""
        from pydantic_ai.messages import ModelMessagesTypeAdapter

        return ModelMessagesTypeAdapter.validate_python(self.raw_messages)

    def to_frame(self) -> Any:
        """Return the structured answer as a pandas DataFrame: a list has a row for each item, a record is one row.

        Raises `UsageError` if there is no structured answer.
        """
        import pandas as pd

        if self.stored_value is None:
            raise UsageError("the answer has no structured value; ask for one with --type")
        return pd.DataFrame(rows_of(self.stored_value.json))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        hidden = self.column is not None and self.column.hidden
        left_out = {"raw_messages", "stored_value", *(("model", "error") if hidden else ())}
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.name not in left_out)
        return f"TurnResult({', '.join(shown)})"

    def _repr_html_(self) -> str:
        return answer_html(self.text or NO_ANSWER, self.stored_value)

    def _repr_markdown_(self) -> str:
        return answer_markdown(self.text or NO_ANSWER, self.stored_value)


class Turn:
    """A handle on a running turn. Dropping it, or any observer of it, neither stops nor delays the turn."""

    def __init__(self, log: EventLog, session: Session, record: TurnRecord, *, attended: bool = False) -> None:
        self.session_id = session.id
        self.session_name = session.name
        self.id = record.id
        self.column = record.column
        """Where the turn stands in a comparison; None if it is not part of one."""
        self.approvals = Approvals(log.emit)
        """The tool calls that wait for a decision."""
        self.questions = Questions(log.emit, attended=attended)
        """The questions of MCP servers that wait for an answer."""
        self.inbox = Inbox()
        """The messages that wait to be delivered to the model."""
        self.commands: Mapping[str, str] = {}
        """The commands of its agent, which a queued prompt may name, too."""
        self.within: Turn | None = None
        """The turn whose tool call has started this one."""
        self.sent: SentRequest | None = None
        """The turn's latest model request as it went out; None before the first one."""
        self.displayed: dict[str, list[Any] | None] = {}
        """What each call has displayed, by call id, as it is stored with the call's result; None if it is too much."""
        self.recorded_displays: dict[str, list[Any]] = {}
        """What calls have displayed whose results come from a recording, by call id."""
        self._new_title = ""
        """A title that the session got before this turn started, and that no turn has reported."""
        self._log = log
        self._cancelled = threading.Event()
        self._stop: Callable[[], object] | None = None
        self._result: Future[TurnResult] = Future()
        self._result.set_running_or_notify_cancel()  # so that no waiting caller can cancel it

    @property
    def transcript(self) -> Transcript:
        """What the turn has said and done so far."""
        return with_displays(self._log.snapshot(), self.recorded_displays)

    @property
    def finished(self) -> bool:
        """Whether the turn has ended and released its session."""
        return self._result.done()

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Follow the turn's events, from the first one after number `after` to `TurnFinished`."""
        return self._log.follow(after)

    async def news(self, after: int, seconds: float) -> int:
        """Wait up to `seconds` for an event after number `after`; return the number of the latest event."""
        return await self._log.news(after, seconds)

    def cancel(self) -> None:
        """Ask the turn to stop. May be called from any thread, more than once, and after the turn has ended."""
        self._cancelled.set()
        if (stop := self._stop) is not None:  # another thread may end the turn meanwhile
            stop()

    async def result(self) -> TurnResult:
        """Wait for the turn's end, on any event loop, and return its result.

        A failed turn does not raise: its error is `TurnResult.error`.
        """
        return await asyncio.wrap_future(self._result)

    async def ended(self, seconds: float) -> bool:
        """Wait up to `seconds` for the turn's end, on any event loop; return whether it has ended."""
        await asyncio.wait([asyncio.wrap_future(self._result)], timeout=seconds)
        return self.finished

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the turn has ended; return whether it has. Do not call it on the turn's event loop.

        Args:
            timeout: Seconds to wait at most; by default without limit.
        """
        loop_thread().wait(self._result, timeout)
        return self.finished

    def keep_sent(self, sent: SentRequest) -> None:
        """Keep a model request as the latest one. Only for the code that runs the turn."""
        if self.column is not None and self.column.hidden:
            sent = replace(sent, model=self.column.name, settings={})
        self.sent = sent

    def report_printed(self, text: str) -> None:
        """Report what the calling tool call has printed, if anything. Only for the code that runs the call."""
        if text:
            about: dict[str, Any] = {
                "for_calls": current_work.get(),
                "call_id": current_call.get(),
                "tool": running_tool(),
            }
            self._log.emit(ToolPrinted, **about, text=text)

    def tell_title(self, title: str) -> None:
        """Report a new title of the session, as soon as the turn has started. Only for the code that runs the turn."""
        self._new_title = title
        if self.transcript.turn_id:
            self.tell_new_title()

    def tell_new_title(self) -> None:
        """Report the session's new title, if it has one. Only for the code that runs the turn."""
        title, self._new_title = self._new_title, ""
        if title:
            self._log.emit(TitleChanged, title=title)

    def on_cancel(self, stop: Callable[[], object]) -> None:
        """Set the function that `cancel` calls. If the turn was cancelled before, it is called at once.

        Only for the code that runs the turn.
        """
        self._stop = stop
        if self._cancelled.is_set():
            stop()

    def end(self, result: TurnResult) -> None:
        """Set the result of the turn, which has ended. Only for the code that runs the turn."""
        self._result.set_result(result)
        self._stop = None  # it holds all that the run has made
