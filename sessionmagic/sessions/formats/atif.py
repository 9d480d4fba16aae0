"""A session as a trajectory in ATIF 1.7, the Agent Trajectory Interchange Format of the Harbor framework.

The format is described in Harbor's RFC 0001. What it has no field for stands in an ``extra`` object of ours.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.conversation.transcript import json_object
from sessionmagic.conversation.usage import total
from sessionmagic.sessions.formats.contents import attached_to, file_note, is_image, items_of
from sessionmagic.sessions.formats.requests import calls_in, iso, messages_of, results_after, text_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord, Usage
    from sessionmagic.sessions.formats.contents import Content

VERSION = "ATIF-v1.7"
HOLDS: frozenset[Content] = frozenset(
    {"sub-agents", "reasoning", "texts", "images", "calls", "instructions", "settings", "usage", "endings"}
)
OURS = "sessionmagic"
"""The name under which our own facts stand in an ``extra`` object."""

LEAST = "tokens_are_a_lower_bound"
"""Set in the metrics of a request that was stopped before all was counted."""


def to_atif(session: Session) -> str:
    """Return the path to the head of a session as a trajectory, with the trajectories of sub-agents in it."""
    document = _trajectory(session, _asked(session.path()), session.id)
    document["extra"] = {OURS: {"name": session.name, "title": session.title}}
    return json.dumps(document, ensure_ascii=False, indent=1).encode(errors="replace").decode() + "\n"


def _trajectory(session: Session, turns: Sequence[TurnRecord], trajectory_id: str) -> dict[str, Any]:
    called: dict[str, list[TurnRecord]] = {}
    for turn in session.turns:
        if turn.caller is not None:
            called.setdefault(turn.caller, []).append(turn)
    steps: list[dict[str, Any]] = []
    for before, turn in zip([None, *turns], turns, strict=False):
        if turn.system != (before.system if before else ""):  # an empty text ends the instructions
            steps.append({"source": "system", "timestamp": iso(turn.started_at), "message": turn.system})
        steps += _steps(turn, called)
    mine = {turn.id for turn in turns}
    inner = [turn for caller, workers in called.items() if caller.partition(":")[0] in mine for turn in workers]
    subs = [_trajectory(session, _asked(_from(session, turn)), turn.id) for turn in inner]
    usages = [request.usage for turn in turns for request in turn.requests]
    first = turns[0] if turns else None
    return _filled(
        schema_version=VERSION,
        session_id=session.id,
        trajectory_id=trajectory_id,
        agent=_filled(
            name=(first.agent if first else "") or OURS,
            version=version("sessionmagic"),
            model_name=first.model if first else None,
        ),
        steps=[{"step_id": number, **step} for number, step in enumerate(steps, start=1)],
        final_metrics=_final_metrics(usages, subs, len(steps)),
        subagent_trajectories=subs or None,
    )


def _asked(turns: Sequence[TurnRecord]) -> list[TurnRecord]:
    """Return the turns without summaries, which would be imported as prompts of the user."""
    return [turn for turn in turns if turn.kind != "compaction"]


def _from(session: Session, first: TurnRecord) -> list[TurnRecord]:
    """Return a sub-agent's first turn and those that continue it."""
    turns = [first]
    for turn in session.turns:
        if turn.parent == turns[-1].id:
            turns.append(turn)
    return turns


def _final_metrics(usages: Iterable[Usage], subs: Sequence[dict[str, Any]], steps: int) -> dict[str, Any]:
    used = total(usages)
    costs = [used.cost, *(sub["final_metrics"].get("total_cost_usd") for sub in subs)]
    known = [cost for cost in costs if cost is not None]
    return _filled(
        total_prompt_tokens=used.input_tokens,
        total_completion_tokens=used.output_tokens,
        total_cached_tokens=used.cached_tokens,
        total_cost_usd=sum(known) if known else None,  # that of sub-agents is part of it
        total_steps=steps,
        extra={"unmeasured_requests": used.unmeasured_requests} if used.unmeasured_requests else None,
    )


def _steps(turn: TurnRecord, called: dict[str, list[TurnRecord]]) -> list[dict[str, Any]]:
    steps = [_prompt(turn)]
    prompted = False
    for message, record in messages_of(turn):
        if message["kind"] == "response":
            steps.append(_agent_step(turn, message, record, called))
            continue
        for part in message["parts"]:
            if part["part_kind"] != "user-prompt":
                continue
            if prompted and isinstance(part["content"], str):
                steps.append({"source": "user", "message": part["content"], "extra": {OURS: {"during": turn.id}}})
            prompted = True
    return steps


def _prompt(turn: TurnRecord) -> dict[str, Any]:
    attached = attached_to(turn)
    ours = _filled(
        turn=turn.id,
        cell_id=turn.cell_id,
        settings=turn.settings or None,
        status=turn.status,
        error=turn.error,
        error_code=turn.error_code,
        warnings=turn.warnings or None,
        finished_at=None if turn.finished_at is None else iso(turn.finished_at),
    )
    return {
        "source": "user",
        "timestamp": iso(turn.started_at),
        "message": _parts([turn.prompt, *attached]) if attached else turn.prompt,
        "extra": {OURS: ours},
    }


def _agent_step(
    turn: TurnRecord,
    response: dict[str, Any],
    record: RequestRecord | None,
    called: dict[str, list[TurnRecord]],
) -> dict[str, Any]:
    calls = calls_in(response)
    results = _results(turn, response, called)
    return _filled(
        source="agent",
        timestamp=response.get("timestamp"),
        model_name=(record.model if record else None) or response.get("model_name"),
        message=text_in(response, "text"),
        reasoning_content=text_in(response, "thinking") or None,
        tool_calls=[
            {
                "tool_call_id": call["tool_call_id"],
                "function_name": call["tool_name"],
                "arguments": json_object(call["args"]),
            }
            for call in calls
        ]
        or None,
        observation={"results": results} if results else None,
        metrics=_metrics(record),
        llm_call_count=1,
    )


def _results(turn: TurnRecord, response: dict[str, Any], called: dict[str, list[TurnRecord]]) -> list[dict[str, Any]]:
    results = []
    parts = results_after(turn, response)
    calls = {call["tool_call_id"] for call in calls_in(response)}
    for part in parts:
        if part["part_kind"] == "tool-return":
            content, outcome = part["content"], part.get("outcome", "success")
            workers = called.get(f"{turn.id}:{part['tool_call_id']}", [])
            results.append(
                _filled(
                    source_call_id=part["tool_call_id"] if part["tool_call_id"] in calls else None,
                    content=content if isinstance(content, str) else json.dumps(content, ensure_ascii=False),
                    subagent_trajectory_ref=[{"trajectory_id": worker.id} for worker in workers] or None,
                    extra=None if outcome == "success" else {OURS: {"outcome": outcome}},
                )
            )
        elif part["part_kind"] == "user-prompt" and isinstance(part["content"], list):
            results.append({"content": _parts(items_of(part["content"]))})
    return results


def _metrics(record: RequestRecord | None) -> dict[str, Any] | None:
    if record is None or (record.usage.unmeasured_requests and not record.usage.tokens):
        return None
    usage = record.usage
    return _filled(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=usage.cost,
        extra={
            "reasoning_tokens": usage.reasoning_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "seconds": record.seconds,
            **({} if record.finish_reason is None else {"finish_reason": record.finish_reason}),
            **({LEAST: True} if usage.unmeasured_requests else {}),
        },
    )


def _parts(items: Iterable[str | dict[str, Any]]) -> list[dict[str, Any]]:
    """Return texts and files as the format's content parts. Images are data URLs, so that the file is complete."""
    parts: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, dict) and is_image(item) and item["media_type"] in IMAGE_STARTS:
            path = f"data:{item['media_type']};base64,{item['data']}"
            parts.append({"type": "image", "source": {"media_type": item["media_type"], "path": path}})
        else:
            parts.append({"type": "text", "text": item if isinstance(item, str) else file_note(item)})
    return parts


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
