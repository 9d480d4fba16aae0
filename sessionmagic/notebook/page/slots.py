"""The outputs of a running turn under its cell, which are changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import clear_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.notebook.output import Output


class Slots:
    """A sequence of outputs that other outputs can take the place of.

    A notebook can replace an output but not remove or insert one, other than by clearing the whole cell, with all that
    the user's code has printed. So everything that is shown has a slot, and what comes in between moves the rest down.

    Args:
        by_clearing: Whether the cell is cleared for a change, because the front end cannot replace an output.
    """

    def __init__(self, *, by_clearing: bool = False) -> None:
        self._by_clearing = by_clearing
        self._slots: list[tuple[Any, Output]] = []
        """The handle of each slot, and its output."""

    def show(self, outputs: Sequence[Output]) -> None:
        """Show these outputs, in this order. Only those that have changed are sent.

        The last ones change first: the hidden draft below the widgets must go before the widgets that hide it. There
        must be at least as many outputs as before.
        """
        changed = any(
            output is not shown and output != shown for (_, shown), output in zip(self._slots, outputs, strict=False)
        )
        if changed and self._by_clearing:
            clear_output(wait=True)
            self._slots.clear()
        for at, (handle, shown) in reversed(list(enumerate(self._slots))):
            output = outputs[at]
            if output is not shown and output != shown:
                self._slots[at] = handle, output
                handle.update(dict(output.data), raw=True, metadata=dict(output.metadata))
        for output in outputs[len(self._slots) :]:
            self._slots.append((output.display(with_id=True), output))
