"""Tables of rows, as files for spreadsheet programs and for programs."""

import csv
import io
import json
import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from functools import partial
from importlib import import_module
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from tingting_async.errors import MisuseError, UsageError
from tingting_async.http.download import AtomicFileSink
from tingting_async.late_imports import loading
from tingting_async.quantities import shown
from tingting_async.recipients.records import as_record
from tingting_async.recipients.values import escape
from tingting_async.redaction import redact
from tingting_async.tracebacks import short_traceback

_BATCH = 500
"""The number of rows that are converted at a time, in a thread."""
_IN_MEMORY = 2**20
_CELL, _ROWS, _COLUMNS = 32_767, 1_048_576, 16_384
"""The limits of an .xlsx file: characters in a cell, rows with the header, columns."""
_PHONE_COLUMNS = frozenset({"number", "numbers", "phone", "phone_number", "mobile", "contact_number"})
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@short_traceback
async def write_table(
    rows: Iterable[object] | AsyncIterable[object],
    path: str | os.PathLike[str],
    *,
    columns: Iterable[str] | None = None,
) -> int:
    """Write rows into a .csv, .xlsx or .jsonl file, completely or not at all, and return their number.

    Each row becomes a record; see `as_record`. The file has phone numbers in full.

    - .csv: UTF-8 with a byte order mark, so that Excel reads it as such. A text that a spreadsheet program would take
      for a formula has an apostrophe before it.
    - .xlsx: one sheet. Texts are text cells, also those that look like formulas or numbers, and so are phone numbers
      and all integers of ten digits or more. It needs the extra `sheets`.
    - .jsonl: a JSON object in each line, in UTF-8, with texts as they are.

    A list in a cell is JSON. Rows are kept in a temporary file until the last one is there, because it may have a
    column that no other has. The event loop is not blocked, and memory does not grow with the number of rows.

    Args:
        rows: Models or mappings: a list, a paginator, a stream, or any other iterable, sync or async.
        path: The file; `~` is the user's home. A complete table replaces an existing file.
        columns: The columns to write, in this order. By default, all that a row has, in the order of their appearance.

    Raises:
        UsageError: The file cannot be written, or has another suffix; or a row is neither a model nor a mapping, or has
            a value that the file cannot hold.
    """
    sink = AtomicFileSink(path)
    suffix = sink.path.suffix.lower()
    write = _WRITERS.get(suffix)
    if write is None:
        said = f"write_table: `path` ends in {redact(suffix)!r}"
        raise UsageError(f"{said}. Give a path that ends in .csv, .xlsx or .jsonl.")
    if write is _write_xlsx:
        import_xlsxwriter("write_table")
    _refuse_single_row(rows)
    names = None if columns is None else _checked(columns)
    with closing(_Spool(names, is_sheet=write is _write_xlsx)) as spool:
        # In this order: the thread of the sink has done with the spool before that is closed.
        async with sink:
            async with aclosing(_batches(rows)) as batches:
                async for batch in batches:
                    await sink.use(partial(spool.add, batch))
            await sink.use(partial(write, spool))
    return spool.count


def _refuse_single_row(rows: object) -> None:
    """Refuse a value that is not an iterable of rows."""
    if hasattr(rows, "__aiter__"):  # Paginators also have an `__await__`, which says what to write.
        return
    if isinstance(rows, Awaitable):
        what = "must be awaited first"
    elif isinstance(rows, str | bytes | Mapping):
        what = "is one row: give a list of rows"
    elif isinstance(rows, Iterable):
        return
    else:
        what = "is not an iterable of rows"
    raise MisuseError(f"write_table: `rows` is a {type(cast('object', rows)).__name__}, which {what}.")


async def _batches(rows: Any) -> AsyncGenerator[list[object]]:
    """Yield the rows in batches, and close their iterator in the end."""
    iterator: Any
    batch: list[object] = []
    if hasattr(rows, "__aiter__"):
        iterator = aiter(rows)
        try:
            async for row in iterator:
                batch.append(row)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
    else:
        iterator = iter(rows)
        try:
            while batch := [*islice(iterator, _BATCH)]:
                yield batch
        finally:
            if isinstance(iterator, Generator):
                iterator.close()
    if batch:
        yield batch


class _Spool:
    """Records in a temporary file, and the columns that they have.

    Args:
        columns: The columns to keep; None for all.
        is_sheet: Whether the records have to fit into an .xlsx file.
    """

    def __init__(self, columns: list[str] | None, *, is_sheet: bool) -> None:
        self.columns: list[str] = columns or []
        self.count: int = 0
        self._seen: dict[str, None] | None = {} if columns is None else None
        self._is_sheet = is_sheet
        self._file: IO[bytes] = cast("IO[bytes]", SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - see `close`

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()

    def add(self, rows: list[object], _: object) -> None:
        """Add rows."""
        lines: list[str] = []
        for row in rows:
            record = self._record(row)
            if self._seen is None:
                record = {name: record.get(name) for name in self.columns}
            else:
                self._seen.update(dict.fromkeys(record))
            if self._is_sheet:
                self._check(record)
            try:
                lines.append(_encode(record))
            except ValueError:  # Python writes no integer of more than 4,300 digits.
                raise UsageError(f"write_table: `rows[{self.count}]`: {_too_long(record)}") from None
            self.count += 1
        if self._seen is not None:
            self.columns = [*self._seen]
        self._file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))

    def lines(self) -> Iterator[bytes]:
        """Return the records as lines of JSON, in which half of a surrogate pair is encoded, too."""
        self._file.seek(0)
        return iter(self._file)

    def cells(self) -> Iterator[list[Any]]:
        """Yield the cells of each record, a list or a mapping as its JSON."""
        for line in self.lines():
            record = json.loads(line)
            yield [_cell(record.get(name)) for name in self.columns]

    def _record(self, row: object) -> dict[str, Any]:
        try:
            return as_record(row)
        except UsageError as error:
            raise UsageError(f"write_table: `rows[{self.count}]`: {str(error).removeprefix('as_record: ')}") from None
        except RecursionError:
            said = "a value is nested too deeply, or contains itself"
            raise UsageError(f"write_table: `rows[{self.count}]`: {said}.") from None

    def _check(self, record: Mapping[str, Any]) -> None:
        place = f"write_table: `rows[{self.count}]`"
        if self.count >= _ROWS - 1:
            raise UsageError(f"{place} is too much for an .xlsx file, which has {_ROWS:,} rows. Write a .csv file.")
        if len(self.columns if self._seen is None else self._seen) > _COLUMNS:
            raise UsageError(f"{place} makes too many columns for an .xlsx file, which has {_COLUMNS:,}.")
        for name, value in record.items():
            if not isinstance(value, int | float | None) and len(_cell(value)) > _CELL:
                raise UsageError(
                    f"{place}: {name!r} is too long for a cell of an .xlsx file, which holds {_CELL:,} characters. "
                    "Write a .csv file."
                )


def _cell(value: Any) -> Any:
    return _encode(value) if isinstance(value, list | dict) else value


def _too_long(record: Mapping[str, Any]) -> str:
    """Return what to say of a record with an integer that Python does not write."""
    for name, value in record.items():
        try:
            _encode(value)
        except ValueError:
            return f"{shown(name)} has an integer with too many digits for a file. Convert it to text, or leave it out."
    raise AssertionError


def _sound(text: str) -> str:
    """Return a text without half of a surrogate pair, which no file can have."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _checked(columns: Iterable[str]) -> list[str]:
    names = [columns] if isinstance(columns, str) else [*columns] if isinstance(columns, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        said = f"write_table: `columns` is {shown(columns)}"
        raise UsageError(f"{said}. It must be the names of columns, each once, such as ['number'].")
    return names


def _write_csv(spool: _Spool, file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
    table = csv.writer(text)
    if spool.columns:
        table.writerow(map(escape, spool.columns))
    table.writerows(map(_csv_cell, cells) for cells in spool.cells())
    text.detach()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return escape(value) if isinstance(value, str) else str(value)


def _write_jsonl(spool: _Spool, file: IO[bytes]) -> None:
    file.writelines(line.decode("utf-8", "surrogatepass").encode("utf-8", "replace") for line in spool.lines())


def _write_xlsx(spool: _Spool, file: IO[bytes]) -> None:
    options = {"constant_memory": True, "use_zip64": True}
    with import_xlsxwriter("write_table").Workbook(file, options) as book:
        sheet = book.add_worksheet()
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        for column, name in enumerate(spool.columns):
            sheet.write_string(0, column, _sound(name))
        are_numbers = [name.rpartition(".")[2].lower() in _PHONE_COLUMNS for name in spool.columns]
        for row, cells in enumerate(spool.cells(), start=1):
            for column, value in enumerate(cells):
                if isinstance(value, bool):
                    sheet.write_boolean(row, column, value)
                elif isinstance(value, str):
                    sheet.write_string(row, column, _sound(value))  # Never a formula, a link or a number.
                elif isinstance(value, int) and (are_numbers[column] or abs(value) >= 10**9):
                    sheet.write_string(row, column, str(value))
                elif value is not None:
                    sheet.write_number(row, column, value)


def import_xlsxwriter(operation: str) -> Any:
    """Return the module XlsxWriter.

    Raises:
        UsageError: It is not installed.
        TingTingError: It cannot be loaded.
    """
    with loading("xlsxwriter", is_before_send=False):
        try:
            return import_module("xlsxwriter")
        except ImportError as error:
            raise UsageError(
                f"{operation}: XlsxWriter, which writes .xlsx files, cannot be imported ({error}). Install it: `pip "
                "install 'tingting-async[sheets]'`, or `pip install '.[sheets]'` in a clone of the repository. Or "
                "write a .csv file."
            ) from None


_WRITERS: dict[str, Callable[[_Spool, IO[bytes]], None]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".jsonl": _write_jsonl,
}
