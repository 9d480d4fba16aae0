"""When the pieces of a response came in, in bounded size."""

from __future__ import annotations

MOST = 64
"""How many moments of a response are kept. An even number."""


class Arrivals:
    """The moments at which a response grew. Of one with many pieces, only every second, fourth and so on is kept."""

    def __init__(self) -> None:
        self.points: list[tuple[int, int]] = []
        """For each moment the milliseconds since the request, and how many characters had come in by then."""
        self._characters = 0
        self._pieces = 0
        self._step = 1
        """How many pieces one moment stands for."""

    def add(self, milliseconds: int, characters: int) -> None:
        """Add a piece. It counts towards the latest moment until that stands for enough pieces."""
        self._characters += characters
        if self._pieces % self._step == 0:
            self.points.append((milliseconds, self._characters))
        else:
            self.points[-1] = (milliseconds, self._characters)
        self._pieces += 1
        if len(self.points) == MOST:
            self.points = self.points[1::2]
            self._step *= 2
