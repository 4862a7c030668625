"""Writes the rows that are left out to a file, to be corrected and read again."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import attrs

from tingting_async.errors import UsageError
from tingting_async.persistence import atomic_write, resolve_path
from tingting_async.recipients import headers
from tingting_async.recipients.problems import RowProblem, RowProblemKind
from tingting_async.recipients.tables import import_xlsxwriter
from tingting_async.recipients.values import Cell, escape
from tingting_async.redaction import mask_repr, redact


@attrs.frozen
class InputRow:
    """A row of the input, whether it is ready or left out. Its `repr` does not show the cells.

    Attributes:
        row: The number of the row, as the spreadsheet shows it. If a cell has several numbers, and they are split, so
            many rows have the same.
        number: The phone number's digits; None if the row has no valid number.
        cells: The cells of the user's own columns, in their order; after them, those that were too many.
        problem: Why it is left out; None if it is ready.
        is_added: Whether somebody has added the row to a rejects file, so that the original file does not have it.
            `row` is then its number in the rejects file.
    """

    row: int
    number: str | None = attrs.field(repr=mask_repr)
    cells: Sequence[Cell] = attrs.field(repr=False)
    problem: RowProblem | None
    is_added: bool = False


def write_rejects(
    path: str | os.PathLike[str], names: Sequence[str], number: str, rows: Iterable[tuple[InputRow, str]]
) -> int:
    """Write rows to a file, each with its reason, with two columns more: the number of the row, and the reason.

    Args:
        path: The file.
        names: The names of the columns.
        number: That of the column with the phone numbers.
        rows: The rows.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        resolved = resolve_path(path)
    except ValueError as error:
        raise UsageError(str(error)) from None
    write = {".csv": _write_csv, ".xlsx": _write_xlsx}.get(resolved.suffix.lower())
    if write is None:
        raise UsageError(f"`path` must end in .csv or .xlsx, not in {redact(resolved.suffix)!r}.")
    rejects = list(rows)
    try:
        with atomic_write(resolved, is_private=False) as file:
            write(file, _lines(names, number, rejects))
    except OSError as error:
        raise UsageError(f"`path` cannot be written: {error.strerror} ({redact(str(path))!r}).") from None
    return len(rejects)


def _lines(names: Sequence[str], number: str, rows: Sequence[tuple[InputRow, str]]) -> Iterator[list[str]]:
    width = max((len(row.cells) for row, _ in rows), default=len(names))
    header = [*names, *[""] * (width - len(names)), headers.row_header(names, number), headers.REASON]
    yield [*map(text_of, header)]
    for row, reason in rows:
        # Empty cells would make a row whole that lacks some, and nobody would correct it.
        lacking = headers.LACKING if row.problem and row.problem.kind is RowProblemKind.CELLS else ""
        cells = [lacking if cell is None else text_of(cell) for cell in row.cells]
        yield [*cells, *[""] * (width - len(cells)), "" if row.is_added else str(row.row), text_of(reason)]


def text_of(cell: Cell) -> str:
    """Return the text of a cell, as it is written to a file."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    text = json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else str(cell)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _write_csv(file: IO[bytes], lines: Iterable[Sequence[str]]) -> None:
    # Without its mark, Excel would not read the file as UTF-8.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    csv.writer(text).writerows(map(escape, line) for line in lines)
    text.flush()
    text.detach()


def _write_xlsx(file: IO[bytes], lines: Iterable[Sequence[str]]) -> None:
    with import_xlsxwriter("write_rejects").Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, line in enumerate(lines):
            for column, text in enumerate(line):
                # Its cells are text, so that a formula in one is inert. Only what looks escaped is escaped once more.
                if sheet.write_string(row, column, escape(text) if text.startswith("'") else text):
                    raise UsageError("An .xlsx file cannot hold these rows: they are too many, or too long. Use .csv.")
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
