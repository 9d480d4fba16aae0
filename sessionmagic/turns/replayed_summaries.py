"""The summaries that a recording has: what they cover, and before which turns they were written."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.models.replay import ASKING, recording_in
from sessionmagic.turns.messages import as_history, prompt_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.models.recording import Purpose, Wanted
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.history import History
    from sessionmagic.turns.messages import Messages


def kept_for(model: ResolvedModel, history: History, task: str) -> int | None:
    """Return how many turns a requested summary leaves word by word, if the model's recording has that summary.

    Args:
        model: The model.
        history: The turns that are sent.
        task: What the model is asked.
    """
    if (recording := recording_in(model.model)) is None:
        return None
    found = recording.summary(_wanted(history, prompt_message(task), "summary"))
    return None if found is None else found.kept


def kept_before(model: ResolvedModel, history: History, prompt: Messages) -> int | None:
    """Return how many turns stay word by word where the model's recording has a summary before the answer to a prompt.

    None if it has none, so that no summary is to be written.
    """
    recording = recording_in(model.model)
    if recording is None or not recording.has_summaries:
        return None
    found = recording.summary_before(_wanted(history, prompt, "answer"))
    return None if found is None else found.kept


def _wanted(history: History, prompt: Messages, purpose: Purpose) -> Wanted:
    from sessionmagic.models.recording import Wanted
    from sessionmagic.models.said import said_in

    asking = ASKING.get()
    live_tools = asking is not None and asking.live_tools
    said = said_in([*history.said, *as_history(prompt)])
    return Wanted(said=said, offered=None, purpose=purpose, live_tools=live_tools)


@contextmanager
def summarizing(record: TurnRecord, history: History) -> Iterator[None]:
    """Let recordings know within the block that a running turn asks for a summary.

    Args:
        record: The compaction.
        history: The turns before it.
    """
    before = ASKING.get()
    own = before and replace(
        before, settings=record.settings, system="", purpose="summary", before=history.said, wanted=None
    )
    token = ASKING.set(own)
    try:
        yield
    finally:
        ASKING.reset(token)
        if before and own:
            before.filled = before.filled or own.filled
