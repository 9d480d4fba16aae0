"""A Sphinx extension for the reference: what it documents is read from the code, and nothing can be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives; Sphinx calls this."""
    from documented.directives import register

    register(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
