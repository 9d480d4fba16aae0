"""One output under a cell, as the notebook saves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from IPython.display import display

from sessionmagic.notebook.html_block import html_block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sessionmagic.conversation.transcript import Transcript

    Displays = Callable[[Transcript], Mapping[str, Sequence["Output"]]]
    """Returns what the tool calls of a turn have displayed, by call id."""

Changes = Literal["in place", "the last in place", "by clearing", "never"]
"""How a front end changes an output that it has shown. What it cannot change in place, it can clear with the cell."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output: its content by MIME type, and its metadata. Its HTML is made one block."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "text/html" in self.data:
            object.__setattr__(self, "data", {**self.data, "text/html": html_block(self.data["text/html"])})

    def display(self, *, with_id: bool = False) -> Any:
        """Add the output to the running cell; return a handle that can replace it if it gets an id."""
        return display(dict(self.data), raw=True, metadata=dict(self.metadata), display_id=True if with_id else None)


def nothing(_transcript: Transcript) -> Mapping[str, Sequence[Output]]:
    """Return the displays of a turn whose tools display nothing."""
    return {}
