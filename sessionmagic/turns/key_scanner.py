"""Load the scanner of keys in a worker thread before a text needs it. On the loop, it would hold up all turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sessionmagic.keys.shapes import is_loaded, may_contain_keys, scanner
from sessionmagic.loop import in_thread

if TYPE_CHECKING:
    from pydantic_ai.models import ModelRequestParameters

END_LENGTH = 300
"""Characters before a piece that are read with it at most. A run of characters as mixed as a key is found in fewer."""
MARK_LENGTH = 20
"""Characters before a piece that are read with it at least, because the mark of a private key has blanks."""


async def ready_for(*texts: str) -> None:
    """Load the scanner if one of these texts may have a key."""
    if not is_loaded() and any(map(may_contain_keys, texts)):
        await in_thread(scanner)


async def ready_for_request(parameters: ModelRequestParameters) -> None:
    """Load the scanner if the instructions or the tools of a model request may have a key."""
    if not is_loaded():
        await ready_for(
            *(part.content for part in parameters.instruction_parts or ()),
            *(tool.description or "" for tool in parameters.function_tools),
            *(json.dumps(tool.parameters_json_schema, default=str) for tool in parameters.function_tools),
        )


class Incoming:
    """What a model says, in pieces that may each be part of a key."""

    def __init__(self) -> None:
        self._end = ""

    async def hear(self, piece: str) -> None:
        """Load the scanner if what has been heard may have a key."""
        if is_loaded():
            return
        text = self._end + piece
        if may_contain_keys(text):
            await in_thread(scanner)
        word_at = max(text.rfind(" "), text.rfind("\n"))
        self._end = text[max(0, min(word_at + 1, len(text) - MARK_LENGTH)) :][-END_LENGTH:]
