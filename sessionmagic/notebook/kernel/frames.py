"""Describe tables of pandas, polars and pyarrow to a model: columns with types, nulls and ranges, then the first rows.

The libraries are found by the names of their modules, so that none is imported which the user does not use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.kernel.described import Described
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

COLUMNS = (100, 50, 20, 10, 5, 2, 1)
"""How many columns are tried until the description has its size."""
ROWS = (100, 20, 5, 1)
"""How many rows are tried; more than five only if these are all."""
HEAD = 5
"""Rows that are shown of a table that has more than the first of `ROWS`."""
CELL_LENGTH = 100
CELLS_READ = 10_000_000
"""Cells that nulls and ranges cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of any library."""

    kind: str
    rows: int
    columns: Sequence[tuple[str, object]]
    """The name and the type of each column."""
    facts: Callable[[int, int], str]
    """Returns the nulls and the range of the column at a place, read from so many rows."""
    head: Callable[[int, int], str]
    """Returns the first rows and columns as text."""
    cells: Callable[[int, int], Iterable[Iterable[object]]]
    """Returns the cells of the first rows and columns."""


def table_of(value: Any) -> Table | None:
    """Return a table or a column of one of these libraries, or None for other values and for lazy frames."""
    match library(value), type(value).__name__:
        case "pandas", _ if hasattr(value, "to_frame") and hasattr(value, "iloc"):
            return _pandas(value.to_frame(), "Series")
        case "pandas", _ if hasattr(value, "columns") and hasattr(value, "iloc"):
            return _pandas(value, type(value).__name__)
        case "polars", "Series":
            return _polars(value.to_frame(), "polars Series")
        case "polars", "DataFrame":
            return _polars(value, "polars DataFrame")
        case "pyarrow", "Table" | "RecordBatch":
            return _pyarrow(value, f"pyarrow {type(value).__name__}")
        case "pyarrow", kind if hasattr(value, "null_count") and hasattr(value, "slice"):
            import pyarrow as pa

            return _pyarrow(pa.table({"values": value}), f"pyarrow {kind}")
        case _:
            return None


def library(value: Any) -> str:
    """Return which of the libraries that are described specially a value's type, or a base of it, is from."""
    roots = (base.__module__.partition(".")[0] for base in type(value).__mro__)
    return next((root for root in roots if root in {"numpy", "pandas", "polars", "pyarrow", "xarray"}), "")


def described_table(table: Table, limit: int) -> Described:
    """Describe a table with so many rows and columns that the description has at most `limit` characters."""
    names = table.columns[: COLUMNS[0]]
    read = min(table.rows, CELLS_READ // max(1, len(names)))
    facts = cache(lambda at: table.facts(at, read))
    head = min(table.rows, ROWS[0]) if table.rows <= ROWS[0] else HEAD
    tried = product(_steps(len(names), COLUMNS), _steps(head, ROWS))
    described = Described("")
    for columns, rows in tried:
        described = _described(table, facts, read, rows, columns)
        if len(described.text) <= limit:
            break
    return described


def _steps(most: int, steps: Sequence[int]) -> list[int]:
    return [most, *(step for step in steps if step < most)]


def _described(table: Table, facts: Callable[[int], str], read: int, rows: int, columns: int) -> Described:
    schema = [f"  {name}: {kind}{facts(at)}" for at, (name, kind) in enumerate(table.columns[:columns])]
    if left := len(table.columns) - columns:
        schema.append(f"  [cut: {counted(left, 'more column')}]")
    part = [f"nulls and ranges are of the first {counted(read, 'row')}"] if read < table.rows else []
    cut = _has_long(table.cells(rows, columns))
    cells = f", their cells cut to {CELL_LENGTH} characters" if cut else ""
    which = f"all {counted(rows, 'row')}" if rows == table.rows else f"first {counted(rows, 'row')}"
    shown = [f"{which}{cells}:\n{table.head(rows, columns)}"] if rows and columns else []
    size = f"{table.kind} of {counted(table.rows, 'row')} and {counted(len(table.columns), 'column')}"
    left_out = [
        f"{shown:,} of {counted(every, noun)}"
        for shown, every, noun in ((rows, table.rows, "row"), (columns, len(table.columns), "column"))
        if shown < every
    ]
    left_out += ["long cells cut"] if cut else []
    return Described("\n".join([size, *schema, *part, *shown]), ", ".join(left_out))


def _pandas(frame: Any, kind: str) -> Table:
    from pandas.api import types

    def facts(at: int, rows: int) -> str:
        column = frame.iloc[:rows, at]
        ordered = column.dtype.kind in "mM" or (types.is_numeric_dtype(column) and not types.is_complex_dtype(column))
        limits = _range(lambda: (column.min(), column.max())) if ordered else ""
        return _facts(int(column.isna().sum()), limits)

    def cells(rows: int, columns: int) -> Iterable[Iterable[object]]:
        return frame.iloc[:rows, :columns].itertuples(index=False, name=None)  # type: ignore[no-any-return]

    def head(rows: int, columns: int) -> str:
        part = frame.iloc[:rows, :columns]
        return str((part.map(_short) if _has_long(cells(rows, columns)) else part).to_string())

    columns = list(zip(map(str, frame.columns), frame.dtypes, strict=True))
    return Table(kind=kind, rows=len(frame), columns=columns, facts=facts, head=head, cells=cells)


def _polars(frame: Any, kind: str) -> Table:
    def facts(at: int, rows: int) -> str:
        column = frame.to_series(at).head(rows)
        ordered = column.dtype.is_numeric() or column.dtype.is_temporal()
        limits = _range(lambda: (column.min(), column.max())) if ordered else ""
        return _facts(column.null_count(), limits, int(column.is_nan().sum()) if column.dtype.is_float() else 0)

    def cells(rows: int, columns: int) -> list[tuple[object, ...]]:
        return frame.head(rows)[:, :columns].rows()  # type: ignore[no-any-return]

    columns = list(zip(frame.columns, frame.dtypes, strict=True))
    return Table(
        kind=kind,
        rows=frame.height,
        columns=columns,
        facts=facts,
        head=lambda rows, count: _aligned([frame.columns[:count], *cells(rows, count)]),
        cells=cells,
    )


def _pyarrow(table: Any, kind: str) -> Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    def facts(at: int, rows: int) -> str:
        column = table.column(at).slice(0, rows)
        ordered = any(
            check(column.type)
            for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
        )
        limits = _range(lambda: pc.min_max(column).as_py().values()) if ordered else ""
        nan = pc.sum(pc.is_nan(column)).as_py() or 0 if pa.types.is_floating(column.type) else 0
        return _facts(column.null_count, limits, nan)

    def cells(rows: int, columns: int) -> list[tuple[object, ...]]:
        part = [table.column(at).slice(0, rows).to_pylist() for at in range(columns)]
        return list(zip(*part, strict=True))

    names = table.schema.names
    return Table(
        kind=kind,
        rows=table.num_rows,
        columns=list(zip(names, table.schema.types, strict=True)),
        facts=facts,
        head=lambda rows, count: _aligned([names[:count], *cells(rows, count)]),
        cells=cells,
    )


def _range(limits: Callable[[], Iterable[Any]]) -> str:
    """Return the least and the greatest value; empty if there are none, or if they cannot be computed."""
    try:
        low, high = limits()
    except Exception:  # noqa: BLE001  a type without an order, or whose order a library does not know
        return ""
    return "" if str(low) in {"None", "NaT", "<NA>", "nan"} else f"{low} – {high}"


def _facts(nulls: int, limits: str, nan: int = 0) -> str:
    parts = [counted(nulls, "null"), f"{nan:,} NaN" if nan else "", limits]
    return "".join(f", {part}" for part in parts if part)


def _has_long(cells: Iterable[Iterable[object]]) -> bool:
    return any(len(str(cell)) > CELL_LENGTH for row in cells for cell in row)


def _short(cell: object) -> object:
    """Return a cell as it is, or a long one cut, so that half of a key is not in it."""
    return shortened(str(cell), CELL_LENGTH) if len(str(cell)) > CELL_LENGTH else cell


def _aligned(rows: Iterable[Iterable[object]]) -> str:
    texts = [["null" if cell is None else str(_short(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts
    )
