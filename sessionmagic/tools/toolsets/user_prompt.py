"""The tool of the type ``user_prompt``: the agent asks the user. The names are docker-agent's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.schemas import without_patterns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.tools.toolsets.surroundings import Ask

LONGEST = 20_000
"""Characters of a question with its form."""
VALUE = "value"
"""The field of a form that asks for one value."""
FREE = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
"""The form of a question without one."""


class UserPrompt:
    """The tool.

    Args:
        ask: Asks the user; None where there is nobody.
    """

    def __init__(self, ask: Ask | None) -> None:
        self._ask = ask

    async def user_prompt(self, message: str, title: str = "", schema: dict[str, Any] | None = None) -> str:
        """Ask the user a question; a JSON schema may say what the answer looks like."""
        if self._ask is None:
            raise ToolError("nobody can be asked here; go on without the answer")
        form = form_of(schema)
        if len(message) + len(title) + len(json.dumps(form, default=str)) > LONGEST:
            raise ToolError(f"the question has more than {LONGEST:,} characters; shorten it")
        reply = await self._ask("\n".join(filter(None, [title, message])), form)
        said = {"action": reply.action, **({"content": reply.content} if reply.content is not None else {})}
        return json.dumps(said, ensure_ascii=False)


def form_of(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the form of an answer: an object with fields. Patterns are left out, as matching one may not end."""
    if not schema:
        return dict(FREE)
    plain: dict[str, Any] = without_patterns(dict(schema))
    if isinstance(plain.get("properties"), dict):
        return {**plain, "type": "object"}
    return {"type": "object", "properties": {VALUE: plain}, "required": [VALUE]}
