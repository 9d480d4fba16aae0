"""Events as lines of JSON."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

from sessionmagic.conversation.events import Event

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _adapter() -> TypeAdapter[Event]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Event, Field(discriminator="type")])


def event_to_json(event: Event) -> str:
    """Return the event as one line of JSON."""
    return _adapter().dump_json(event).decode()


def event_from_json(text: str | bytes) -> Event:
    """Return the event in a line of JSON; raises `pydantic.ValidationError` when it is not a valid event."""
    return _adapter().validate_json(text)
