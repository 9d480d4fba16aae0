"""A turn whose answers come from a recording, and the results of its tool calls with them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ToolReturn, UserContent
from pydantic_ai.tools import ToolDenied

from sessionmagic.conversation.events import Warned
from sessionmagic.conversation.stored_transcript import displays_in
from sessionmagic.exceptions import ReplayError, SessionIdleError, SessionMagicError
from sessionmagic.loop import settled_in_thread
from sessionmagic.models.recording import Wanted
from sessionmagic.models.replay import ASKING, Asking
from sessionmagic.models.said import as_compared
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_ai.messages import ToolCallPart

    from sessionmagic.models.difference import Said
    from sessionmagic.models.recording import Purpose
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.inbox import Inbox

_content: TypeAdapter[list[UserContent]] = TypeAdapter(list[UserContent])


def asking_of(admitted: Admitted) -> Asking:
    """Return what recordings must know of a turn."""
    record, request = admitted.record, admitted.request
    column = record.column
    turn = f"comparison {column.comparison}" if column is not None else f"turn {record.id} of {request.session}"
    cell = f"cell {record.cell_id}" if record.cell_id else turn
    if admitted.cut is not None:
        cell = "compact"  # it has no cell, and a summary of the same conversation is the same
    return Asking(
        asker=cell if column is None else f"{cell} column {column.number}",
        repeat=1 if column is None else column.repeat,
        reference=record.model,
        settings=record.settings,
        system=record.system,
        live_tools=request.live_tools,
        purpose="answer" if admitted.cut is None else "summary",
        before=None if admitted.cut is None else admitted.history.said,
    )


@contextmanager
def asking_aside(purpose: Purpose, said: tuple[Said, ...], *, asker: str = "", system: str = "") -> Iterator[Asking]:
    """Let recordings know within the block what a request asks that is no part of a conversation.

    Args:
        purpose: What the model is asked for.
        said: What it is asked.
        asker: What asks; the same for all by default.
        system: What it is told besides.
    """
    asking = Asking(asker=asker or purpose, reference="", settings={}, system=system, purpose=purpose)
    asking.wanted = lambda: Wanted(said=said, offered=None, system=as_compared(system), purpose=purpose)
    token = ASKING.set(asking)
    try:
        yield asking
    finally:
        ASKING.reset(token)


def was_filled() -> bool:
    """Return whether a model was asked in this turn for what a recording does not have."""
    return (asking := ASKING.get()) is not None and asking.filled


async def add_to_recording(admitted: Admitted, record: Callable[[str, str], object]) -> None:
    """Add a turn, which a model has answered at least in part, to the recording that did not have it.

    Args:
        admitted: The turn.
        record: Adds it, given the ids of the session and the turn; see `sessions.recordings`.
    """
    try:
        await settled_in_thread(record, admitted.turn.session_id, admitted.turn.id)
    except SessionMagicError as error:
        admitted.log.emit(Warned, text=f"the answer could not be added to the recording: {error}")


def say_again(inbox: Inbox, *, ends: bool) -> None:
    """Deliver what the user said to the recorded turn after its latest answer; at the end also what was not recorded.

    Args:
        inbox: The messages to the turn.
        ends: Whether the turn ends with the answer, if there is no message.
    """
    asking = ASKING.get()
    with suppress(SessionIdleError):  # the run is being stopped
        if asking is not None and asking.answer is not None and asking.answer.told:
            inbox.say_again(asking.answer.told)
        elif ends:
            inbox.release()


def recorded_result(call: ToolCallPart, replays: str, seconds: dict[str, float]) -> ToolReturn[Any] | ToolDenied | None:
    """Return the recorded result of a call, which needs no approval then; None for a call whose tool shall run.

    Args:
        call: The call.
        replays: When the tool's calls show recorded results, as `Tool.replays`.
        seconds: Gets the seconds that the recorded call ran, by call id.

    Raises `ToolFailed` if the recorded call has failed, and `ReplayError` if it has no result.
    """
    asking, call_id = ASKING.get(), call.tool_call_id
    if asking is None or asking.answer is None or (asking.live_tools and replays != "always"):
        return None
    if (result := asking.answer.results.get(call_id)) is None:
        raise ReplayError(
            f"the recording has no result of the call of {call.tool_name} in turn {asking.answer.turn}, for example "
            "because the turn was stopped; --live-tools runs the tools"
        )
    content, metadata = result["content"], result.get("metadata") or {}
    if isinstance(ran := metadata.get("seconds"), int | float):
        seconds[call_id] = ran
    if result.get("outcome") == "failed":
        raise ToolFailed(content)
    if result.get("outcome") == "denied":
        return ToolDenied(content)
    if displays := list(displays_in(metadata)):
        turn = current_turn.get()
        turn.displayed[call_id] = turn.recorded_displays[call_id] = displays
    is_first = next(iter(asking.answer.results)) == call_id
    shown = _content.validate_python(list(asking.answer.shown)) if is_first and asking.answer.shown else None
    return ToolReturn(content, content=shown)
