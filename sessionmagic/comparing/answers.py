"""The answers of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

from sessionmagic.conversation.value import fields_of, without_clashes
from sessionmagic.displayed import answers_html
from sessionmagic.exceptions import UsageError
from sessionmagic.words import printable, shortened, suggestion

if TYPE_CHECKING:
    from sessionmagic.conversation.column import Column
    from sessionmagic.turns.turn import TurnResult

LOWER_IS_BETTER = ("cost", "seconds", "first_token", "input_tokens", "output_tokens")
"""The figures by which `Answers.best` can choose."""


class Answers(Sequence["TurnResult"]):
    """The results of a comparison's runs, in the order of the columns.

    ``answers[0]`` is the first one, and ``answers["local"]`` the first one of a column, by its label or its letter.

    Args:
        results: The results. A run that was stopped before it started has none.
        keep: Lets the session go on with a turn; takes its id, that of its comparison, and whether its model stays.
    """

    def __init__(self, results: Sequence[TurnResult], keep: Callable[..., object]) -> None:
        self._results = list(results)
        self._keep = keep

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, key: int | str) -> TurnResult: ...
    @overload
    def __getitem__(self, key: slice) -> list[TurnResult]: ...
    def __getitem__(self, key: int | str | slice) -> TurnResult | list[TurnResult]:
        if not isinstance(key, str):
            return self._results[key]
        found = next((each for each in self._results if key in (_column(each).name, _column(each).label)), None)
        if found is None:
            names = list(dict.fromkeys(_column(result).name for result in self._results))
            advice = suggestion(key, names, f"the columns are {', '.join(names)}")
            raise KeyError(f"no column is called {key!r}{advice}")
        return found

    def __repr__(self) -> str:
        lines = (f"{_column(result).name}: {shortened(' '.join(result.text.split()))}" for result in self)
        return "\n".join(map(printable, lines))

    def _repr_html_(self) -> str:
        return answers_html([(_column(each).heading, each.text, each.stored_value, _note(each)) for each in self])

    def best(self, key: str | Callable[[TurnResult], float]) -> TurnResult:
        """Return the best of the answers that were completed.

        Args:
            key: The name of a figure, of which less is better: ``"cost"``, ``"seconds"``, ``"first_token"``,
                ``"input_tokens"`` or ``"output_tokens"``; or a function of a result, of which more is better.

        Raises `UsageError` when no answer was completed, or the figure of none is known.
        """
        completed = [result for result in self._results if result.status == "completed"]
        if not isinstance(key, str):
            found = max(completed, key=key, default=None)
        elif key in LOWER_IS_BETTER:
            known = [result for result in completed if figure(result, key) is not None]
            found = min(known, key=lambda result: figure(result, key) or 0.0, default=None)
        else:
            advice = suggestion(key, LOWER_IS_BETTER, f"use one of {', '.join(LOWER_IS_BETTER)}, or a function")
            raise UsageError(f"{key!r} is not a figure of an answer{advice}")
        if found is None:
            raise UsageError(f"no answer was completed with a known {key}" if isinstance(key, str) else NONE_COMPLETED)
        return found

    def keep(self, column: int | str, *, repeat: int = 1, model: bool = False) -> TurnResult:
        """Let the session go on with the answer of a column, and return it.

        Args:
            column: The column's number, counted from 1, or its name.
            repeat: Which of the column's runs.
            model: Whether the column's model becomes the session's.

        Raises `UsageError` when there is no such run.
        """
        found = next(
            (
                result
                for result in self._results
                if column in (_column(result).number, _column(result).name, _column(result).label)
                and _column(result).repeat == repeat
            ),
            None,
        )
        if found is None:
            names = ", ".join(dict.fromkeys(f"{_column(each).number} ({_column(each).name})" for each in self._results))
            raise UsageError(f"no run {repeat} of column {column!r}; the columns are {names}")
        self._keep(found.turn, comparison=_column(found).comparison, model=model)
        return found

    def to_frame(self) -> Any:
        """Return the answers as a pandas DataFrame, one row for each run.

        Structured answers have a column for each field. One with the name of another column gets ``value_`` before it.
        """
        import pandas as pd

        return pd.DataFrame([_row(result) for result in self._results])


NONE_COMPLETED = "no answer was completed"


def figure(result: TurnResult, name: str) -> float | None:
    """Return a figure of a result by its name; None if it is unknown."""
    source = result.usage if name.endswith("_tokens") else result
    value: float | None = getattr(source, name)
    return value


def _row(result: TurnResult) -> dict[str, object]:
    column = _column(result)
    figures = {name: figure(result, name) for name in LOWER_IS_BETTER}
    about = {"column": column.name, "repeat": column.repeat, "answer": result.text, "status": result.status}
    row = {**about, **figures, "turn": result.turn}
    return row if result.stored_value is None else row | without_clashes(fields_of(result.stored_value.json), row)


def _column(result: TurnResult) -> Column:
    assert result.column is not None  # noqa: S101  all are turns of a comparison
    return result.column


def _note(result: TurnResult) -> str:
    return "" if result.status == "completed" else result.status
