"""What a model request asks, for the record of the request and for recordings that may have its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.models.recording import Wanted
from sessionmagic.models.replay import ASKING
from sessionmagic.models.said import as_compared, hash_of, hashes_of, said_in
from sessionmagic.turns.written_answer import as_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.tools import ToolDefinition

    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.output_type import OutputType
    from sessionmagic.turns.run_history import RunHistory


class Comparable:
    """Tells what each request of a run asks.

    Args:
        requests: Records the requests.
        history: The messages before those of the run.
        output_type: The type of the answer; None for text.
    """

    def __init__(self, requests: ModelRequests, history: RunHistory, output_type: OutputType | None) -> None:
        self._requests = requests
        self._history = history
        self._type = output_type

    def tell(self, messages: Sequence[ModelMessage], tools: Sequence[ToolDefinition] | None) -> None:
        """Tell what a request asks, with the messages of the run so far.

        Args:
            messages: The messages of the run.
            tools: The tools that are offered; None if the model takes none.
        """
        offered = hashes_of(tools) if tools is not None else None
        typed = hash_of(self._type.schema) if self._type is not None else ""
        self._requests.offer(offered, typed)
        if (asking := ASKING.get()) is None:
            return
        asking.answer = None
        before = self._history.messages if asking.before is None else asking.before
        now, is_typed = list(messages), self._type is not None

        def wanted() -> Wanted:
            own = as_texts(now) if is_typed else now
            return Wanted(
                said=said_in([*before, *own]),
                offered=offered,
                typed=typed,
                settings=asking.settings,
                system=as_compared(asking.system),
                reference=asking.reference,
                live_tools=asking.live_tools,
                purpose=asking.purpose,
            )

        asking.wanted = wanted
