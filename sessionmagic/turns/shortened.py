"""The history of a running turn, which is replaced by a shorter one if the provider refuses it as too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.turns.messages import as_history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pydantic_ai.messages import ModelMessage

    from sessionmagic.turns.messages import Messages


class ShortenedHistory:
    """What a run sends before its own messages.

    Args:
        compact: Returns a shorter history, or None if there is none. It is awaited at the first refusal.
    """

    def __init__(self, compact: Callable[[], Awaitable[Messages | None]]) -> None:
        self._compact = compact
        self._shorter: Messages | None = None
        self._own: list[ModelMessage] = []
        """The messages of the run itself, as the latest request has them."""
        self._is_applied = False
        """Whether the latest request has the shorter history already."""

    def applied(self, messages: Sequence[ModelMessage], run_id: str) -> list[ModelMessage]:
        """Return the messages of a request with the shorter history, if there is one.

        pydantic-ai keeps the history that the run was given, so this is done for each request.
        """
        own = next((place for place, message in enumerate(messages) if message.run_id == run_id), len(messages))
        self._own = list(messages[own:])
        self._is_applied = self._shorter is not None
        return [*as_history(self._shorter), *self._own] if self._shorter is not None else list(messages)

    async def after_refusal(self) -> list[ModelMessage] | None:
        """Return the messages of the latest request with a shorter history than the refused one, or None."""
        if self._is_applied:
            return None
        if self._shorter is None:
            self._shorter = await self._compact()
        return [*as_history(self._shorter), *self._own] if self._shorter is not None else None
