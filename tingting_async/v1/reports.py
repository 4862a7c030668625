"""What came of a campaign, as a file or as rows."""

import codecs
import csv
import io
from os import PathLike

from tingting_async.client.core import Core
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.download import AtomicFileSink
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.reports import ReportRow

REPORT_TIMEOUT = Timeout(attempt=600.0, total=600.0)
"""Reports are made while one waits: the limits of their calls by default."""
_NO_COMPRESSION = {"Accept-Encoding": "identity"}
"""A packed answer of unknown length that was cut short unpacks like a whole one, and no row says it is the last."""


class Reports(Resource):
    """Reports (v1 documents, Campaigns, report)."""

    async def download(self, campaign_id: int, path: str | PathLike[str], *, timeout: TimeoutLike = None) -> None:
        """Save a campaign's report as a CSV file: complete, or not at all (`GET download/report/<id>/`).

        Args:
            campaign_id: The campaign's.
            path: Where the file is to be; one that is there already is replaced once the report is whole.
            timeout: The limits of this call; ten minutes by default, whatever the session's are.

        Raises:
            UsageError: The file cannot be written there.
            DecodeError: What came is no CSV; nothing was saved.
        """
        await download(self._core, _path(campaign_id), "reports.download", path, timeout)

    async def rows(self, campaign_id: int, *, timeout: TimeoutLike = None) -> list[ReportRow]:
        """Return a campaign's report row by row (`GET download/report/<id>/`).

        Args:
            campaign_id: The campaign's.
            timeout: The limits of this call; ten minutes by default, whatever the session's are.

        Raises:
            DecodeError: It is no CSV.
        """
        path, operation = _path(campaign_id), "reports.rows"
        limits = REPORT_TIMEOUT if timeout is None else timeout
        request = Request("GET", path, Effect.READ, operation, Response, timeout=limits, headers=_NO_COMPRESSION)
        return self._core.decode(request, await self._core.execute(request), _read_rows)


def _path(campaign_id: int) -> str:
    return f"/api/v1/download/report/{arguments.identifier(campaign_id, 'campaign_id')}/"


async def download(core: Core, path: str, operation: str, target: str | PathLike[str], timeout: TimeoutLike) -> None:
    """Save what lies at a path of the service as a file."""
    async with AtomicFileSink(target) as sink:
        limits = REPORT_TIMEOUT if timeout is None else timeout
        request = Request(
            "GET", path, Effect.READ, operation, Response, timeout=limits, headers=_NO_COMPRESSION, sink=sink
        )
        response = await core.execute(request)
        core.decode(request, Response(response.status, response.headers, sink.head), _check)


def _read_rows(decoder: Decoder, request: Request[Response], response: Response) -> list[ReportRow]:
    _check(decoder, request, response)
    table = io.StringIO(response.body.decode("utf-8-sig", errors="replace"), newline="")
    try:
        return [ReportRow.of(row) for row in csv.DictReader(table, restval="", restkey="")]
    except csv.Error as error:
        raise decoder.error(request, response, "is not CSV") from error


def _check(decoder: Decoder, request: Request[Response], response: Response) -> None:
    """Refuse a web page, or a failure under HTTP 200, instead of a report, whatever the content type."""
    if (failure := decoder.judge(request, response)) is not None:
        raise failure
    if response.body.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"<", b"{", b"[")):
        raise decoder.error(request, response, "is not CSV")
