"""A tool call as rules and users see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call for which a ruling is needed."""

    tool: str
    args: Mapping[str, Any]
    """The arguments as the model wrote them, and the defaults of those that it left out."""
    read_only: bool = False
    runs_code: bool = False
    """Whether it runs code or commands."""
    received: Sequence[Mapping[str, Any]] = ()
    """The arguments as the tool receives them, as JSON values; empty if these are `args`.

    There are several forms if the tool's own names of arguments and fields differ from those that the model writes.
    The first form is the one that is shown.
    """
    rewritten: Sequence[Mapping[str, Any]] = ()
    """Other ways to write `received`: with the model's text for a value that has several texts, such as a URL."""

    @property
    def shown(self) -> Mapping[str, Any]:
        """The arguments that an approval shows: as the model wrote them, or as the tool receives them if these differ.

        Both are compared as JSON, as Python holds ``1``, ``1.0`` and ``True`` to be equal.
        """
        written = _sorted_json(self.args)
        same = not self.received or any(_sorted_json(form) == written for form in self.received)
        return self.args if same else self.received[0]


def is_marked_read_only(metadata: Mapping[str, Any] | None) -> bool:
    """Return whether the metadata of a tool, as pydantic-ai holds them, mark it as read-only."""
    metadata = metadata or {}
    return bool(metadata.get("read_only") or (metadata.get("annotations") or {}).get("readOnlyHint"))


def _sorted_json(args: Mapping[str, Any]) -> str:
    return json.dumps(dict(args), sort_keys=True, default=str, skipkeys=True)
