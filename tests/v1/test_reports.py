"""Reports, as files and as rows."""

import contextlib
import csv
import gc
import resource
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support.v1 import NUMBERS, Handler, always, connect, make_campaign, serving

from tingting_async import ApiError, BadRequestError, DecodeError, MisuseError, TransportError, UsageError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import ContactStatus

pytestmark = pytest.mark.anyio

REPORT = b"Number,Status\n9800000001,completed\n"


async def test_download(tmp_path: Path) -> None:
    """A report is saved as a file with a row for each contact, and nothing else is left."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(600)
        path = tmp_path / "report.csv"
        await tingting.reports.download(campaign.id, path)
    with path.open() as file:
        assert NUMBERS == [row["Number"] for row in csv.DictReader(file)]
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".XLSX", ".xlsm", ".xlsb"])
async def test_download_as_excel(tmp_path: Path, suffix: str) -> None:
    """A path with the suffix of an Excel file is refused before anything is requested, as reports are CSV."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        for download in (tingting.reports.download, tingting.surveys.download):
            with pytest.raises(UsageError, match=rf"s\.download: `path` ends in {suffix}, but .* is CSV"):
                await download(1, tmp_path / f"report{suffix}")
        assert [] == sandbox.requests
    assert [] == list(tmp_path.iterdir())


async def test_rows() -> None:
    """The rows of a report have numbers and statuses; their `repr` hides the numbers."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(600)
        rows = await tingting.reports.rows(campaign.id).collect()
    assert (NUMBERS, {ContactStatus}) == ([row.number for row in rows], {type(row.status) for row in rows})
    assert NUMBERS[0] not in repr(rows)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (REPORT.replace(b"\n", b"\r"), {"Number": "9800000001", "Status": "completed"}),
        (b"\xef\xbb\xbf" + REPORT.replace(b"\n", b"\r\n"), {"Number": "9800000001", "Status": "completed"}),
        (b"Number,Status\n9800000001,completed,x,y\n", {"Number": "9800000001", "Status": "completed", "": "x,y"}),
        (b"Number,Status,Note\n9800000001,completed\n", {"Number": "9800000001", "Status": "completed", "Note": ""}),
    ],
)
async def test_rows_of_odd_csv(body: bytes, values: dict[str, str]) -> None:
    """Rows are read with any line end, with a byte order mark, and with more or fewer columns than the header."""
    async with serving(always(body, content_type="text/csv")) as tingting:
        (row,) = await tingting.reports.rows(1).collect()
    assert (values, "9800000001", ContactStatus.COMPLETED) == (row.values, row.number, row.status)


async def test_typed_rows() -> None:
    """The usual columns of a report have types of their own."""
    async with Sandbox(campaigns=1, numbers=40) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns.values()
        campaign.services = "PHONE"
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(3600)
        rows = [row async for row in tingting.reports.rows(campaign.id)]
        expected = {contact.number: contact for contact in await tingting.contacts.list(campaign.id).collect()}
    assert 40 == len(rows) == len(expected)
    for row in rows:
        contact = expected[row.number or ""]
        assert contact.status == row.status
        assert (contact.duration, contact.playback) == (row.duration, row.playback)
        assert (contact.credit_consumed, contact.carrier) == (row.credits, row.carrier)
        assert contact.updated_at == row.updated_at


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        ("phone_number,CALL STATUS", "+9779800000001 ,Hung Up", ("+9779800000001", "hungup", None, None)),
        (" Mobile ,Call  Duration", "9800000001,1m 5s", ("9800000001", None, timedelta(seconds=65), None)),
        ("number,duration", "9800000001,12", ("9800000001", None, timedelta(seconds=12), None)),
        ("number,duration (minutes)", "9800000001,12", ("9800000001", None, None, None)),
        ("Number,Credits Used", "9800000001,1.5", ("9800000001", None, None, Decimal("1.5"))),
        ("credit_consumed,credit_consumed_SMS", "2,1", (None, None, None, Decimal(3))),
        ("credit consumed,status,number", "free,queued,", (None, "queued", None, None)),
        ("Name,Amount", "Sita,5", (None, None, None, None)),
    ],
)
async def test_recognised_columns(header: str, line: str, expected: tuple[Any, ...]) -> None:
    """A column is recognised by its usual names; a value of another kind is None, and stays in `values`."""
    async with serving(always(f"{header}\n\n{line}\n".encode())) as tingting:
        (row,) = await tingting.reports.rows(1).collect()
    assert expected == (row.number, row.status, row.duration, row.credits)
    assert dict(zip(header.split(","), line.split(","), strict=True)) == row.values


async def test_awaiting_rows() -> None:
    """Awaiting the rows, or iterating over them without `async`, is refused with the right form."""
    async with serving(always(REPORT)) as tingting:
        with pytest.raises(MisuseError, match=r"`async for row in ….reports.rows\(…\)`, or `await .*collect\(\)`"):
            await tingting.reports.rows(1)
        with pytest.raises(MisuseError, match="async for"):
            for _ in tingting.reports.rows(1):
                pass
        assert 0 == tingting.requests_sent


async def test_each_iteration_starts_anew() -> None:
    """A stream can be iterated over several times; `limit` returns the first rows only."""
    async with serving(always(REPORT * 3)) as tingting:
        stream = tingting.reports.rows(1)
        assert [5, 5] == [len([row async for row in stream]) for _ in range(2)]
        assert [0, 1, 5] == [len(await stream.collect(limit)) for limit in (0, 1, 9)]
        assert 4 == tingting.requests_sent
        with pytest.raises(UsageError, match="`limit` is -1"):
            await stream.collect(-1)


def large_report(chunks: int = 8) -> Handler:
    """Return a handler that serves a report of so many megabytes, which it does not hold in memory."""
    chunk = b"9800000001,completed,%s\n" % (b"x" * 1000) * 1000

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"Number,Status,Note\n")
        for _ in range(chunks):
            await response.write(chunk)
        return response

    return handler


async def test_a_large_report_is_not_held_in_memory() -> None:
    """Iterating over a report of sixteen megabytes needs less memory than half of it."""
    async with serving(large_report(16)) as tingting:
        assert 1 == len(await tingting.reports.rows(1).collect(1))  # What is imported does not count.
        tracemalloc.start()
        try:
            count = 0
            async for _ in tingting.reports.rows(1):
                count += 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert 16_000 == count
    assert peak < 8_000_000


def temporary_files() -> int:
    """Return how many unnamed files this process has open."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # Another thread may have closed it.
            count += "(deleted)" in str(each.readlink())
    return count


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
async def test_the_temporary_file_is_closed() -> None:
    """Leaving the loop, closing the iterator and failing half-way close the temporary file."""
    before = temporary_files()
    async with serving(large_report(2)) as tingting:
        async for _ in tingting.reports.rows(1):
            assert before + 1 == temporary_files()
            break
        gc.collect()
        assert before == temporary_files()
        rows = aiter(tingting.reports.rows(1))
        await anext(rows)
        await rows.aclose()
        assert before == temporary_files()
        with pytest.raises(StopAsyncIteration):
            await anext(rows)


async def test_a_report_that_is_cut_short() -> None:
    """No row of a report that is cut short is yielded; if a later attempt succeeds, every row is, once."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        fault = sandbox.faults.add(Fault("truncate", path="*/download/*"))
        rows = aiter(tingting.reports.rows(campaign))
        with pytest.raises(TransportError):
            await anext(rows)  # The first one.
        fault.times = fault.count + 1
        assert 3 == len(await tingting.reports.rows(campaign).collect())


async def test_rows_that_are_not_csv_half_way() -> None:
    """After a line that is not CSV, the iteration never seems to have come to its end."""
    body = REPORT + b"9800000002,failed\n" * 1000 + b"9800000001," + b"x" * 200_000 + b"\n" + REPORT
    async with serving(always(body)) as tingting:
        rows = aiter(tingting.reports.rows(1))
        assert "9800000001" == (await anext(rows)).number

        async def read_to_the_end() -> None:
            async for _ in rows:
                pass

        for _ in range(2):
            with pytest.raises(DecodeError, match="not CSV"):
                await read_to_the_end()


async def test_rows_that_are_not_csv() -> None:
    """CSV that Python's reader refuses is a DecodeError, whose text hides the number in it."""
    body = b"Number,Status\n9800000001," + b"x" * 200_000 + b"\n"
    async with serving(always(body, content_type="text/csv")) as tingting:
        with pytest.raises(DecodeError, match="not CSV") as caught:
            await tingting.reports.rows(1).collect()
    assert "9800000001" not in str(caught.value)


async def test_limits() -> None:
    """A report has limits of its own, whatever the session's are."""
    async with serving(always(REPORT), api_token="key", timeout=1e-6) as tingting:
        assert 1 == len(await tingting.reports.rows(1).collect())


async def test_no_time_at_all() -> None:
    """A timeout of 0 is refused, and does not mean the ten minutes of the default."""
    async with serving(always(REPORT)) as tingting:
        with pytest.raises(UsageError):
            await tingting.reports.rows(1, timeout=0).collect()


@pytest.mark.parametrize("kind", ["truncate", "html", "reset_after", "status"])
async def test_a_download_that_fails(kind: Any, tmp_path: Path) -> None:
    """A download that fails leaves the earlier file as it was, and no other."""
    path = tmp_path / "report.csv"
    path.write_text("before")
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        sandbox.faults.add(Fault(kind, path="*/download/*", status=403))
        with pytest.raises((TransportError, ApiError)):
            await tingting.reports.download(campaign, path)
    assert ("before", [path]) == (path.read_text(), list(tmp_path.iterdir()))


async def test_a_download_that_is_retried(tmp_path: Path) -> None:
    """A download that is cut short and then succeeds is complete."""
    path = tmp_path / "report.csv"
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        fault = sandbox.faults.add(Fault("truncate", path="*/download/*", times=1))
        await tingting.reports.download(campaign, path)
        assert 1 == fault.count
    assert 4 == len(path.read_text().splitlines())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"status": 400, "success": false, "message": "not finished"}', BadRequestError),
        (b'{"message": "being made"}', DecodeError),
        (b"\xef\xbb\xbf  <!DOCTYPE html>", DecodeError),
        (b"<html>" + b" " * 100_000, DecodeError),
    ],
)
@pytest.mark.parametrize("content_type", ["text/csv", "application/json", "text/html"])
@pytest.mark.parametrize(
    "call",
    [
        lambda to, path: to.reports.download(1, path),
        lambda to, path: to.surveys.download(1, path),
        lambda to, _: to.reports.rows(1).collect(),
    ],
)
async def test_a_response_that_is_not_a_report(
    body: bytes, error: Any, content_type: str, call: Any, tmp_path: Path
) -> None:
    """A failure under HTTP 200, or a web page, is an error whatever its type; the earlier file stays as it was."""
    path = tmp_path / "report.csv"
    path.write_text("before")
    async with serving(always(body, content_type=content_type)) as tingting:
        with pytest.raises(error):
            await call(tingting, path)
    assert ("before", [path]) == (path.read_text(), list(tmp_path.iterdir()))


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 205, 206, 207, 226])
@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbf", b" \r\n", b'{"message": "being made"}', REPORT])
@pytest.mark.parametrize("is_there", [True, False])
async def test_a_success_without_a_report(status: int, body: bytes, is_there: bool, tmp_path: Path) -> None:
    """An empty response, and any other success than 200, is an error; an earlier file stays as it was."""
    path = tmp_path / "report.csv"
    if is_there:
        path.write_text("before")
    has_report = (status, body) == (200, REPORT)
    async with serving(always(body, status, content_type="text/csv")) as tingting:
        for download in (tingting.reports.download, tingting.surveys.download):
            with contextlib.nullcontext() if has_report else pytest.raises(DecodeError):
                await download(1, path)
        with contextlib.nullcontext() if has_report else pytest.raises(DecodeError):
            await tingting.reports.rows(1).collect()
        assert 3 == tingting.requests_sent
    expected = [REPORT] if has_report else [b"before"] * is_there
    assert expected == [each.read_bytes() for each in tmp_path.iterdir()]


async def test_a_success_without_a_report_after_a_lost_response(tmp_path: Path) -> None:
    """What an attempt wrote before its response was lost is not saved by the empty success of the next."""
    path, responses = tmp_path / "report.csv", 0
    path.write_text("before")

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal responses
        responses += 1
        if responses > 1:
            return web.Response(status=204)
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(REPORT)
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(handler) as tingting:
        with pytest.raises(DecodeError, match="status 204 and holds no report"):
            await tingting.reports.download(1, path)
    assert (2, "before", [path]) == (responses, path.read_text(), list(tmp_path.iterdir()))


async def test_no_file_is_created_for_a_web_page(tmp_path: Path) -> None:
    """If there was no file, a web page instead of a report leaves none."""
    async with serving(always(b"<html>", content_type="text/html")) as tingting:
        with pytest.raises(DecodeError):
            await tingting.reports.download(1, tmp_path / "report.csv")
    assert [] == list(tmp_path.iterdir())


async def test_reports_are_requested_without_compression(tmp_path: Path) -> None:
    """A report is requested without compression: a compressed one that is cut short may look complete."""
    encodings: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        encodings.append(request.headers.get("Accept-Encoding"))
        return web.Response(body=REPORT)

    async with serving(handler) as tingting:
        await tingting.reports.download(1, tmp_path / "report.csv")
        await tingting.surveys.download(1, tmp_path / "survey.csv")
        await tingting.reports.rows(1).collect()
    assert ["identity"] * 3 == encodings


async def test_a_report_with_the_type_of_a_web_page(tmp_path: Path) -> None:
    """A report is saved although its content type says that it is a web page."""
    async with serving(always(REPORT, content_type="text/html")) as tingting:
        await tingting.reports.download(1, tmp_path / "report.csv")
    assert REPORT == (tmp_path / "report.csv").read_bytes()


@pytest.mark.parametrize("place", ["folder", "nowhere/report.csv"])
async def test_a_path_where_no_file_can_be(place: str, tmp_path: Path) -> None:
    """A path that is a folder, or whose folder does not exist, is refused before anything is sent."""
    (tmp_path / "folder").mkdir()
    async with serving(always(REPORT)) as tingting:
        with pytest.raises(UsageError, match="cannot be written"):
            await tingting.reports.download(1, tmp_path / place)
        assert 0 == tingting.requests_sent
    assert ["folder"] == [each.name for each in tmp_path.iterdir()]


async def test_a_symbolic_link(tmp_path: Path) -> None:
    """A symbolic link in the file's place is replaced. Its target stays as it was."""
    target, link = tmp_path / "target", tmp_path / "report.csv"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    async with serving(always(REPORT)) as tingting:
        await tingting.reports.download(1, link)
    assert (False, REPORT, b"precious") == (link.is_symlink(), link.read_bytes(), target.read_bytes())


async def test_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in the path of a download is the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with serving(always(REPORT)) as tingting:
        await tingting.reports.download(1, "~/report.csv")
        await tingting.surveys.download(1, Path("~/answers.csv"))
    assert (REPORT, REPORT) == ((tmp_path / "report.csv").read_bytes(), (tmp_path / "answers.csv").read_bytes())


@pytest.mark.parametrize("path", [5, None, "a\0b", "\ud800", "~no-such-user-at-all/report.csv"])
async def test_an_invalid_path(path: Any) -> None:
    """A value that is not a file path is refused before anything is sent."""
    async with serving(always(REPORT)) as tingting:
        with pytest.raises(UsageError, match="not a valid file path"):
            await tingting.reports.download(1, path)
        assert 0 == tingting.requests_sent


async def test_a_full_disk(tmp_path: Path) -> None:
    """If there is no room for a report, the error says so after one request, and nothing is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with serving(always(REPORT * 30_000)) as tingting:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(UsageError, match="cannot be written"):
                await tingting.reports.download(1, tmp_path / "report.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert 1 == tingting.requests_sent
    assert [] == list(tmp_path.iterdir())
