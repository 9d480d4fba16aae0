"""The parts of a turn that stand between the figures of its tool calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import ToolBlock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sessionmagic.conversation.transcript import Block


@dataclass(frozen=True, slots=True)
class Part:
    """Blocks that are shown in one output."""

    blocks: tuple[Block, ...] = ()
    call_id: str = ""
    """The call that ends the part and whose displays follow it; empty if none do."""


def parts_of(blocks: Iterable[Block], displaying: Collection[str]) -> list[Part]:
    """Return the blocks in parts, each but the last up to a call that has displayed something.

    Args:
        blocks: The blocks of a turn.
        displaying: The ids of the calls that have displayed something.
    """
    left = set(displaying)  # a provider may use an id again, but everything with that id is shown once
    parts: list[Part] = []
    begun: list[Block] = []
    for block in blocks:
        begun.append(block)
        if isinstance(block, ToolBlock) and block.outcome is not None and block.call_id in left:
            left.remove(block.call_id)
            parts.append(Part(tuple(begun), block.call_id))
            begun = []
    return [*parts, Part(tuple(begun))] if begun or not parts else parts
