"""Rows that a Python program gives: mappings, tuples, phone numbers, DataFrames."""

import inspect
import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import attrs

from tingting_async.errors import UsageError
from tingting_async.recipients import headers
from tingting_async.recipients.builder import ListBuilder
from tingting_async.recipients.columns import shown
from tingting_async.recipients.numbers import NepaliNumber
from tingting_async.recipients.options import Options
from tingting_async.recipients.values import MISSING


def require_rows(operation: str, name: str, rows: Any) -> None:
    """Refuse an argument that is not an iterable of rows.

    Raises:
        UsageError: It is something else.
    """
    is_frame = hasattr(rows, "columns") and (hasattr(rows, "iter_rows") or hasattr(rows, "itertuples"))
    if is_frame or (_is(rows, Iterable | AsyncIterable) and not _is(rows, str | bytes | Mapping)):
        return
    kind, advice = type(rows).__name__, ""
    if inspect.iscoroutine(rows):
        rows.close()  # Nobody will await it. Python would warn of that.
        advice = " Await it first."
    elif isinstance(rows, str | os.PathLike):
        advice = " To read a file, write `await RecipientList.read(path)`."
    raise UsageError(f"{operation}: `{name}` must be an iterable of rows, not {kind}.{advice}")


class RowReader:
    """Takes rows, all of the kind of the first one.

    Args:
        options: How they are read.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._names: dict[str, int] = {}  # The keys as they are given; `_columns` has them cleaned.
        self._columns: list[str] = []
        self._kind: str | None = None
        self._builder: ListBuilder | None = None
        self._count = 0

    def rows_of(self, rows: Any) -> Iterable[Any] | AsyncIterable[Any]:
        """Return the rows of the caller's argument: an iterable, or a DataFrame.

        Raises:
            UsageError: It is something else.
        """
        columns = getattr(rows, "columns", None)
        if columns is not None and hasattr(rows, "iter_rows"):  # Polars
            self._set_names(columns)
            return cast("Iterable[Any]", rows.iter_rows())
        if columns is not None and hasattr(rows, "itertuples"):  # pandas
            self._set_names(columns)
            return cast("Iterable[Any]", rows.itertuples(index=False, name=None))
        require_rows("RecipientList", "rows", rows)
        return cast("Iterable[Any] | AsyncIterable[Any]", rows)

    @property
    def builder(self) -> ListBuilder:
        """The object with the rows."""
        if self._builder is None:  # There are no rows, or those of a DataFrame, which may be those of a spreadsheet.
            self._builder = ListBuilder(self._options, is_file=False, names=self._columns if self._kind else None)
        return self._builder

    def add(self, row: Any) -> int:
        """Add a row, and return how many there are.

        Raises:
            UsageError: It is not of the same kind as the others, or is not a row.
        """
        self._count += 1
        kind, cells = self._cells(row)
        if self._kind is None:
            self._kind = kind
            names = None if kind == "tuple" else self._columns
            # The cells of other rows may be those of a spreadsheet, read by `csv` or `openpyxl`.
            are_typed = kind in ("contact", "phone number")
            self._builder = ListBuilder(self._options, is_file=False, are_typed=are_typed, names=names)
        elif self._kind != kind:
            raise UsageError(f"`rows[{self._count - 1}]` is a {kind}, and the rows before it are {self._kind}s.")
        self.builder.add(self._count, cells)
        return self._count

    def _set_names(self, names: Iterable[object]) -> None:
        self._columns += [headers.clean(str(name)) for name in names]
        self._kind = "named tuple"

    def _cells(self, row: Any) -> tuple[str, Sequence[object]]:
        is_tuple = _is(row, tuple | list)
        if self._kind == "named tuple" and is_tuple:
            return "named tuple", cast("Sequence[object]", row)
        if is_tuple and hasattr(row, "_asdict"):
            row = row._asdict()
        elif hasattr(row, "number") and _is(getattr(row, "variables", None), Mapping):
            return "contact", self._of_contact("number", row.number, row.variables)
        elif not is_tuple and not _is(row, Mapping) and hasattr(row, "keys"):  # A row of a database.
            row = {key: row[key] for key in row.keys()}  # noqa: SIM118 - not a mapping: it iterates over its values
        elif is_tuple:
            return "tuple", cast("Sequence[object]", row)
        if _is(row, Mapping):
            return self._of_mapping(cast("Mapping[Any, Any]", row))
        if row is None or _is(row, str | int | float | Decimal | NepaliNumber) or hasattr(row, "dtype"):
            self._columns[:] = ["number"]
            return "phone number", [row]
        raise UsageError(
            f"`rows[{self._count - 1}]` must be a mapping, a tuple or a phone number, not {type(row).__name__}."
        )

    def _of_mapping(self, row: Mapping[Any, Any]) -> tuple[str, list[object]]:
        nested = next((key for key in ("variables", "other_variables") if _is(row.get(key, ""), Mapping | None)), None)
        if nested and len(row) == 2:  # As `contacts.add_many` and the service take them.
            key = next(key for key in row if key != nested)
            return "contact", self._of_contact(key, row[key], row[nested] or {})
        if self._kind == "contact" and [*row] == [self._first_key]:
            return "contact", self._of_contact(self._first_key, row[self._first_key], {})
        return "mapping", self._values(row)

    def _of_contact(self, key: Any, number: object, variables: Mapping[Any, Any]) -> list[object]:
        """Return the values of a row that says which is the phone number, regardless of its variables' names."""
        place = f"`rows[{self._count - 1}]`"
        if key in variables:
            raise UsageError(f"{place} has a variable {_shown(key)}, which is the key of its phone number. Rename it.")
        if self._kind is None and headers.rank(str(key)) is not None:
            self._options = attrs.evolve(self._options, number=self._options.number or headers.clean(str(key)))
        if self._kind == "contact" and key != self._first_key:
            raise UsageError(f"{place} has its phone number as {_shown(key)}, the others as {_shown(self._first_key)}.")
        return self._values({key: number, **variables})

    def _values(self, row: Mapping[Any, Any]) -> list[object]:
        for key in row:
            if not isinstance(key, str):
                kind = type(key).__name__
                raise UsageError(f"`rows[{self._count - 1}]` has a key that is not a string, but {kind}.")
            if key not in self._names:
                self._add_key(key)
        return [row.get(key, MISSING) for key in self._names]

    def _add_key(self, key: str) -> None:
        name = headers.clean(key)
        if name in self._columns:
            other = next(each for each, index in self._names.items() if self._columns[index] == name)
            raise UsageError(
                f"`rows[{self._count - 1}]` has the key {_shown(key)}, and another one is {_shown(other)}. Both become "
                f"the column {_shown(name)}, because superfluous spaces and invisible marks are removed. Rename one."
            )
        self._names[key] = len(self._columns)
        self._columns.append(name)

    @property
    def _first_key(self) -> str:
        return next(iter(self._names))


def _shown(key: object) -> str:
    return repr(shown(str(key)))


def _is(value: Any, types: Any) -> bool:
    """Return whether a value has a type, without saying so to the type checker, which knows nothing about the items."""
    return isinstance(value, types)
