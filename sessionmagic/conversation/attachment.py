"""What goes to the model beside the prompt."""

from __future__ import annotations

from dataclasses import dataclass

IMAGE_STARTS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8", "image/gif": b"GIF8", "image/webp": b"RIFF"}
"""The images that models see, and how the bytes of each kind begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file or value for the model: text, or the bytes of an image or document."""

    name: str
    content: str | bytes
    media_type: str = "text/plain"
