"""Show the stored answer of a turn again, when a request is the same as that turn's."""

from __future__ import annotations

import hashlib
import inspect
import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import (
    MessageInjected,
    ReasoningDelta,
    ResponseBegan,
    TextDelta,
    ToolCalled,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    UsageReported,
    ValueGiven,
    Warned,
)
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import (
    MessageBlock,
    ReasoningBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
)
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.tools.functions import YOURS
from sessionmagic.turns.event_log import EventLog
from sessionmagic.turns.output_type import UnfitAnswerError
from sessionmagic.turns.turn import Turn, TurnResult

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pydantic_ai.messages import UserContent

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.tools.functions import Tool
    from sessionmagic.turns.output_type import OutputType
    from sessionmagic.turns.planning import Plan


class ReusedTurn(Turn):
    """A turn that was not run: it shows the stored answer of an earlier one, whose id it has. It ends at once.

    Args:
        session: The session.
        record: The stored turn.
        where: A note on its place in the session, if that may surprise.
        output_type: The type of its structured answer, if it has one.
    """

    def __init__(
        self, session: Session, record: TurnRecord, where: str = "", output_type: OutputType | None = None
    ) -> None:
        log = EventLog(session.id, record.id, record.agent)
        super().__init__(log, session, record)
        stored = transcript_of(session.name, record, session.turns)
        remark = f"the stored answer of turn {record.id}, not asked again"
        if any(isinstance(block, ToolBlock) for block in stored.blocks):
            remark += "; its tool calls were not run again"
        self._stored = replace(stored, remark=f"{remark}; {where}" if where else remark)
        _tell(log, self._stored, record)
        self.end(
            TurnResult(
                text=self._stored.text,
                status=record.status,
                usage=stored.usage or record.usage,
                model=record.answered_by or record.model,
                turn=record.id,
                session=session.name,
                raw_messages=record.messages,
                seconds=stored.seconds,
                first_token=record.first_token,
                elapsed=max(0.0, (record.finished_at or record.started_at) - record.started_at),
                value=_value_of(record, output_type),
                stored_value=record.value,
                reused=True,
            )
        )

    @property
    def transcript(self) -> Transcript:
        """The stored turn, with the remark that it is one."""
        return self._stored


def _value_of(record: TurnRecord, output_type: OutputType | None) -> Any:
    """Return the structured answer of a stored turn as a value of its type, or as plain JSON if it does not fit it."""
    if record.value is None or output_type is None:
        return None if record.value is None else record.value.json
    try:
        return output_type.of_json(record.value.json).value
    except UnfitAnswerError:
        return record.value.json


def fingerprint(
    plan: Plan,
    content: str | Sequence[UserContent],
    servers: Collection[str],
    output_type: OutputType | None = None,
    team: Sequence[object] = (),
) -> str:
    """Return a hash of all that a turn is asked with, except its history.

    Args:
        plan: The turn's plan.
        content: The prompt with its values, and the attachments.
        servers: The names of the MCP servers whose tools are offered.
        output_type: The type of the answer; None for text.
        team: What tells the agents with which the agent may work from others; see `team_facts`.
    """
    pieces = [content] if isinstance(content, str) else content
    settings = [dict(each.settings) for each in plan.model.own]
    asked = [
        [plan.agent.name, plan.agent.instructions, plan.model.identity, *settings],
        [_hashable(piece) for piece in pieces],
        [_described(tool) for tool in plan.tools],
        sorted(servers),
        *([output_type.fingerprint] if output_type is not None else []),
        *team,
    ]
    return hashlib.sha256(json.dumps(asked, default=repr, sort_keys=True).encode(errors="replace")).hexdigest()


def _hashable(piece: Any) -> object:
    if isinstance(piece, str):
        return without_keys(piece)  # as it is stored
    return [piece.media_type, hashlib.sha256(piece.data).hexdigest()]


def _described(tool: Tool) -> list[str]:
    arguments = inspect.signature(tool.function) if tool.schema is None else json.dumps(tool.schema, default=str)
    described = [tool.name, tool.function.__doc__ or "", str(arguments)]
    if tool.source == YOURS:
        with suppress(OSError, TypeError):  # it was not written in a cell or a file
            described.append(inspect.getsource(tool.function))
    return described


def reusable(session: Session, parent: str | None, asked: str) -> TurnRecord | None:
    """Return the latest completed turn that continues `parent` and was asked the same, or None.

    Turns of comparisons are left out: they are offered fewer tools, and may not show yet who has answered.
    """
    same = (
        turn
        for turn in reversed(session.turns)
        if turn.fingerprint == asked
        and turn.status == "completed"
        and turn.column is None
        and parent in _continued(session, turn)
        and _has_displays(turn)
    )
    return next(same, None)


def _has_displays(turn: TurnRecord) -> bool:
    """Return whether all that the calls of a turn have displayed is stored, so that it can be shown again."""
    results = (part.get("metadata") for message in turn.messages for part in message["parts"])
    return all(metadata.get("displays", ()) is not None for metadata in results if isinstance(metadata, dict))


def _continued(session: Session, turn: TurnRecord) -> set[str | None]:
    """Return the parent of a turn, and the turn before it if there are only summaries that no user has asked for.

    In another run of the notebook, nobody asks for them either.
    """
    continued = {turn.parent}
    for before in reversed(session.path(turn.parent) if turn.parent is not None else []):
        if before.kind != "compaction" or before.fingerprint:
            break
        continued.add(before.parent)
    return continued


def _tell(log: EventLog, stored: Transcript, record: TurnRecord) -> None:
    """Emit the events of a stored turn."""
    log.emit(
        TurnStarted,
        session=stored.session,
        prompt=stored.prompt,
        model=record.model,
        kind=record.kind,
        cell_id=record.cell_id,
        values=stored.values,
        notes=stored.notes,
        remark=stored.remark,
    )
    if stored.first_token is not None:
        log.emit(ResponseBegan, seconds=stored.first_token)
    for text in stored.warnings:
        log.emit(Warned, text=text)
    for block in stored.blocks:
        match block:
            case TextBlock():
                log.emit(TextDelta, text=block.text, response=block.response)
            case ValueBlock():
                log.emit(ValueGiven, value=block.value)
            case ReasoningBlock():
                log.emit(ReasoningDelta, text=block.text)
            case ToolBlock():
                log.emit(ToolCalled, call_id=block.call_id, tool=block.tool, args=block.args)
                log.emit(
                    ToolReturned,
                    call_id=block.call_id,
                    tool=block.tool,
                    outcome=block.outcome or "interrupted",
                    content=block.content,
                    duration=block.duration,
                )
            case MessageBlock():
                log.emit(MessageInjected, text=block.text, kind="steer")
    log.emit(UsageReported, usage=stored.usage or record.usage)
    log.emit(TurnFinished, status=stored.status, model=stored.model)
