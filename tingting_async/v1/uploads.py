"""How the contacts of a file are recognised after they were uploaded with an idempotency key."""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

from tingting_async.errors import UsageError
from tingting_async.http.messages import File
from tingting_async.outcomes import Creation, Look, Send
from tingting_async.pagination.paginator import Paginator
from tingting_async.persistence import run_in_thread
from tingting_async.recipients.numbers import phone_number
from tingting_async.resources.evidence import reconcile_rows
from tingting_async.v1.models.contacts import Contact, Upload

_WHAT = "A contact that was not there before"
_MAX_SIZE = 100 * 2**20
"""The size of the largest spreadsheet whose numbers are read, in bytes, when it is unpacked."""
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class ContactUpload:
    """Recognises uploaded contacts: there are more of them than before, and all numbers of the file are among them.

    Args:
        list_contacts: Returns the campaign's contacts.
        file: The file.
    """

    def __init__(self, list_contacts: Callable[..., Paginator[Contact]], file: File) -> None:
        self._list = list_contacts
        self._file = file
        self._id = uuid4().hex

    def creation(self) -> Creation:
        """Return how the contacts are recognised."""
        return Creation(
            _WHAT,
            observe=self._observe,
            look=self._look,
            was_there=lambda _, __: False,  # A later upload may have added them.
            # Two files may have as many rows: the id says that they are not the same.
            identify=lambda upload: f"{upload.rows} {self._id}",
            get=self._get,
            arguments={"bulk_file": "file"},
        )

    async def _observe(self) -> Mapping[str, Any]:
        return {"count": await self._list().count()}

    @staticmethod
    async def _get(result: str) -> Upload:
        return Upload(rows=int(result.partition(" ")[0]))

    async def _look(self, _: Send, found: Mapping[str, Any]) -> Look:
        wanted = await run_in_thread(lambda: numbers_of(self._file))
        missing, count = set(wanted or ()), 0

        def judge(contact: Contact) -> None:
            nonlocal count
            count += 1
            missing.discard(contact.number or "")

        otherwise = await reconcile_rows(self._list(exact=True), judge, _WHAT)
        has_all, has_more = bool(wanted) and not missing, count > found["count"]
        if not has_all and not has_more:
            return Look([], [], otherwise)
        seen = [Upload(rows=len(wanted) if wanted else count - found["count"])]
        # All may have been there before; or the service may have read a part of the file only.
        return Look(seen, [], otherwise) if has_all and has_more else Look([], seen, otherwise)


def numbers_of(file: File) -> frozenset[str] | None:
    """Return the phone numbers in the first column of a file, as the service writes them; None if they are not known.

    A row that has no number of Nepal is left out: the service refuses it.
    """
    try:
        cells = _xlsx_cells(file.content) if file.content.startswith(b"PK") else _csv_cells(file.content)
        texts = [_plain(text) for text in cells][1:]
    except (ValueError, ArithmeticError, LookupError, csv.Error, ET.ParseError, OSError):
        return None
    # A file that is damaged, encrypted, or compressed by another method.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
        return None
    numbers = set[str]()
    for text in texts:
        with suppress(UsageError):
            numbers.add(phone_number(text))
    return frozenset(numbers) or None


def _plain(text: str) -> str:
    """Return the text of a cell; a spreadsheet may write a number as 9.800000001E9 or 9800000001.0."""
    text = text.strip()
    return format(Decimal(text).normalize(), "f") if re.fullmatch(r"\d+\.\d*(E\+?\d{1,2})?", text) else text


def _csv_cells(content: bytes) -> list[str]:
    return [row[0] if row else "" for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))]


def _xlsx_cells(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > _MAX_SIZE:
            raise ValueError("the file is too large")
        texts: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            strings = ET.fromstring(archive.read("xl/sharedStrings.xml"))  # noqa: S314 - the caller's own file
            texts = ["".join(part.text or "" for part in each.iter(f"{_MAIN}t")) for each in strings]
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - as above
    return [_cell(row.find(f"{_MAIN}c"), texts) for row in sheet.iter(f"{_MAIN}row")]


def _cell(cell: "ET.Element | None", texts: list[str]) -> str:
    """Return the text of the first cell of a row, if it is in the first column."""
    if cell is None or not re.fullmatch(r"A\d+", cell.get("r", "A1")):
        return ""
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
    value = cell.findtext(f"{_MAIN}v", "")
    return texts[int(value)] if cell.get("t") == "s" else value
