"""Finds the cells of a spreadsheet whose formula failed or was not calculated.

The library that reads spreadsheets shows such a cell as an empty one, and a person whose fee is `#N/A` would be told
that nothing is due.
"""

import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Mapping, Set as AbstractSet
from html import unescape
from itertools import pairwise, product
from pathlib import Path
from typing import IO, Final, TypeAlias
from xml.etree import ElementTree as ET
from xml.parsers import expat

from tingting_async.recipients.values import UNCALCULATED

Failed: TypeAlias = dict[tuple[int, int], str]
"""The error of a cell, or `UNCALCULATED`, by its row and column, from 0."""

DAMAGED: Final = (
    *(EOFError, LookupError, OSError, RuntimeError, ValueError),  # Of `zipfile`, among others.
    *(zipfile.BadZipFile, zlib.error, ET.ParseError, expat.ExpatError, struct.error),
)
"""What reading a damaged file may raise."""
_CHUNK = 2**16
_LONGEST_TAG = 30
_REPEATED = 1000
"""The maximum number of cells, in each direction, that are noted as repeating an error: a file may state a million."""
_OLE = b"\xd0\xcf\x11\xe0"


def failed_formulas(path: Path, sheet: str, index: int) -> Failed:
    """Return the cells of a sheet whose formula failed or was not calculated.

    Args:
        path: An .xlsx, .xls or .ods file that another reader was able to read.
        sheet: The name of the sheet.
        index: Its index among all sheets.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_OLE)) == _OLE:
                return _of_xls(_workbook(file), index)
        with zipfile.ZipFile(path) as archive:
            if "content.xml" in archive.namelist():
                return _OdsCells(sheet).read(archive, "content.xml")
            if (part := _part_of(archive, sheet)) is not None:
                is_new = b'fullCalcOnLoad="1"' in archive.read("xl/workbook.xml")
                return _XlsxCells(is_new=is_new).read(archive, part)
    except DAMAGED:
        pass  # The other reader has read it: the cells are what it says.
    return {}


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Cells:
    """Searches the XML of a sheet. Only the rows that have a sign of a failed formula are parsed."""

    starts: re.Pattern[bytes]
    """Matches the start of a row."""
    end_tag: bytes
    """The tag that ends a row."""
    marks: tuple[bytes, ...]
    """Every row with a sign has one of these, which are faster to find."""
    signs: re.Pattern[bytes]
    """Matches the signs of a failed formula."""

    def __init__(self) -> None:
        self.failed: Failed = {}
        self.text: list[str] | None = None

    def read(self, archive: zipfile.ZipFile, part: str) -> Failed:
        """Return the cells of a part of the file."""
        with archive.open(part) as file:
            rest = b""
            while chunk := file.read(_CHUNK):
                rest += chunk
                starts = [found.start() for found in self.starts.finditer(rest)]
                for start, end in pairwise(starts):
                    self.add(rest[start:end])
                rest = rest[starts[-1] :] if starts else rest[-_LONGEST_TAG:]
            self.add(rest)
        return self.failed

    def add(self, row: bytes) -> None:
        """Take a part of the XML that begins with a row, and ends before the next one."""
        raise NotImplementedError

    def parse(self, row: bytes) -> None:
        """Parse a row if it has a sign of a failed formula."""
        if any(map(row.__contains__, self.marks)) and (sign := self.signs.search(row)) is not None:
            content = row[: row.rfind(self.end_tag) + len(self.end_tag)]
            # If a cell states its column, the cells before it need no check.
            if (first := content.rfind(b'<c r="', 0, sign.end())) > 0:
                content = b"<row>" + content[first:]
            parser = expat.ParserCreate()
            parser.StartElementHandler = self.start
            parser.EndElementHandler = self.end
            parser.CharacterDataHandler = self.data
            parser.Parse(content, True)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Note the start of an element."""
        raise NotImplementedError

    def end(self, name: str) -> None:
        """Note the end of an element."""
        raise NotImplementedError

    def data(self, text: str) -> None:
        """Note a text."""
        if self.text is not None:
            self.text.append(text)


class _XlsxCells(_Cells):
    """The cells of a sheet of an .xlsx file.

    Args:
        is_new: Whether the file says that it was written by a program that does not calculate. Such programs write 0.
    """

    starts = re.compile(rb"<(?:\w+:)?row[\s>/]")
    end_tag = b"row>"
    marks = (b't="e"', b"<f", b":f")
    signs = re.compile(
        rb'\st="e"|<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*(?:/>|>\s*0?\s*<)|</(?:\w+:)?c>)'
    )
    """Errors, and formulas whose value is missing, empty or 0."""

    def __init__(self, *, is_new: bool) -> None:
        super().__init__()
        self._unknown = ("", "0") if is_new else ("",)
        self._row = self._column = -1
        self._type = ""
        self._has_formula = False
        self._value = ""

    def add(self, row: bytes) -> None:
        if self.starts.match(row):
            if row.startswith(b'<row r="'):
                self._row = int(row[8 : row.index(b'"', 8)]) - 1
            else:
                number = re.search(rb'\sr="(\d+)"', row[: row.find(b">") + 1])
                self._row = int(number[1]) - 1 if number else self._row + 1
            self._column = -1
            self.parse(row)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        name = _local(name)
        if name == "c":
            place = re.match(r"[A-Z]+", attributes.get("r", ""))
            self._column = _column(place[0]) if place else self._column + 1
            self._type = attributes.get("t", "n")
            self._has_formula, self._value = False, ""
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self.text = []

    def end(self, name: str) -> None:
        name = _local(name)
        if name == "v" and self.text is not None:
            self._value, self.text = "".join(self.text).strip(), None
        elif name == "c":
            if self._type == "e":
                self.failed[self._row, self._column] = self._value or "#N/A"
            elif self._has_formula and self._type != "str" and self._value in self._unknown:
                self.failed[self._row, self._column] = UNCALCULATED


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the part of an .xlsx file with a sheet."""
    book, links = (
        ET.fromstring(archive.read(part))  # noqa: S314 - the caller's own file; Python limits entities
        for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    )
    found = (each for each in book.iter() if each.tag.rpartition("}")[2] == "sheet" and each.get("name") == sheet)
    element = next(found, None)
    ids = {} if element is None else {key.rpartition("}")[2]: value for key, value in element.items() if "}" in key}
    target = next((each.get("Target", "") for each in links if each.get("Id") == ids.get("id")), None)
    if target is None:
        return None
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


class _OdsCells(_Cells):
    """The cells of a sheet of an .ods file.

    Args:
        sheet: The name of the sheet.
    """

    starts = re.compile(rb"<table:table(?:-row)?[\s>]")
    end_tag = b"</table:table-row>"
    marks = (b'"error"', b"table:formula")
    signs = re.compile(rb'="error"|<table:(?:covered-)?table-cell\b(?=[^>]*table:formula=)(?![^>]*office:value-type=)')

    def __init__(self, sheet: str) -> None:
        super().__init__()
        self._sheet = sheet
        self._is_inside = False
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._error = self._is_unknown = False

    def add(self, row: bytes) -> None:
        tag = row[: row.find(b">") + 1]
        if row.startswith(b"<table:table-row"):
            if self._is_inside:
                repeated = re.search(rb'table:number-rows-repeated="(\d+)"', tag)
                self._rows, self._column = int(repeated[1]) if repeated else 1, 0
                self.parse(row)
                self._row += self._rows
        elif row.startswith(b"<table:table"):
            name = re.search(rb'table:name="([^"]*)"', tag)
            self._is_inside, self._row = name is not None and unescape(name[1].decode()) == self._sheet, 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("table:table-cell", "table:covered-table-cell"):
            self._columns = int(attributes.get("table:number-columns-repeated", 1))
            self._error = attributes.get("calcext:value-type") == "error"
            self._is_unknown = "table:formula" in attributes and "office:value-type" not in attributes
            self.text = []

    def end(self, name: str) -> None:
        if name in ("table:table-cell", "table:covered-table-cell"):
            said = ("".join(self.text or ()).strip() or "#N/A") if self._error else UNCALCULATED
            if self._error or self._is_unknown:
                rows, columns = (min(each, _REPEATED) for each in (self._rows, self._columns))
                places = product(range(self._row, self._row + rows), range(self._column, self._column + columns))
                self.failed.update(dict.fromkeys(places, said))
            self._column += self._columns
            self.text = None


# .xls files: a file system of sectors, in which one stream has the records of all sheets.

_ERRORS: Final = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_FORMULA, _END, _BOUND_SHEET, _BOOL_ERR = 0x0006, 0x000A, 0x0085, 0x0205
_NO_SECTOR = 0xFFFFFFFA


def _of_xls(stream: bytearray, index: int) -> Failed:
    sheets = [struct.unpack_from("<I", stream, at)[0] for _, at, _ in _records(stream, 0, {_BOUND_SHEET})]
    failed, empty = Failed(), Failed()
    has_results = False
    for kind, at, length in _records(stream, sheets[index], {_BOOL_ERR, _FORMULA}):
        if length < 8:
            continue
        row, column = struct.unpack_from("<HH", stream, at)
        is_text = kind == _FORMULA and bytes(stream[at + 12 : at + 14]) == b"\xff\xff"
        if kind == _BOOL_ERR and stream[at + 7]:
            failed[row, column] = _ERRORS.get(stream[at + 6], "#N/A")
        elif is_text and stream[at + 6] == 2:
            failed[row, column] = _ERRORS.get(stream[at + 8], "#N/A")
        elif is_text and stream[at + 6] == 3:
            empty[row, column] = UNCALCULATED
        elif kind == _FORMULA:
            has_results = True
    # An empty result may be a text without characters, unless no formula has any other result.
    return failed if has_results else failed | empty


def _records(stream: bytearray, start: int, wanted: AbstractSet[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each record of a sheet that is wanted, where its content begins, and how long that is."""
    unpack, end = struct.Struct("<HH").unpack_from, len(stream) - 4
    while start <= end:
        kind, length = unpack(stream, start)
        if kind in wanted:
            yield kind, start + 4, length
        elif kind == _END:
            return
        start += 4 + length


def _workbook(file: IO[bytes]) -> bytearray:
    """Return the stream with the records."""
    file.seek(0)
    head = file.read(512)
    size = 1 << struct.unpack_from("<H", head, 30)[0]
    (directory,) = struct.unpack_from("<I", head, 48)
    first, count = struct.unpack_from("<II", head, 68)

    def read(sector: int) -> bytes:
        file.seek((sector + 1) * size)
        return file.read(size)

    lists = list(struct.unpack_from("<109I", head, 76))
    for _ in range(count):
        more = struct.unpack(f"<{size // 4}I", read(first))
        lists += more[:-1]
        first = more[-1]
    table = array("I")
    for sector in lists:
        if sector < _NO_SECTOR:
            table.extend(struct.unpack(f"<{size // 4}I", read(sector)))

    def chain(sector: int) -> bytearray:
        found = bytearray()
        for _ in range(len(table) + 1):
            if sector >= _NO_SECTOR:
                break
            found += read(sector)
            sector = table[sector]
        return found

    entries = chain(directory)
    for at in range(0, len(entries), 128):
        length = struct.unpack_from("<H", entries, at + 64)[0]
        if entries[at : at + max(0, length - 2)].decode("utf-16-le") in ("Workbook", "Book"):
            start, stream_size = struct.unpack_from("<II", entries, at + 116)
            return chain(start) if stream_size >= 4096 else bytearray()  # Short streams are elsewhere.
    return bytearray()
