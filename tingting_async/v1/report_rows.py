"""The rows of a report, read from its file as they are needed."""

import csv
import io
import re
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from typing import IO, Any

from tingting_async.decoding.payload import InvalidValueError
from tingting_async.decoding.scalars import read_decimal, read_duration
from tingting_async.errors import DecodeError, SessionClosedError, UsageError
from tingting_async.pagination.stream import RowIterator
from tingting_async.persistence import run_in_thread
from tingting_async.resources.models import CallStatus
from tingting_async.tracebacks import short_traceback
from tingting_async.v1.decoding import read_display_datetime
from tingting_async.v1.models.reports import ReportRow

_BATCH = 500
"""The number of rows that are read at a time, in a thread."""

_NAMES = {
    "number": ("number", "numbers", "phone number", "contact number", "mobile number", "phone", "mobile", "contact"),
    "status": ("status", "call status", "contact status"),
    "duration": ("duration", "call duration", "duration (s)", "duration (seconds)", "call duration (seconds)"),
    "playback": ("playback", "playback (%)", "playback percent"),
    "carrier": ("carrier", "network"),
    "updated_at": ("updated at", "last updated"),
}
"""The names of columns that are recognised, in lower case and with spaces."""
_CREDITS = re.compile(r"(total )?credits?( consumed| used| spent)?( (sms|phone|call))?")
_STATUSES = {"".join(status.split()): status for status in CallStatus}


class ReportIterator(RowIterator[ReportRow]):
    """Iterates over the rows of a report; see `Reports.rows`.

    Args:
        fetch: Requests the report, and returns its complete file.
        failure: Returns the error for a report that is not CSV.
    """

    _usage = "write `async for row in ….reports.rows(…)`, or `await ….reports.rows(…).collect()`"

    def __init__(self, fetch: Callable[[], Awaitable[IO[bytes]]], failure: Callable[[], DecodeError]) -> None:
        self._fetch = fetch
        self._failure = failure
        self._batch: Iterator[ReportRow] = iter(())
        self._rows: Generator[ReportRow] | None = None
        """Closes the file at its end, and when it is closed or collected."""
        self._is_waiting = False
        self._is_closed = False
        self._error: DecodeError | None = None

    async def __anext__(self) -> ReportRow:
        while True:
            for row in self._batch:
                return row
            if self._is_closed:
                raise StopAsyncIteration
            if self._is_waiting:
                raise UsageError(
                    "Two tasks wait for the same iterator: give each task its own, or pass the rows on through a queue."
                )
            self._is_waiting = True
            try:
                self._batch = await self._next_batch()
            finally:
                self._is_waiting = False

    async def aclose(self) -> None:
        """Stop the iteration. This is optional: its end, `break` and the garbage collector do the same."""
        self._is_closed = True
        self._batch = iter(())
        if self._rows is not None and not self._is_waiting:
            self._rows.close()

    @short_traceback
    async def _next_batch(self) -> Iterator[ReportRow]:
        if self._error is not None:  # The rows read so far are not the whole report, so this is not its end.
            raise self._error
        if self._rows is None:
            self._rows = read_rows(await self._fetch())
        rows = self._rows
        # The thread lives on for a moment after its last batch. If it kept the rows, the file would stay open that
        # long.
        given = [rows]
        try:
            batch = await run_in_thread(lambda: [*islice(given.pop(), _BATCH)])
        except csv.Error as error:
            self._error = self._failure()
            raise self._error from error
        if self._is_closed:
            rows.close()
            raise SessionClosedError("The iterator was closed while the report was being read.")
        self._is_closed = not batch
        return iter(batch)


def read_rows(file: IO[bytes]) -> Generator[ReportRow]:
    """Yield the rows of a CSV file, and close it in the end.

    Raises:
        csv.Error: The file is not CSV.
    """
    with io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="") as text:
        table = csv.reader(text)
        header: list[str] = next((row for row in table if row), list[str]())
        columns = {name: column for column, title in enumerate(header) if (name := _field_of(title)) is not None}
        costs = [column for column, title in enumerate(header) if _CREDITS.fullmatch(_plain(title))]
        for row in table:
            if row:
                yield _make_row(header, columns, costs, row)


def _make_row(header: Sequence[str], columns: dict[str, int], costs: Sequence[int], row: list[str]) -> ReportRow:
    values = dict(zip(header, [*row, *[""] * (len(header) - len(row))], strict=False))
    if len(row) > len(header):
        values[""] = ",".join(row[len(header) :])
    given = {name: text for name, column in columns.items() if (text := "".join(row[column : column + 1]).strip())}
    spent: list[Decimal] = [
        cost for column in costs if (cost := _parsed(read_decimal, "".join(row[column : column + 1]))) is not None
    ]
    status = given.get("status")
    return ReportRow(
        values,
        number=given.get("number"),
        status=None if status is None else _STATUSES.get(re.sub(r"[\W_]", "", status.lower()), CallStatus(status)),
        duration=_parsed(read_duration, given.get("duration")),
        playback=_parsed(read_decimal, given.get("playback", "").removesuffix("%")),
        credits=sum(spent, start=Decimal()) if spent else None,
        carrier=given.get("carrier"),
        updated_at=_parsed(read_display_datetime, given.get("updated_at")),
    )


def _field_of(title: str) -> str | None:
    """Return the field that a column is recognised as, or None."""
    return next((name for name, titles in _NAMES.items() if _plain(title) in titles), None)


def _plain(title: str) -> str:
    return " ".join(title.replace("_", " ").lower().split())


def _parsed(parse: Callable[[Any], Any], text: str | None) -> Any:
    """Return the value that a text represents, or None: the documents do not say what the columns hold."""
    with suppress(InvalidValueError):
        return parse(text)
    return None
