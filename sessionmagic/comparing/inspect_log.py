"""Grids as logs of Inspect, in version 2 of its JSON form: one log for each model."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import StoreError, UsageError
from sessionmagic.models.settings import given
from sessionmagic.storage.atomic import dumps, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionmagic.comparing.grid_row import GridRow

LOG_MODE = 0o644
INSPECT_SETTINGS = {"stop": "stop_seqs", "effort": "reasoning_effort"}
"""The names of settings in Inspect's configuration that differ from ours."""
UNKNOWN_SETTINGS = {"service_tier"}
"""The settings that Inspect's configuration does not have."""
STOP_REASONS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter", "tool_call": "tool_calls"}


def write_logs(name: str, rows: Iterable[GridRow], path: Path | str) -> list[Path]:
    """Write a log for each model, and return the paths. See `GridResults.to_inspect`.

    Args:
        name: The name of the grid.
        rows: The rows of the grid.
        path: A directory, or a file.
    """
    path = Path(path).expanduser()
    by_label: dict[str, list[GridRow]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    if path.suffix == ".json" and len(by_label) > 1:
        raise UsageError(f"a log of Inspect has one model, and the grid has {len(by_label)}; name a directory")
    now = datetime.now(UTC)
    paths = []
    for label, own in by_label.items():
        file = path if path.suffix == ".json" else path / _file_name(now, name, label)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, dumps(_log(name, own, now)), LOG_MODE)
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error.strerror or error}; choose another path") from error
        paths.append(file)
    return paths


def _file_name(now: datetime, name: str, label: str) -> str:
    """Return a name that Inspect recognizes: the time, the task and an id."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{name}-{label}").strip("-")
    return f"{now:%Y-%m-%dT%H-%M-%S}+00-00_{readable}_{_id()}.json"


def _log(name: str, rows: Sequence[GridRow], now: datetime) -> dict[str, Any]:
    first = rows[0]
    epochs = max(row.repeat for row in rows)
    answered = [row for row in rows if row.answer is not None]
    at = now.isoformat(timespec="seconds")
    usage = {first.model: _usage(answered)}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": _id(),
            "run_id": _id(),
            "created": at,
            "task": name,
            "task_id": _id(),
            "task_version": 0,
            "task_attribs": {},
            "task_args": {},
            "dataset": {"name": name, "samples": len({row.number for row in rows})},
            "model": first.model,
            "model_generate_config": _config(first),
            "model_args": {},
            "config": {"epochs": epochs},
            "packages": {},
            "metadata": {"label": first.label, "settings": given(first.settings)},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(rows),
            "completed_samples": len(answered),
            "scores": [_score(each, answered) for each in _score_names(answered)],
        },
        "stats": {"started_at": at, "completed_at": at, "model_usage": usage},
        "samples": [_sample(row) for row in rows],
    }


def _sample(row: GridRow) -> dict[str, Any]:
    question = {"id": _id(), "content": row.prompt, "source": "input", "role": "user"}
    sample: dict[str, Any] = {
        "id": row.number,
        "epoch": row.repeat,
        "input": row.prompt,
        "target": "",
        "messages": [question],
        "output": {"model": row.model, "choices": []},
        "scores": {
            score: {"value": value, "answer": row.answer, "metadata": {}} for score, value in row.scores.items()
        },
        "metadata": {"cost": row.cost, **({"score_error": row.score_error} if row.score_error else {})},
        "store": {},
        "events": [],
        "model_usage": {row.model: _usage([row])} if row.answer is not None else {},
        "attachments": {},
    }
    if row.answer is None:
        sample["error"] = {"message": row.error, "traceback": "", "traceback_ansi": ""}
        return sample
    answer = {"id": _id(), "content": row.answer, "source": "generate", "role": "assistant", "model": row.model}
    choice = {"message": answer, "stop_reason": STOP_REASONS.get(row.finish_reason or "", "unknown")}
    sample["messages"].append(answer)
    sample["output"] = {"model": row.model, "choices": [choice], "usage": _usage([row]), "time": row.seconds}
    sample["total_time"] = sample["working_time"] = row.seconds
    return sample


def _score(name: str, rows: Iterable[GridRow]) -> dict[str, Any]:
    values = [float(row.scores[name]) for row in rows if name in row.scores]
    mean = {"name": "mean", "value": sum(values) / len(values), "params": {}}
    return {"name": name, "scorer": name, "params": {}, "metrics": {"mean": mean}}


def _score_names(rows: Iterable[GridRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.scores))


def _usage(rows: Sequence[GridRow]) -> dict[str, float]:
    sent, received = (sum(getattr(row, name) or 0 for row in rows) for name in ("input_tokens", "output_tokens"))
    usage: dict[str, float] = {"input_tokens": sent, "output_tokens": received, "total_tokens": sent + received}
    costs = [row.cost for row in rows if row.cost is not None]
    return usage | ({"total_cost": sum(costs)} if costs else {})


def _config(row: GridRow) -> dict[str, Any]:
    config = {INSPECT_SETTINGS.get(name, name): value for name, value in given(row.settings).items()}
    return {name: value for name, value in config.items() if name not in UNKNOWN_SETTINGS}


def _id() -> str:
    return secrets.token_hex(11)
