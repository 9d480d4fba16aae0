"""What a turn is asked for: all that a cell or a script says of it, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.names import check_name
from sessionmagic.exceptions import PromptError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.attachment import Attachment
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.permissions import Limits, Safety

PROMPT_LIMIT = 10_000_000
TIMEOUT_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A prompt for a session, and how it is to be answered.

    Args:
        prompt: What to ask.
        session: Name or id of the session; a name that no session has creates one.
        new: Refuse a session that exists.
        model: The model reference that holds from this turn on; ``"default"`` clears it, ``""`` leaves it.
        once: Use `model` for this turn only.
        after: The id of the turn that this one continues; None is the session's head.
        moves_head: Whether the next turn of the session continues this one. If not, this one is a branch.
        agent: The agent that answers; ``""`` is the first one.
        attachments: Further content for the model, after the prompt.
        tools: Functions that the model may call, in addition to those marked with `sessionmagic.tool`.
        wait: Seconds to wait for a busy session; ``math.inf`` waits without end.
        timeout: Seconds of work after which the turn fails; time in which it waits for the user does not count.
        attended: Whether somebody can answer `Turn.approvals`. If not, calls that need approval are denied.
        yes: Approve every tool call of this turn except those that a rule denies.
        safety: The safety mode of a session that this request creates; see `StoredSessions.set_permissions`.
        limits: How many requests and tool calls the turn may make.
        where: The cell or script, for the error of whoever finds the session busy.
        cell_id: The front end's id of the cell.

    Raises:
        PromptError: The prompt is empty or too long.
        UsageError: Another value is not valid.
    """

    prompt: str
    session: str
    new: bool = False
    model: str = ""
    once: bool = False
    after: str | None = None
    moves_head: bool = True
    agent: str = ""
    attachments: Sequence[Attachment] = ()
    tools: Sequence[Callable[..., Any] | Tool] = ()
    wait: float = 0
    timeout: float | None = None
    attended: bool = False
    yes: bool = False
    safety: Safety = "balanced"
    limits: Limits | None = None
    where: str = ""
    cell_id: str | None = None

    def __post_init__(self) -> None:
        check_name(self.session)
        if not self.prompt.strip():
            raise PromptError("the prompt is empty; write it in the cell, below the %%agent line")
        if len(self.prompt) > PROMPT_LIMIT:
            raise PromptError(f"the prompt has {len(self.prompt):,} characters; at most {PROMPT_LIMIT:,} can be sent")
        if self.timeout is not None and not 0 < self.timeout <= TIMEOUT_LIMIT:
            raise UsageError(f"the timeout must be more than 0 and at most {TIMEOUT_LIMIT:,} seconds")
        if not self.wait >= 0:
            raise UsageError("the seconds to wait cannot be negative")
        if self.once and not self.model:
            raise UsageError("--once limits --model to one turn; give a --model too")
