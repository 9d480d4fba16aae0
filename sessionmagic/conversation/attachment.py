"""Files and values that are sent to the model with a prompt."""

from __future__ import annotations

from dataclasses import dataclass

IMAGE_STARTS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8", "image/gif": b"GIF8", "image/webp": b"RIFF"}
"""The types of image that models accept, with the first bytes of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A text, or the bytes of an image or document, that is sent to the model with a prompt."""

    name: str
    content: str | bytes
    media_type: str = "text/plain"
