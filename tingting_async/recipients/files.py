"""Reads the rows of a file."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import attrs

from tingting_async.errors import UsageError
from tingting_async.persistence import resolve_path
from tingting_async.quantities import shown
from tingting_async.recipients.header_rows import Row
from tingting_async.recipients.spreadsheets import open_sheet
from tingting_async.redaction import redact

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # It begins like the mark of UTF-16.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DAY = r"(?<!\d)(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?!\d)"
_NO_DELIMITERS = '"\r\n\0'
_DIGITS = 7
"""The number of digits of the shortest phone numbers, without their area code."""
_SHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@attrs.frozen
class Source:
    """The rows of a file.

    Attributes:
        rows: The rows, one after the other.
        notes: What was decided about the file.
    """

    rows: Iterator[Row]
    notes: Sequence[str] = ()


def resolve(path: object) -> Path:
    """Return the absolute path of a file.

    Raises:
        UsageError: It is not a path.
    """
    if isinstance(path, bytes | bytearray | memoryview) or hasattr(path, "read"):
        kind = type(cast("object", path)).__name__
        raise UsageError(
            f"`path` is of the type {kind}. It must be a str or an os.PathLike, such as pathlib.Path. To read an "
            "upload, save it to a file first, and give its path."
        )
    try:
        return resolve_path(cast("str", path))
    except ValueError as error:
        raise UsageError(str(error)) from None


def open_rows(path: Path, *, sheet: str | None, encoding: str | None, delimiter: str | None) -> Source:
    """Open a file, and return its rows.

    Raises:
        UsageError: The file cannot be read as a table.
        OSError: It cannot be read at all.
    """
    name = redact(path.name)
    with path.open("rb") as file:
        start = file.read(1000)
    if start.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        return Source(*open_sheet(path, name, sheet))
    start = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype", b"<?xml", b"<table", b"mime-version", b"{\\rtf", b"%pdf")):
        # Some programs write a web page, and name it .xls.
        advice = "Open it in a spreadsheet program, and save it as .xlsx or .csv"
        raise UsageError(f"{name!r} is not a spreadsheet, although its name says so. {advice}.")
    if start.startswith((b"{", b"[")) and path.suffix.lower() in (".json", ".jsonl"):
        advice = "Read it with Python's `json`, and give the rows to `RecipientList.from_rows`"
        raise UsageError(f"{name!r} is JSON, not a table. {advice}.")
    if start.startswith(b"begin:vcard"):
        raise UsageError(f"{name!r} has contacts as vCards. Import it into Google Contacts, and export it as CSV.")
    if sheet is not None:
        raise UsageError(f"`sheet` is given, and {name!r} is a text file, which has no sheets.")
    return _csv(path.read_bytes(), name, encoding, delimiter)


def _csv(content: bytes, name: str, encoding: str | None, delimiter: str | None) -> Source:
    if delimiter is not None and (len(delimiter) != 1 or delimiter in _NO_DELIMITERS or delimiter.isalnum()):
        raise UsageError(
            f"`delimiter` is {shown(delimiter)}; it must be one character, such as ',', ';', '|' or a tab."
        )
    if encoding is None:
        encoding = next((each for mark, each in _MARKS if content.startswith(mark)), "utf-8")
    # The whole file is decoded before any of its rows is used: the start of a file may be plain ASCII.
    text = _decode(content, encoding, name)
    del content
    first = re.match(r"sep=(.)\r?\n", text)
    if first:  # Excel's own way to name the delimiter.
        delimiter = delimiter or first[1]
    start = first.end() if first else 0
    delimiter = delimiter or _find_delimiter(text[start : start + 50_000])
    stream = io.StringIO(text, newline="")
    del text
    stream.seek(start)
    return Source(_records(stream, delimiter, name), [f"{encoding}, {_DELIMITERS.get(delimiter, delimiter)}"])


def _decode(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        if name.lower().endswith(_SHEETS):
            raise UsageError(f"{name!r} is neither a spreadsheet nor text.") from None
        at = getattr(error, "start", 0)
        line = content.count(b"\n", 0, at) + 1
        advice = "Save it as UTF-8, or give its encoding as `encoding=`, such as 'cp1252'"
        raise UsageError(f"The file {name!r} is not {encoding}: line {line} cannot be decoded. {advice}.") from None
    except (LookupError, ValueError):
        raise UsageError(
            f"`encoding` is {shown(encoding)}, which Python does not know. Give one such as 'utf-8' or 'cp1252'."
        ) from None
    if "\0" in text:
        raise UsageError(
            f"The file {name!r} is not text, or is in UTF-16 without its mark: give `encoding='utf-16-le'`."
        )
    return text


def _find_delimiter(text: str) -> str:
    """Return the delimiter of the columns: the character that divides most rows into the same number of cells."""
    best, most = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        counts = Counter[int]()
        try:
            for cells in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 200):
                counts[len(cells)] += 1
        except csv.Error:
            continue
        del counts[0]  # Empty lines.
        width, rows = max(counts.items(), key=lambda each: (each[0] > 1, each[1]), default=(1, 0))
        score = (rows / counts.total(), width) if width > 1 else (0.0, 1)
        if score > most and (delimiter != "|" or score[0] > 0.5):  # Bars also separate the numbers of a cell.
            best, most = delimiter, score
    return best


def _records(stream: io.StringIO, delimiter: str, name: str) -> Iterator[Row]:
    row = width = line = 0
    try:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        for row, cells in enumerate(reader, 1):
            width = max(width, len(cells))
            if reader.line_num - line > 1 and _have_rows(cells, delimiter, width):
                said = "a quotation mark opens in this row, and closes in a later one"
                raise UsageError(f"The file {name!r} is malformed in row {row}: {said}. Correct its quotation marks.")
            line = reader.line_num
            yield row, cells
    except csv.Error as error:
        raise UsageError(
            f"The file {name!r} is malformed after row {row}: {error}. Correct its quotation marks."
        ) from None


def _have_rows(cells: Sequence[str], delimiter: str, width: int) -> bool:
    """Return whether a cell has swallowed other rows, because a quotation mark is missing or superfluous."""
    is_spaced = any(cell.startswith(" ") for cell in cells)
    return any(_has_rows(cell, delimiter, width, is_spaced=is_spaced) for cell in cells)


def _has_rows(cell: str, delimiter: str, width: int, *, is_spaced: bool) -> bool:
    lines = cell.splitlines()
    if len(lines) < 2 or delimiter not in cell:
        return False
    parts = [re.sub(_DAY, "", part) for line in lines for part in line.split(delimiter)]
    numbers = [part for part in parts if sum(map(str.isdigit, part)) >= _DIGITS]
    if not is_spaced and not re.search(rf"{re.escape(delimiter)}\S", cell):  # So are texts that people write.
        return not all(any(map(str.isalpha, number)) for number in numbers)
    return bool(numbers) or cell.count(delimiter) >= max(1, width - 1)
