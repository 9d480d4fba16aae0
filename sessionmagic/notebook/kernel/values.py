"""What a model reads of the user's values: their kind and size, their content in short, and statistics."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS_SHOWN = 100
ROWS_SHOWN = 5
BYTES_SHOWN = 4_000
NUMBER_SHOWN = 40
NUMBERS_READ = 10_000_000
"""Of a larger array, statistics are of the first ones: they take several times their size of memory."""


def described(value: Any) -> str:
    """Return a value as a model reads it: text as it is, frames and arrays by shape and head, the rest as its repr."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray) and len(value) > BYTES_SHOWN:
        return f"{value[:BYTES_SHOWN]!r}\n[cut: {len(value) - BYTES_SHOWN:,} more bytes]"
    if hasattr(value, "dtypes") and hasattr(value, "columns") and hasattr(value, "head"):
        return _frame(value)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value) if value.shape else str(value)
    from IPython.lib.pretty import pretty

    return str(pretty(value, max_seq_length=ITEMS_SHOWN))


def said_of(value: Any) -> str:
    """Describe a value, also one that cannot say what it is."""
    try:
        return described(value)
    except Exception as error:  # noqa: BLE001
        return f"(a {type(value).__name__} that cannot be described: {type(error).__name__})"


def kind_of(value: Any) -> str:
    """Name a value's type and size, without asking it for more."""
    kind = type(value).__name__
    try:
        return f"{kind} {_size(value)}".rstrip()
    except Exception:  # noqa: BLE001  a value that cannot say how big it is
        return kind


def statistics(value: Any) -> str:
    """Return statistics of a frame that is there, or of an array of numbers; empty for what has none."""
    try:
        if numbers := _of_numbers(value):
            return f"statistics: {numbers}"
        if hasattr(value, "head") and callable(getattr(value, "describe", None)) and _is_there(value):
            return f"statistics:\n{value.describe()}"
    except Exception as error:  # noqa: BLE001  as where there is no column
        return f"no statistics: {words_of(error)}"
    return ""


def _of_numbers(value: Any) -> str:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or value.dtype.kind not in "biuf":
        return ""
    numbers = value.flat[:NUMBERS_READ]
    known = numbers[~numpy.isnan(numbers)]
    missing = f"{numbers.size - known.size:,} NaN"
    part = f"of the first {NUMBERS_READ:,}: " if value.size > NUMBERS_READ else ""
    if not known.size:
        return part + missing
    with numpy.errstate(all="ignore"):  # infinities
        mean, std = known.mean(), known.std()
    return f"{part}min {known.min()}, max {known.max()}, mean {mean:.6g}, std {std:.6g}, {missing}"


def _is_there(frame: Any) -> bool:
    """Whether a frame knows how big it is: a lazy one would have to be computed."""
    shape = getattr(frame, "shape", None)
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)


def _frame(frame: Any) -> str:
    """Describe a frame of whatever library; reads no more of it than what is shown, and computes nothing."""
    every = list(frame.columns)
    names = every[:ITEMS_SHOWN]
    schema = "\n".join(f"  {name}: {kind}" for name, kind in zip(names, frame.dtypes, strict=False))
    cut = f"\n  [cut: {len(every) - ITEMS_SHOWN:,} more columns]" if len(every) > ITEMS_SHOWN else ""
    if not _is_there(frame):
        return f"{type(frame).__name__} of {len(every):,} columns; its rows are not computed\n{schema}{cut}"
    rows, head = frame.shape[0], frame.head(ROWS_SHOWN)
    head = head.iloc[:, :ITEMS_SHOWN] if hasattr(head, "iloc") else head[names]
    shown = head.to_string() if hasattr(head, "to_string") else str(head)
    first = f"first {min(rows, ROWS_SHOWN)} rows:\n{shown}"
    return f"DataFrame of {rows:,} rows and {len(every):,} columns\n{schema}{cut}\n{first}"


def _array(array: Any) -> str:
    name = type(array).__name__
    return f"{name} of shape {tuple(array.shape)} and type {array.dtype}\n{array[:ITEMS_SHOWN]}"


def _size(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"of shape {shape}"
    if isinstance(value, str | bytes | list | tuple | dict | set | frozenset):
        return f"of length {len(value):,}"
    if inspect.isroutine(value):
        return _signature(value)
    return repr(value)[:NUMBER_SHOWN] if isinstance(value, bool | int | float) else ""


def _signature(function: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(function))
    except (ValueError, TypeError):
        return ""
