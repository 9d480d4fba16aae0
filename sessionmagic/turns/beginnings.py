"""How the histories of sessions are sent, kept from one model request to the next.

A history is made ready once, and what comes after it alone. That is the same as making the whole ready wherever a
history ends with an answer and nothing in it has to be prepared with regard to the whole. Everywhere else there is no
`Beginning`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING

from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models import Model
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.keys.known import KNOWN
from sessionmagic.turns.prepared import prepared_alone
from sessionmagic.turns.sent import as_sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import ModelRequestParameters

    from sessionmagic.turns.destination import Destination
    from sessionmagic.turns.sent_content import SentContent

KEPT = 64
"""How many histories are kept."""
MESSAGES_KEPT = 50_000
"""How many messages they may have together."""


@dataclass(frozen=True, slots=True)
class Making:
    """What makes messages ready for a model."""

    model: Model
    parameters: ModelRequestParameters
    to: Destination
    content: SentContent

    def alone(self, messages: Sequence[ModelMessage], before: Beginning) -> list[ModelMessage] | None:
        """Return messages as they are sent after a beginning, with keys; None if only the whole tells."""
        first = messages[0]
        if before.sent and not (isinstance(first, ModelRequest) and not _has_results(first)):
            return None
        ready = prepared_alone(messages, self.model, self.parameters, self.to, before.used)
        return None if ready is None else as_sent(ready, self.to, before.used if before.sent else None)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A history, and how it is sent."""

    history: list[ModelMessage]
    sent: list[ModelMessage] | None
    """The messages as they are sent. None if they cannot be made ready without what follows."""
    used: frozenset[str] = frozenset()
    """The ids of the calls in them."""
    model: Model | None = None
    """The model for which they are ready."""
    names: Mapping[str, str] | None = None
    """The keys that were known when they were cleaned."""

    def begins(self, history: Sequence[ModelMessage], making: Making) -> bool:
        """Return whether a history begins with this one, for the same model, with no further key known."""
        return (
            self.model is making.model
            and self.names is KNOWN.names
            and len(self.history) <= len(history)
            and all(map(is_, self.history, history))
        )


_NOTHING = Beginning([], [])


class Beginnings:
    """The beginnings that were made ready last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Beginning] = OrderedDict()
        """By the `id` of the model and of the first message."""

    def continued(
        self, history: Sequence[ModelMessage], own: Sequence[ModelMessage], making: Making
    ) -> list[ModelMessage] | None:
        """Return a history and a run's own messages as they are sent; None if only the whole tells.

        Args:
            history: The messages before the run.
            own: The messages of the run.
            making: What makes them ready.
        """
        if making.content.left_out.sends_keys or isinstance(own[-1], ModelResponse):
            return None
        cut = _after_last_answer(history)
        if cut == 0 or not _prepares_as_usual(making.model):
            return None
        KNOWN.look()
        beginning = self._made(list(history[:cut]), making)
        if beginning.sent is None:
            return None
        rest = making.alone([*history[cut:], *own], beginning)
        return None if rest is None else [*beginning.sent, *making.content.messages(rest)]

    def _made(self, history: list[ModelMessage], making: Making) -> Beginning:
        key = id(making.model), id(history[0])
        with self._lock:
            known = self._kept.get(key, _NOTHING)
        known = known if known.begins(history, making) else _NOTHING
        if len(known.history) == len(history) or known.sent is None:
            return known
        names = KNOWN.names
        new = making.alone(history[len(known.history) :], known)
        if new is None or not new or not _is_answer(new[-1]):
            made, is_clean = Beginning(history, None, model=making.model, names=names), True
        else:
            cleaned = making.content.messages(new)
            is_clean = all(map(is_, cleaned, new))  # otherwise, each turn tells what is left out
            made = Beginning(
                history, [*(known.sent or ()), *cleaned], known.used | _call_ids(cleaned), making.model, names
            )
        if is_clean:
            self._keep(key, made)
        return made

    def _keep(self, key: tuple[int, int], beginning: Beginning) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = beginning
            while len(self._kept) > KEPT or sum(len(each.history) for each in self._kept.values()) > MESSAGES_KEPT:
                self._kept.popitem(last=False)


BEGINNINGS = Beginnings()
"""Those of this process."""


def _after_last_answer(history: Sequence[ModelMessage]) -> int:
    """Return the place after the last answer in a history that what follows it does not change; 0 if there is none."""
    for place in range(len(history) - 1, -1, -1):
        following = history[place + 1] if place + 1 < len(history) else None
        if _is_answer(history[place]) and not (following is not None and _has_results(following)):
            return place + 1
    return 0


def _is_answer(message: ModelMessage) -> bool:
    """Return whether a message is a response with a text and without calls."""
    if not isinstance(message, ModelResponse) or message.tool_calls:
        return False
    return any(isinstance(part, TextPart) and part.content.strip() for part in message.parts)


def _has_results(message: ModelMessage) -> bool:
    return any(isinstance(part, ToolReturnPart) for part in message.parts)


def _call_ids(messages: Sequence[ModelMessage]) -> set[str]:
    return {part.tool_call_id for each in messages for part in each.parts if isinstance(part, ToolCallPart)}


def _prepares_as_usual(model: Model) -> bool:
    """Return whether messages are prepared for a model by pydantic-ai itself."""
    while isinstance(model, WrapperModel):
        if type(model).prepare_messages is not WrapperModel.prepare_messages:
            return False
        model = model.wrapped
    return type(model).prepare_messages is Model.prepare_messages
