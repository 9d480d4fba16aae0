"""The messages before those of a run. They are replaced by fewer ones if the provider refuses them as too long.

pydantic-ai never gets them: it would go through all of them a dozen times for each model request. `turns.sender` puts
them before the messages of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic_ai.messages import ModelMessage


class RunHistory:
    """What a run sends before its own messages.

    Args:
        compact: Returns a shorter history, or None if there is none. It is awaited at the first refusal; None if the
            history cannot be shortened.

    Attributes:
        messages: The messages, which nobody changes.
    """

    def __init__(self, compact: Callable[[], Awaitable[list[ModelMessage] | None]] | None = None) -> None:
        self.messages: list[ModelMessage] = []
        self._compact = compact

    async def shorten(self) -> bool:
        """Take the shorter history for this request and all later ones; return False if there is none."""
        compact, self._compact = self._compact, None
        shorter = await compact() if compact is not None else None
        if shorter is None:
            return False
        self.messages = shorter
        return True

    @property
    def conversation_id(self) -> str | None:
        """pydantic-ai's id of the conversation, if the messages have one."""
        ids = (message.conversation_id for message in reversed(self.messages))
        return next(filter(None, ids), None)
