"""The report of a campaign, as a file or as rows."""

import codecs
from os import PathLike
from typing import IO

import attrs

from tingting_async.client.core import Core
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import DecodeError, UsageError
from tingting_async.http.download import AtomicFileSink, FileSink, SpoolSink
from tingting_async.http.messages import Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.late_imports import loading
from tingting_async.pagination.stream import RowStream
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.reports import ReportRow

REPORT_TIMEOUT = Timeout(attempt=600.0, total=600.0)
"""The default limits of a report's call: the service creates the report before it responds."""
_EXCEL = (".xlsx", ".xls", ".xlsm", ".xlsb")


class Reports(Resource):
    """Reports (v1 documents, Campaigns, report)."""

    async def download(self, campaign_id: int, path: str | PathLike[str], *, timeout: TimeoutLike = None) -> None:
        """Save a campaign's report as a CSV file, completely or not at all (`GET download/report/<id>/`).

        Args:
            campaign_id: The campaign's id.
            path: The file, whose name does not end in .xlsx or .xls; `~` is the user's home. Once the download is
                complete, it replaces an existing file and keeps its permissions; the umask decides about those of a
                new one. A symbolic link is replaced, not the file that it names.
            timeout: See `Resource`; None for ten minutes, regardless of the session's limits.

        Raises:
            UsageError: The file cannot be written, or has the suffix of an Excel file.
            DecodeError: The response is empty, is not CSV, or may be incomplete; nothing was saved.
        """
        await download(self._core, report_request(_path(campaign_id), "reports.download", timeout), path)

    def rows(self, campaign_id: int, *, timeout: TimeoutLike = None) -> RowStream[ReportRow]:
        """Return the rows of a campaign's report, as a stream (`GET download/report/<id>/`).

        ::

            async for row in tingting.reports.rows(campaign_id): ...
            rows = await tingting.reports.rows(campaign_id).collect()

        The report is first saved in a temporary file, and its rows are read from there as they are needed. So no row
        of an incomplete report is yielded, and memory does not grow with the report.

        Args:
            campaign_id: The campaign's id.
            timeout: See `Resource`; None for ten minutes, regardless of the session's limits. It does not limit the
                iteration after the download.

        Raises:
            DecodeError: While iterating: the response is empty or may be incomplete, and no row was yielded. Or a line
                is not CSV, and the rows before it may have been yielded.
            UsageError: While iterating: the temporary file cannot be written. `TMPDIR` says where it is.
        """
        with loading("reports.rows"):
            from tingting_async.v1.report_rows import ReportIterator  # noqa: PLC0415 - few programs need it

        request, core = report_request(_path(campaign_id), "reports.rows", timeout), self._core

        async def fetch() -> IO[bytes]:
            async with SpoolSink() as sink:
                await _execute(core, request, sink)
                return sink.take()

        def failure() -> DecodeError:
            return core.decoder.error(request, Response(200), "is not CSV")

        return RowStream(lambda: ReportIterator(fetch, failure), "reports.rows")


def _path(campaign_id: int) -> str:
    return f"/api/v1/download/report/{arguments.identifier(campaign_id, 'campaign_id')}/"


def report_request(path: str, operation: str, timeout: TimeoutLike) -> Request[Response]:
    """Return the request for a report."""
    return Request.read(
        path,
        Response,
        operation,
        timeout=REPORT_TIMEOUT if timeout is None else timeout,
        headers={"Accept-Encoding": "identity"},
        must_prove_end=True,  # No row of a report is marked as the last.
    )


async def download(core: Core, request: Request[Response], path: str | PathLike[str]) -> None:
    """Save a report as a file."""
    file = AtomicFileSink(path)
    if file.path.suffix.lower() in _EXCEL:
        raise UsageError(
            f"{request.operation}: `path` ends in {file.path.suffix}, but the service's report is CSV, which Excel "
            "refuses under that name. Give a path that ends in .csv."
        )
    async with file as sink:
        await _execute(core, request, sink)


async def _execute(core: Core, request: Request[Response], sink: FileSink) -> None:
    """Execute the request for a report, and write the report into a file."""
    response = await core.execute(attrs.evolve(request, sink=sink))
    if response.status == 200:  # Other bodies do not go to the sink, which may hold those of earlier attempts.
        response = Response(response.status, response.headers, sink.head)
    _require_csv(core.decoder, request, response)


def _require_csv(decoder: Decoder, request: Request[Response], response: Response) -> None:
    """Refuse a web page, a failure under HTTP 200, or nothing. The bytes decide, not the content type."""
    if (failure := decoder.judge(request, response)) is not None:
        raise failure
    start = response.body.removeprefix(codecs.BOM_UTF8).lstrip()
    if response.status != 200 or not start:
        raise decoder.error(request, response, f"has HTTP status {response.status} and holds no report")
    if start.startswith((b"<", b"{", b"[")):
        raise decoder.error(request, response, "is not CSV")
