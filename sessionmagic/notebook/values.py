"""What a model reads of the user's values: their kind and size, their content in short, and statistics."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS_SHOWN = 100
ROWS_SHOWN = 5
NUMBER_SHOWN = 40


def described(value: Any) -> str:
    """Return a value as a model reads it: text as it is, frames and arrays by shape and head, the rest as its repr."""
    if isinstance(value, str):
        return value
    if hasattr(value, "dtypes") and hasattr(value, "columns") and hasattr(value, "head"):
        return _frame(value)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value)
    from IPython.lib.pretty import pretty

    return str(pretty(value, max_seq_length=ITEMS_SHOWN))


def said_of(value: Any) -> str:
    """Describe a value, also one that cannot say what it is."""
    try:
        return described(value)
    except Exception as error:  # noqa: BLE001
        return f"({type(value).__name__}, whose description failed: {type(error).__name__})"


def kind_of(value: Any) -> str:
    """Name a value's type and size, without asking it for more."""
    kind = type(value).__name__
    try:
        return f"{kind} {_size(value)}".rstrip()
    except Exception:  # noqa: BLE001  a value that cannot say how big it is
        return kind


def statistics(value: Any) -> str:
    """Return the statistics of a frame; empty for what has none."""
    describe = getattr(value, "describe", None)
    return f"statistics:\n{describe()}" if callable(describe) and hasattr(value, "head") else ""


def _frame(frame: Any) -> str:
    """Describe a pandas or polars frame; reads no more of it than what is shown."""
    rows, columns = frame.shape
    names = list(frame.columns)[:ITEMS_SHOWN]
    schema = "\n".join(f"  {name}: {kind}" for name, kind in zip(names, frame.dtypes, strict=False))
    cut = f"\n  [cut: {columns - ITEMS_SHOWN:,} more columns]" if columns > ITEMS_SHOWN else ""
    head = frame.head(ROWS_SHOWN)[names]
    shown = head.to_string() if hasattr(head, "to_string") else str(head)
    first = f"first {min(rows, ROWS_SHOWN)} rows:\n{shown}"
    return f"DataFrame of {rows:,} rows and {columns:,} columns\n{schema}{cut}\n{first}"


def _array(array: Any) -> str:
    name = type(array).__name__
    head = array[:ITEMS_SHOWN] if len(array.shape) else array
    return f"{name} of shape {tuple(array.shape)} and type {array.dtype}\n{head}"


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
