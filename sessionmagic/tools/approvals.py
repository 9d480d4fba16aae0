"""Tool calls that wait for somebody's decision."""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from sessionmagic.conversation.events import Decision
from sessionmagic.exceptions import ApprovalNotOpenError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A tool call that waits for a decision."""

    id: str
    call_id: str
    tool: str
    args: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was decided; the model sees the reason of a rejection."""

    decision: Decision
    reason: str = ""


class Approvals:
    """The open approvals of one turn. Each is resolved once, by its id, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Approval, asyncio.Future[Resolution]]] = {}

    @property
    def open(self) -> list[Approval]:
        """The calls that wait for a decision, the oldest first."""
        with self._lock:
            return [approval for approval, _ in self._open.values()]

    def ask(
        self, call_id: str, tool: str, args: Mapping[str, Any], why: str
    ) -> tuple[Approval, asyncio.Future[Resolution]]:
        """Open an approval; its resolution will be in the future. `close` it when nobody waits any more."""
        approval = Approval(id=uuid.uuid4().hex[:8], call_id=call_id, tool=tool, args=args, why=why)
        future: asyncio.Future[Resolution] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._open[approval.id] = (approval, future)
        return approval, future

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> Approval:
        """Decide over the call of that approval; raises `ApprovalNotOpenError` when it is not open (any more).

        Raises `UsageError` for a word that is no decision.
        """
        if decision not in get_args(Decision):
            raise UsageError(f"{decision!r} is no decision; there are {', '.join(get_args(Decision))}")
        with self._lock:
            if approval_id not in self._open:
                raise ApprovalNotOpenError(
                    f"no approval {approval_id!r} is open here: it was resolved, or its turn has ended"
                )
            approval, future = self._open.pop(approval_id)
        with suppress(RuntimeError):  # the asker's loop is closed: nobody waits
            future.get_loop().call_soon_threadsafe(_resolve, future, Resolution(decision, reason))
        return approval

    def close(self, approval_id: str) -> None:
        """Take an approval back, if it is still open."""
        with self._lock:
            self._open.pop(approval_id, None)


def _resolve(future: asyncio.Future[Resolution], resolution: Resolution) -> None:
    if not future.done():
        future.set_result(resolution)
