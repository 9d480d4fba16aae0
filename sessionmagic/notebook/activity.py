"""What a running turn is doing now, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, ValueBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.transcript import Transcript

NAMED = 2
"""How many of the running tools are named."""


def activity(transcript: Transcript) -> str:
    """Return what a running turn is doing, such as "thinking" or "running run_python"; empty when it has ended.

    What waits for the user comes first, then the tools that run, then what the model does.
    """
    blocks = transcript.blocks
    if transcript.status != "running":
        return ""
    if transcript.waits_for_an_answer:
        return f"turn {transcript.turn_id} waits for your answer"  # the cells that wait for it name the turn, too
    if calls := [block for block in blocks if isinstance(block, ToolBlock) and block.is_running]:
        if len(calls) == 1 and (work := calls[0].work) is not None and (does := activity(work)):
            return f"{work.agent}: {does}"
        return f"running {_listed([call.tool for call in calls])}"
    if not transcript.turn_id:
        return "waiting for the session" if transcript.waits_for_session else "starting"
    match blocks[-1] if blocks else None:
        case ToolBlock(tool=tool, outcome=None):
            return f"calling {tool}"
        case ReasoningBlock():
            return "thinking"
        case TextBlock() | ValueBlock():
            return "answering"
        case _:
            return transcript.asking or "waiting for the model"


def when_read(transcript: Transcript) -> str:
    """Return when a message is read that is sent to the turn now. It does not reach the sub-agents that are at work."""
    working = [
        block.work.agent
        for block in transcript.blocks
        if isinstance(block, ToolBlock) and block.work is not None and block.work.status == "running"
    ]
    if not working:
        return "the model reads it with its next request"
    return f"{transcript.agent} reads it with its next request, after the work of {_listed(working)}"


def _listed(tools: Sequence[str]) -> str:
    """Return the names of tools, each once, and how many more there are."""
    names = list(dict.fromkeys(tools))
    if len(names) == 1:
        return names[0] if len(tools) == 1 else f"{len(tools)} calls of {names[0]}"
    if len(names) == NAMED:
        return " and ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
