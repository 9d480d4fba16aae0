"""What is asked of a grid. Light to import, as each manager knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from sessionmagic.comparing.progress import Progress
    from sessionmagic.comparing.results import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRequest:
    """Many prompts for several models.

    Attributes:
        prompts: Texts, such as a list or a column of a DataFrame. Equal prompts are asked once, and share the answer.
        models: References. Each is a contestant, with each combination of the settings that vary.
        repeat: How often each prompt is asked of each contestant.
        vary: For each setting that varies, its values.
        system: Instructions for all models.
        settings: Settings for all models.
        score: Scores each answer: takes it and its row, and returns a number, a bool, or a dict of these by name. It
            runs in this process, and what it raises is kept in the row.
        name: The name under which the answers are kept. Running a grid with the same name goes on with it.
        max_cost: Dollars that this run may cost. It does not begin if the estimate is higher, and asks nothing more
            when they are spent.
        executor: Makes the requests; by default this process does. Each call has its own arguments, which can be
            pickled, and keys are read from the environment of its workers.
        progress: Called on the loop's thread as answers come in, a few times a second.
        where: The cell or script that runs the grid, for the errors that others get.
    """

    prompts: Iterable[Any]
    models: Sequence[str] | str
    repeat: int = 1
    vary: Mapping[str, Sequence[Any]] | None = None
    system: str | None = None
    settings: Mapping[str, Any] | None = None
    score: Score | None = None
    name: str = "grid"
    max_cost: float | None = None
    executor: Executor | None = None
    progress: Callable[[Progress], object] | None = None
    where: str = "a script"
