"""Describe the user's values to a model: type and size, an extract of the content, and statistics."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any

from sessionmagic.keys.assigned import is_secret
from sessionmagic.keys.known import KNOWN
from sessionmagic.notebook.kernel.described import Described
from sessionmagic.notebook.kernel.frames import described_table, library, table_of
from sessionmagic.words import between_words, counted, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ITEMS_SHOWN = 100
"""Items of a container, columns of a frame or rows of an array that a description shows."""
ROWS_SHOWN = 5
DESCRIBED = 20_000
"""Characters of a description, if nobody says otherwise."""
BYTES_SHOWN = 4_000
NUMBER_LENGTH = 40
"""Characters of a number in a listing."""
LEFT_OUT = re.compile(r"(?<=[\s,])\.{2,3}(?=[\s,)\]}])")
"""What IPython, numpy, pandas and xarray write in place of what they leave out."""
NUMBERS_READ = 10_000_000
"""Numbers of an array that the statistics cover. Computing them takes several times the memory of these numbers."""


def learn_keys(namespace: Mapping[str, Any]) -> None:
    """Make known the texts of variables such as ``password``, which may be printed or sent without their names."""
    for name, value in list(namespace.items()):
        if isinstance(value, str) and is_secret(name, value):
            KNOWN.add(value, f"the value of {name}")


def describe(value: Any) -> str:
    """Return a description of a value for a model, as `described` does, but a text or a list of any length."""
    return _described(value, DESCRIBED).text


def described(value: Any, limit: int = DESCRIBED) -> Described:
    """Return a description of a value that has at most `limit` characters, and a note of what is cut.

    Text is returned unchanged. A table or an array is described by its shape, types, nulls, ranges and first rows, and
    any other value as IPython prints it. Raises any error of the value's own methods.
    """
    text, shown = _described(value, limit)
    if library(value) == "numpy" and (numbers := statistics(value)):
        text = f"{text}\n{numbers}"
    if len(text) <= limit:
        return Described(text, shown)
    end = between_words(text, limit, -1)
    part = f"{end:,} of {counted(len(text), 'character')}"
    text = f"{text[:end]}\n[cut: {counted(len(text) - end, 'more character')}]"
    return Described(text, ", ".join(filter(None, [shown, part])))


def _described(value: Any, limit: int) -> Described:
    if isinstance(value, str):
        return Described(value)
    if isinstance(value, bytes | bytearray) and len(value) > BYTES_SHOWN:
        left = counted(len(value) - BYTES_SHOWN, "more byte")
        return Described(f"{value[:BYTES_SHOWN]!r}\n[cut: {left}]", f"{BYTES_SHOWN:,} of {counted(len(value), 'byte')}")
    if (table := table_of(value)) is not None:
        return described_table(table, limit)
    if library(value) == "polars" and hasattr(value, "collect_schema"):
        return Described(_lazy(value, value.collect_schema().items()))
    if library(value) == "xarray":
        return _abbreviated("\n".join([str(value), *_xarray_facts(value)]))
    if hasattr(value, "dtypes") and hasattr(value, "columns") and hasattr(value, "head"):
        return Described(_frame(value))
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value) if value.shape else Described(str(value))
    from IPython.lib.pretty import pretty

    text = str(pretty(value, max_seq_length=ITEMS_SHOWN))
    if isinstance(value, list | tuple | dict | set | frozenset) and len(value) > ITEMS_SHOWN:
        shown = f"{ITEMS_SHOWN:,} of {counted(len(value), 'item')}"
        return Described(f"{text}\n[cut: {counted(len(value) - ITEMS_SHOWN, 'more item')}]", shown)
    return _abbreviated(text)


def _abbreviated(text: str) -> Described:
    """Return a text that another library has written, with a note if it has left something out."""
    return Described(text, "abbreviated" if LEFT_OUT.search(text) else "")


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
    return f"{text[:end]} [cut: {counted(len(text) - end, 'more character')}]"


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
    """Describe a frame of another library, reading only what is shown and computing nothing."""
    columns = list(frame.columns)
    if not _is_computed(frame):
        return _lazy(frame, list(zip(columns, frame.dtypes, strict=False)))
    names = columns[:ITEMS_SHOWN]
    head = frame.head(ROWS_SHOWN)[names]
    shown = head.to_string() if hasattr(head, "to_string") else str(head)
    rows = frame.shape[0]
    size = f"DataFrame of {counted(rows, 'row')} and {counted(len(columns), 'column')}"
    first = f"first {counted(min(rows, ROWS_SHOWN), 'row')}:\n{shown}"
    return "\n".join([size, *_schema(list(zip(columns, frame.dtypes, strict=False))), first])


def _lazy(frame: Any, schema: Iterable[tuple[object, object]]) -> str:
    columns = list(schema)
    size = f"{type(frame).__name__} of {counted(len(columns), 'column')}; its rows are not computed"
    return "\n".join([size, *_schema(columns)])


def _schema(columns: list[tuple[object, object]]) -> list[str]:
    cut = [f"  [cut: {counted(left, 'more column')}]"] if (left := len(columns) - ITEMS_SHOWN) > 0 else []
    return [*(f"  {name}: {kind}" for name, kind in columns[:ITEMS_SHOWN]), *cut]


def _array(array: Any) -> Described:
    size = f"{type(array).__name__} of shape {tuple(array.shape)} and type {array.dtype}"
    rows = len(array)
    shown = f"{ITEMS_SHOWN:,} of {counted(rows, 'row')}" if rows > ITEMS_SHOWN else ""
    first = [f"first {counted(ITEMS_SHOWN, 'row')}:"] if shown else []
    text = str(array[:ITEMS_SHOWN])
    noted = filter(None, [shown, _abbreviated(text).shown])
    return Described("\n".join([size, *first, text]), ", ".join(noted))


def _xarray_facts(value: Any) -> list[str]:
    """Return nulls and ranges of the arrays of a dataset, or of one array, that are in memory."""
    arrays = value.data_vars if hasattr(value, "data_vars") else {value.name or "values": value}
    facts = {
        name: _number_statistics(array.values)
        for name, array in arrays.items()
        if getattr(array.variable, "_in_memory", False)  # the values of others would be read or computed
    }
    return [f"{name}: {numbers}" for name, numbers in facts.items() if numbers]


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
