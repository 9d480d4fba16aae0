"""A session of a trajectory in ATIF, versions 1.0 to 1.7."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.sessions.formats.atif import LEAST, OURS, VERSION
from sessionmagic.sessions.formats.checks import check_levels
from sessionmagic.sessions.formats.entries import LINKED, Entry, Result, image_in, seconds_of, session_of, usage_of
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import TypeAdapter

    from sessionmagic.conversation.session import Session
    from sessionmagic.conversation.usage import Usage

_VERSION = re.compile(r"ATIF-v1\.(\d{1,4})")
_STATUSES = ("completed", "interrupted", "failed", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    type: str
    text: str | None = None
    source: _Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    tool_call_id: str
    function_name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ref:
    trajectory_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    source_call_id: str | None = None
    content: str | list[_Part] | None = None
    subagent_trajectory_ref: list[_Ref] | None = None
    extra: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observation:
    results: list[_Result] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metrics:
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    extra: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    source: Literal["system", "user", "agent"]
    message: str | list[_Part]
    timestamp: str | None = None
    model_name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None
    observation: _Observation | None = None
    metrics: _Metrics | None = None
    extra: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agent:
    name: str
    model_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trajectory:
    agent: _Agent
    steps: list[_Step]
    trajectory_id: str | None = None
    extra: dict[str, Any] | None = None
    subagent_trajectories: list[_Trajectory] | None = None


def is_atif(document: Any) -> bool:
    """Return whether a JSON document says that it is a trajectory in ATIF."""
    return isinstance(document, dict) and str(document.get("schema_version")).startswith("ATIF-")


def from_atif(document: dict[str, Any]) -> Session:
    """Return the session of a trajectory.

    Images are taken over if they are part of the document; no path in it is read. Raises `ValueError`.
    """
    version = str(document["schema_version"])
    match = _VERSION.fullmatch(version)
    if match is None or int(match[1]) > int(VERSION.rpartition(".")[2]):
        raise ValueError(f"{shortened(version)!r} is not a version that can be read; these are ATIF-v1.0 to {VERSION}")
    check_levels(document, _inner)
    trajectory = _adapter().validate_python(document)
    ours = _ours(trajectory.extra)
    return session_of(_entries(trajectory), name=_text(ours.get("name")), title=_text(ours.get("title")), at=None)


def _inner(trajectory: dict[str, Any]) -> list[Any]:
    inner = trajectory.get("subagent_trajectories")
    return inner if isinstance(inner, list) else []


@cache
def _adapter() -> TypeAdapter[_Trajectory]:
    from pydantic import TypeAdapter

    return TypeAdapter(_Trajectory)


def _entries(trajectory: _Trajectory) -> list[Entry]:
    subs = {sub.trajectory_id: sub for sub in trajectory.subagent_trajectories or () if sub.trajectory_id}
    entries = [_entry(step, trajectory.agent, subs) for step in trajectory.steps]
    last = next((number for number in reversed(range(len(entries))) if entries[number].kind == "agent"), None)
    if subs and last is not None:  # no result refers to them
        left = [("", _entries(sub)) for sub in subs.values()]
        entries[last] = replace(entries[last], workers=[*entries[last].workers, *left])
    return entries


def _entry(step: _Step, agent: _Agent, subs: dict[str, _Trajectory]) -> Entry:
    text, items, lost = _content(step.message)
    at = seconds_of(step.timestamp)
    ours = _ours(step.extra)
    if step.source != "agent":
        return Entry(
            kind=step.source,
            text=text,
            items=items,
            at=at,
            agent=agent.name,
            during="during" in ours,
            lost=lost,
            facts=_facts(ours),
        )
    results, lost_of_results = _results(step)
    extra = step.metrics.extra if step.metrics and step.metrics.extra else {}
    return Entry(
        kind="agent",
        text=_joined(text, items),
        at=at,
        reasoning=step.reasoning_content or "",
        calls=[(call.tool_call_id, call.function_name, call.arguments) for call in step.tool_calls or ()],
        results=results,
        agent=agent.name,
        model=step.model_name or agent.model_name or "",
        usage=_usage(step.metrics),
        seconds=_number(extra.get("seconds")),
        finish_reason=_text(extra.get("finish_reason")) or None,
        workers=_workers(step, subs),
        lost=[*lost, *lost_of_results, *("image in an answer" for item in items if isinstance(item, dict))],
    )


def _workers(step: _Step, subs: dict[str, _Trajectory]) -> list[tuple[str, list[Entry]]]:
    """Return the sub-agents that a step's results refer to, and take them out of `subs`."""
    results = step.observation.results if step.observation else []
    return [
        (result.source_call_id or "", _entries(subs.pop(ref.trajectory_id)))
        for result in results
        for ref in result.subagent_trajectory_ref or ()
        if ref.trajectory_id in subs
    ]


def _results(step: _Step) -> tuple[list[Result], list[str]]:
    known = {call.tool_call_id for call in step.tool_calls or ()}
    results: list[Result] = []
    lost: list[str] = []
    for each in step.observation.results if step.observation else ():
        text, items, missing = _content(each.content or "")
        call_id = each.source_call_id if each.source_call_id in known else ""
        results.append(
            Result(
                call_id=call_id or "",
                text=_joined(text, items),
                failed=_ours(each.extra).get("outcome", "success") != "success",
                files=[item for item in items if isinstance(item, dict)],
            )
        )
        lost += missing
    return results, lost


def _content(content: str | list[_Part]) -> tuple[str, list[str | dict[str, Any]], list[str]]:
    """Return the first text of a message, its other texts and images, and what cannot be read."""
    if isinstance(content, str):
        return content, [], []
    items: list[str | dict[str, Any]] = []
    lost: list[str] = []
    for part in content:
        if part.text is not None:
            items.append(part.text)
        elif part.source is not None and (image := image_in(part.source.path)) is not None:
            items.append(image)
        else:
            lost.append(LINKED)
    text = items.pop(0) if items and isinstance(items[0], str) else ""
    return str(text), items, lost


def _joined(text: str, items: Sequence[str | dict[str, Any]]) -> str:
    return "\n\n".join(filter(None, [text, *(item for item in items if isinstance(item, str))]))


def _usage(metrics: _Metrics | None) -> Usage | None:
    if metrics is None or (metrics.prompt_tokens is None and metrics.completion_tokens is None):
        return None
    extra = metrics.extra or {}
    usage = usage_of(
        input_tokens=metrics.prompt_tokens or 0,
        output_tokens=metrics.completion_tokens or 0,
        cached_tokens=metrics.cached_tokens or 0,
        reasoning_tokens=int(_number(extra.get("reasoning_tokens"))),
        cache_write_tokens=int(_number(extra.get("cache_write_tokens"))),
        cost=metrics.cost_usd,
    )
    return replace(usage, unmeasured_requests=1, unpriced_requests=0) if extra.get(LEAST) is True else usage


def _facts(ours: dict[str, Any]) -> dict[str, Any]:
    """Return what our own export says of a turn, as far as it has the right form."""
    facts = {name: ours[name] for name in ("cell_id", "error", "error_code") if isinstance(ours.get(name), str)}
    if ours.get("status") in _STATUSES:
        facts["status"] = ours["status"]
    if isinstance(ours.get("settings"), dict):
        facts["settings"] = ours["settings"]
    if isinstance(warnings := ours.get("warnings"), list):
        facts["warnings"] = [str(warning) for warning in warnings]
    if isinstance(ours.get("finished_at"), str):
        facts["finished_at"] = seconds_of(ours["finished_at"])
    return facts


def _ours(extra: dict[str, Any] | None) -> dict[str, Any]:
    ours = (extra or {}).get(OURS)
    return ours if isinstance(ours, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
