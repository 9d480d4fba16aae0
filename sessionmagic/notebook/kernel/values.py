"""Describe the user's values to a model: type and size, an extract of the content, and statistics."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from sessionmagic.keys.assigned import is_secret
from sessionmagic.keys.known import KNOWN
from sessionmagic.words import between_words, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ITEMS_SHOWN = 100
"""Items of a container, columns of a frame or rows of an array that a description shows."""
ROWS_SHOWN = 5
BYTES_SHOWN = 4_000
NUMBER_LENGTH = 40
"""Characters of a number in a listing."""
NUMBERS_READ = 10_000_000
"""Numbers of an array that the statistics cover. Computing them takes several times the memory of these numbers."""


def learn_keys(namespace: Mapping[str, Any]) -> None:
    """Make known the texts of variables such as ``password``, which may be printed or sent without their names."""
    for name, value in list(namespace.items()):
        if isinstance(value, str) and is_secret(name, value):
            KNOWN.add(value, f"the value of {name}")


def describe(value: Any) -> str:
    """Return a description of a value for a model.

    Text is returned unchanged. A frame or an array is described by its shape, types and first rows, and any other value
    as IPython prints it. Raises any error of the value's own methods.
    """
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


def describe_safely(value: Any) -> str:
    """Describe a value, or say why it cannot be described."""
    try:
        return describe(value)
    except Exception as error:  # noqa: BLE001  the value's own methods may raise anything
        return f"(a {type(value).__name__} that cannot be described: {type(error).__name__})"


def inspected(name: str, value: Any) -> str:
    """Return a variable's name, type, size and description."""
    if isinstance(value, str) and is_secret(name, value):  # it may be too short to be known without its name
        return f"{name} = {value!r}"
    return f"{name}: {kind_of(value)}\n{describe_safely(value)}"


def short(text: str, length: int) -> str:
    """Return a text, cut after `length` characters between two words, with a note of how much was cut."""
    if len(text) <= length:
        return text
    end = between_words(text, length, -1)
    return f"{text[:end]} [cut: {len(text) - end:,} more characters]"


def kind_of(value: Any) -> str:
    """Return a value's type and size, without computing or printing its content."""
    kind = type(value).__name__
    try:
        return f"{kind} {_size(value)}".rstrip()
    except Exception:  # noqa: BLE001  as above
        return kind


def statistics(value: Any) -> str:
    """Return statistics of an array of numbers or of a frame; empty for other values and for lazy frames."""
    try:
        if numbers := _number_statistics(value):
            return f"statistics: {numbers}"
        if hasattr(value, "head") and callable(getattr(value, "describe", None)) and _is_computed(value):
            return f"statistics:\n{value.describe()}"
    except Exception as error:  # noqa: BLE001  such as a frame without columns
        return f"no statistics: {words_of(error)}"
    return ""


def _number_statistics(value: Any) -> str:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or value.dtype.kind not in "biuf":
        return ""
    numbers = value.flat[:NUMBERS_READ]
    known = numbers[~numpy.isnan(numbers)]
    missing = f"{numbers.size - known.size:,} NaN"
    part = f"of the first {NUMBERS_READ:,}: " if value.size > NUMBERS_READ else ""
    if not known.size:
        return part + missing
    with numpy.errstate(all="ignore"):  # infinities give warnings
        mean, std = known.mean(), known.std()
    return f"{part}min {known.min()}, max {known.max()}, mean {mean:.6g}, std {std:.6g}, {missing}"


def _is_computed(frame: Any) -> bool:
    """Return whether a frame knows its size. A lazy one (dask, polars) would have to be computed first."""
    shape = getattr(frame, "shape", None)
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)


def _frame(frame: Any) -> str:
    """Describe a frame of any library, reading only what is shown and computing nothing."""
    columns = list(frame.columns)
    names = columns[:ITEMS_SHOWN]
    schema = "\n".join(f"  {name}: {kind}" for name, kind in zip(names, frame.dtypes, strict=False))
    cut = f"\n  [cut: {len(columns) - ITEMS_SHOWN:,} more columns]" if len(columns) > ITEMS_SHOWN else ""
    if not _is_computed(frame):
        return f"{type(frame).__name__} of {len(columns):,} columns; its rows are not computed\n{schema}{cut}"
    rows, head = frame.shape[0], frame.head(ROWS_SHOWN)
    # In pandas, columns are taken by position, because several can have the same name.
    head = head.iloc[:, :ITEMS_SHOWN] if hasattr(head, "iloc") else head[names]
    shown = head.to_string() if hasattr(head, "to_string") else str(head)
    first = f"first {min(rows, ROWS_SHOWN)} rows:\n{shown}"
    return f"DataFrame of {rows:,} rows and {len(columns):,} columns\n{schema}{cut}\n{first}"


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
    return repr(value)[:NUMBER_LENGTH] if isinstance(value, bool | int | float) else ""


def _signature(function: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(function))
    except (ValueError, TypeError):
        return ""
