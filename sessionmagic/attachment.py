"""What goes to the model beside the prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file or value for the model: text, or the bytes of an image or document."""

    name: str
    content: str | bytes
    media_type: str = "text/plain"
