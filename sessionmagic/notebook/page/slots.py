"""The outputs of a running turn under its cell, which are changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import clear_output

from sessionmagic.notebook.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.notebook.output import Changes

EMPTY = Output({"text/html": "<span></span>", "text/plain": ""})
"""Takes the place of an output that is no longer needed, where it cannot be removed."""


def as_it_is(output: Output) -> Output:
    """Return the output itself."""
    return output


class Slots:
    """A sequence of outputs that other outputs can take the place of.

    A notebook can replace an output but not remove or insert one, other than by clearing the whole cell, with all that
    the user's code has printed. So everything that is shown has a slot, and what comes in between moves the rest down.

    Args:
        changes: How the front end changes an output. The cell is cleared for a change that it cannot make in place.
        clears: Whether the cell may be cleared to remove outputs. If not, outputs without a word take their places.
        dress: Returns an output as it is to look.
    """

    def __init__(
        self, changes: Changes = "in place", *, clears: bool = True, dress: Callable[[Output], Output] = as_it_is
    ) -> None:
        self._changes = changes
        self._clears = clears
        self._dress = dress
        self._slots: list[tuple[Any, Output]] = []
        """The handle of each slot, and its output."""

    @property
    def only_last(self) -> bool:
        """Whether the cell is cleared for a change of any output but the last."""
        return self._changes == "the last in place"

    def end_with(self, outputs: Sequence[Output]) -> None:
        """Show only these outputs under the cell, where it may be cleared: also what has asked the user is gone."""
        if self._clears:
            clear_output(wait=True)
            self._slots.clear()
        self.show(outputs)

    def show(self, outputs: Sequence[Output]) -> None:
        """Show these outputs, in this order. Only those that have changed are sent, unless the cell is cleared.

        The last ones change first: the hidden draft below the widgets must go before the widgets that hide it.
        """
        surplus = len(self._slots) - len(outputs)
        if surplus > 0 and not self._clears:
            outputs = [*outputs, *[EMPTY] * surplus]
        pairs = enumerate(zip(self._slots, outputs, strict=False))
        changed = [at for at, ((_, shown), output) in pairs if output is not shown and output != shown]
        if len(outputs) < len(self._slots) or (changed and not self._in_place(changed[0])):
            clear_output(wait=True)
            self._slots.clear()
            changed.clear()
        for at in reversed(changed):
            handle, _ = self._slots[at]
            self._slots[at] = handle, outputs[at]
            dressed = self._dress(outputs[at])
            handle.update(dict(dressed.data), raw=True, metadata=dict(dressed.metadata))
        for output in outputs[len(self._slots) :]:
            self._slots.append((self._dress(output).display(with_id=True), output))

    def _in_place(self, first: int) -> bool:
        """Return whether slots can change in place, the first of which is this one."""
        match self._changes:
            case "by clearing":
                return False
            case "the last in place":
                return first == len(self._slots) - 1
            case _:
                return True
