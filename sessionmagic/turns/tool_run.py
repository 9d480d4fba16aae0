"""One call of a tool: its result or its failure, as the model reads it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ModelRetry, ToolFailed, ToolFailedError, ToolRetryError

from sessionmagic.loop import is_cancelled
from sessionmagic.tools.results import as_read, cut
from sessionmagic.tools.tool_code import running
from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.turns.turn import current_call
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from pydantic_ai.messages import ToolCallPart, ToolReturn
    from pydantic_ai.tools import ToolDefinition


async def preview_of(tool_def: ToolDefinition, args: dict[str, Any]) -> str:
    """Return what an approval shows of a call beside its arguments; raise `ToolFailed` if the call would fail."""
    preview = (tool_def.metadata or {}).get("preview")
    if preview is None:
        return ""
    try:
        return cut(await preview(**args))
    except Exception as error:
        words = words_of(error)
        await ready_for(words)
        raise ToolFailed(words) from error


async def run_tool(call: ToolCallPart, handler: Any, args: dict[str, Any]) -> ToolReturn[Any]:
    """Call a tool and return its result as the model reads it; raise `ToolFailed` if the tool raises an error.

    This must be a task of its own, as it sets a context variable.
    """
    current_call.set(call.tool_call_id)
    try:
        with running(call.tool_name):
            result = await as_read(await handler(args))
    except (ToolFailed, ToolFailedError, ToolRetryError, ModelRetry):
        raise
    except BaseException as error:  # also SystemExit and the like: a tool must not end the turn or the kernel
        # A CancelledError either cancels this task, because the turn is stopped, or was raised by the tool itself,
        # in which case it is a failure like any other.
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        words = words_of(error)
        await ready_for(words)
        raise ToolFailed(words) from error
    content = [result.content] if isinstance(result.content, str) else result.content or ()
    await ready_for(cut(str(result.return_value)), *(item for item in content if isinstance(item, str)))
    return result
