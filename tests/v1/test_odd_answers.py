"""Answers that the v1 documents leave open, contradict, or do not print: from small servers, over sockets."""

import asyncio
import json
import resource
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy

import tingting_async
from tingting_async import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    OutcomeUnknownError,
    PaginationError,
    PermissionDeniedError,
    RetryPolicy,
    UsageError,
)
from tingting_async.http.messages import File, Response
from tingting_async.v1 import ContactStatus, NewStep, TingTing
from tingting_async.v1.auth import read_cookies

pytestmark = pytest.mark.anyio

REPORT = b"Number,Status\n9800000001,completed\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, kind: Any = TingTing, **options: Any) -> AsyncIterator[Any]:
    """Answer everything by a handler, and give a session that asks it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    options = options or {"api_token": "0123456789abcdef"}
    async with TestServer(app) as server:
        async with kind(
            base_url=str(server.make_url("/")), retries=RetryPolicy(initial_backoff=0), **options
        ) as tingting:
            yield tingting


def always(body: Any, status: int = 200, content_type: str = "application/json") -> Handler:
    """Answer with this, whatever is asked."""

    async def handler(_: web.Request) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type=content_type)
        return web.json_response(body, status=status)

    return handler


async def test_limits_of_reports() -> None:
    """A report has limits of its own, whatever the session's are; no time at all is refused, and not ten minutes."""
    async with serving(always(REPORT), api_token="key", timeout=1e-6) as tingting:
        assert len(await tingting.reports.rows(1)) == 1
        with pytest.raises(UsageError):
            await tingting.reports.rows(1, timeout=0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            ["access=a.b-c_d; HttpOnly; Path=/; Max-Age=86400", "refresh=r; Secure"],
            {"access": "a.b-c_d", "refresh": "r"},
        ),
        (["access=a; expires=Thu, 01 Jan 2037 00:00:00 GMT; SameSite=Lax"], {"access": "a"}),
        (["access=a; HttpOnly; Partitioned; Path=/"], {"access": "a"}),
        (["access=a; Path=/; no attribute that there is; HttpOnly"], {"access": "a"}),
        (["access=a; Priority=High; refresh=smuggled"], {"access": "a"}),
        (['access="a;b \\" c"; Path=/'], {"access": 'a;b " c'}),
        (['access="a"; Domain=127.0.0.1'], {"access": "a"}),
        (["access=a", "access=; Max-Age=0"], {}),
        (["access=a", "access=b"], {"access": "b"}),
        (['access="a\\015\\012Host: elsewhere"'], {}),
        (["", "=a", "access", ";;", "access=a"], {"access": "a"}),
    ],
)
def test_cookies(headers: list[str], expected: dict[str, str]) -> None:
    """A cookie is the first pair of its header: attributes neither hide it nor add others, and empty takes it back."""
    found = CIMultiDictProxy(CIMultiDict([("Set-Cookie", header) for header in headers]))
    assert read_cookies(Response(200, found)) == expected


async def test_quoted_cookie_goes_back_as_it_came() -> None:
    """A refresh token that has to be quoted is sent back so that the service reads the same."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.json_response({"message": "m", "id": 1})
        if request.path.endswith("/refresh/"):
            seen.append(SimpleCookie(request.headers["Cookie"])["refresh"].value)
        if "/login/" in request.path:
            answer.headers.add("Set-Cookie", f"access=a{len(seen)}; HttpOnly")
            answer.headers.add("Set-Cookie", 'refresh="a;b c"; HttpOnly')
        elif request.headers["Authorization"] != "Bearer a1":
            return web.json_response({"detail": "expired"}, status=401)
        return answer

    async with serving(handler, email="e@example.com", password="canary") as tingting:
        await tingting.accounts.user_details()
    assert seen == ["a;b c"]


@pytest.mark.parametrize(
    ("status", "body", "logins"),
    [
        (400, {"message": "No refresh token provided"}, 2),
        (400, {"detail": "Invalid token payload."}, 2),
        (401, {"message": "Failed To Refresh The Session"}, 2),
        (401, {"detail": "Account is not activated."}, 1),
    ],
)
async def test_refused_refresh(status: int, body: Any, logins: int) -> None:
    """A refused refresh is followed by a sign-in, except where the account is not activated: that ends it."""
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        count = paths.count("/api/v1/auths/login/")
        if request.path.endswith("/refresh/"):
            return web.json_response(body, status=status)
        if request.path.endswith("/login/"):
            cookies = {"Set-Cookie": f"access=a{count}"}, {"Set-Cookie": "refresh=r"}
            return web.json_response({"message": "m"}, headers=CIMultiDict([*cookies[0].items(), *cookies[1].items()]))
        valid = request.headers["Authorization"] == "Bearer a2"
        return web.json_response({"id": 1} if valid else {"detail": "expired"}, status=200 if valid else 401)

    async with serving(handler, email="e@example.com", password="canary") as tingting:
        if logins == 2:
            assert (await tingting.accounts.user_details()).id == 1
        else:
            with pytest.raises(AuthenticationError, match="not activated"):
                await tingting.accounts.user_details()
    assert paths.count("/api/v1/auths/login/") == logins
    assert paths.count("/api/v1/auths/login/refresh/") == 1


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
async def test_no_api_token(status: int) -> None:
    """An account without an API token has None, whichever status says so; another error is one."""
    async with serving(always({"message": "No API token found. Please generate one first."}, status)) as tingting:
        assert await tingting.accounts.api_token() is None
    async with serving(always({"detail": "Not yours."}, 403)) as tingting:
        with pytest.raises(PermissionDeniedError):
            await tingting.accounts.api_token()


async def test_methods_are_found_out_together() -> None:
    """Where several tasks find out at once that PATCH is not taken, all of them go on by PUT."""
    together = asyncio.Barrier(3)
    methods: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        methods.append(request.method)
        if request.method == "PUT":
            return web.json_response({"id": 1})
        await together.wait()
        return web.json_response({"detail": "Method not allowed."}, status=405)

    async with serving(handler) as tingting:
        await asyncio.gather(*(tingting.campaigns.update(1, name="n") for _ in range(3)))
        await tingting.campaigns.update(1, name="n")
    assert (methods.count("PATCH"), methods.count("PUT")) == (3, 4)


async def test_methods_of_one_operation_say_nothing_of_another() -> None:
    """A message that takes only PUT, and a campaign that takes only PATCH, are both changed."""

    async def handler(request: web.Request) -> web.StreamResponse:
        taken = request.method == ("PUT" if request.path.endswith("/message/") else "PATCH")
        return web.json_response({"id": 1} if taken else {"detail": "no"}, status=200 if taken else 405)

    async with serving(handler) as tingting:
        await tingting.campaigns.set_message(1, voice=3, message="m")
        assert (await tingting.campaigns.update(1, name="n")).id == 1


@pytest.mark.parametrize("body", [b'{"detail": "queued"}', b"<html>Sign in</html>", b"later", b"", b"[]"])
@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
async def test_voice_without_sound(generation: Any, body: bytes) -> None:
    """What holds neither audio nor its URL is no spoken message, in both generations."""
    arguments = {"campaign_id": 1, "voice": 3} if generation is tingting_async.v1 else {}
    async with serving(always(body), generation.TingTing) as tingting:
        with pytest.raises(DecodeError, match="neither audio nor its URL"):
            await tingting.campaigns.test_voice("m", **arguments)


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"RIFF", "audio/wav"), (b"ID3\x00\x01", "text/html"), (b"\xff\xfb\x90", "text/plain")]
)
async def test_voice_with_sound(body: bytes, content_type: str) -> None:
    """Audio is audio by its type or by its bytes."""
    async with serving(always(body, content_type=content_type)) as tingting:
        spoken = await tingting.campaigns.test_voice("m", campaign_id=1, voice=3)
        assert (spoken.url, spoken.audio, spoken.content_type) == (None, body, content_type)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"status": 400, "success": false, "message": "not finished"}', BadRequestError),
        (b'{"message": "being made"}', DecodeError),
        (b"\xef\xbb\xbf  <!DOCTYPE html>", DecodeError),
        (b"<html>" + b" " * 100_000, DecodeError),
    ],
)
@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
async def test_reports_that_are_none(body: bytes, error: Any, content_type: str, tmp_path: Path) -> None:
    """A failure under HTTP 200, or a web page, is no report whatever its type; the file that was there stays."""
    path = tmp_path / "report.csv"
    path.write_text("before")
    async with serving(always(body, content_type=content_type)) as tingting:
        for call in (tingting.reports.download, tingting.surveys.download):
            with pytest.raises(error):
                await call(1, path)
        with pytest.raises(error):
            await tingting.reports.rows(1)
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("before", ["report.csv"])


async def test_reports_are_asked_for_unpacked(tmp_path: Path) -> None:
    """A report is asked for as it is: a packed one that was cut short would pass for a whole one."""
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(body=REPORT)

    async with serving(handler) as tingting:
        await tingting.reports.download(1, tmp_path / "report.csv")
        await tingting.surveys.download(1, tmp_path / "survey.csv")
        await tingting.reports.rows(1)
    assert asked == ["identity"] * 3


async def test_reports_of_any_type(tmp_path: Path) -> None:
    """A report that says of itself that it is a web page is saved all the same."""
    async with serving(always(REPORT, content_type="text/html")) as tingting:
        await tingting.reports.download(1, tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_bytes() == REPORT


async def test_reports_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder in the file's place is refused before anything is asked."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=REPORT)

    (tmp_path / "folder").mkdir()
    async with serving(handler) as tingting:
        with pytest.raises(UsageError, match="cannot be written"):
            await tingting.reports.download(1, tmp_path / "folder")
    assert (asked, [each.name for each in tmp_path.iterdir()]) == ([], ["folder"])


async def test_reports_on_a_full_disk(tmp_path: Path) -> None:
    """A report for which there is no room is refused once, as what it is, and leaves nothing behind."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=REPORT * 30_000)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with serving(handler) as tingting:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(UsageError, match="cannot be written"):
                await tingting.reports.download(1, tmp_path / "report.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (len(asked), list(tmp_path.iterdir())) == (1, [])


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (REPORT.replace(b"\n", b"\r"), {"Number": "9800000001", "Status": "completed"}),
        (b"\xef\xbb\xbf" + REPORT.replace(b"\n", b"\r\n"), {"Number": "9800000001", "Status": "completed"}),
        (b"Number,Status\n9800000001,completed,x,y\n", {"Number": "9800000001", "Status": "completed", "": "x,y"}),
        (b"Number,Status,Note\n9800000001,completed\n", {"Number": "9800000001", "Status": "completed", "Note": ""}),
    ],
)
async def test_rows(body: bytes, values: dict[str, str]) -> None:
    """Rows are read with any line end, with a mark at the start, and with more or fewer columns than the header."""
    async with serving(always(body, content_type="text/csv")) as tingting:
        (row,) = await tingting.reports.rows(1)
    assert (row.values, row.number, row.status) == (values, "9800000001", ContactStatus.COMPLETED)


async def test_rows_that_are_no_csv() -> None:
    """What the reader of CSV refuses is a DecodeError, without the number that stands in it."""
    body = b"Number,Status\n9800000001," + b"x" * 200_000 + b"\n"
    async with serving(always(body, content_type="text/csv")) as tingting:
        with pytest.raises(DecodeError, match="no CSV") as caught:
            await tingting.reports.rows(1)
    assert "9800000001" not in str(caught.value)


async def test_what_cannot_be_read_is_kept() -> None:
    """What came is on the error, whole, and shows in none of its texts: a new API token is not lost for an odd date."""
    made = {"token": "0123456789abcdefnew", "last_used": "Never"}
    async with serving(always(made)) as tingting:
        with pytest.raises(OutcomeUnknownError) as caught:
            await tingting.accounts.generate_api_token()
    cause = caught.value.__cause__
    assert isinstance(cause, DecodeError)
    assert json.loads(cause.body) == made
    assert "abcdefnew" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(cause)


@pytest.mark.parametrize(
    "body", [b'{"count": 1, "next": null, "results": [{"id": 1, "voice": "x"}]}', b'{"results": []}', b"<html>", b""]
)
async def test_a_page_that_cannot_be_read_is_kept(body: bytes) -> None:
    """Of a page that does not fit, lacks something or is no JSON, the bytes are on the error."""
    async with serving(always(body)) as tingting:
        with pytest.raises(DecodeError) as caught:
            await tingting.campaigns.list().collect()
    assert caught.value.body == body


async def test_offset_that_is_ignored() -> None:
    """A service that gives the first page for every offset, with rows that change, is a PaginationError, not a loop."""
    asked = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        rows = [{"id": index, "progress_percent": asked} for index in range(10)]
        return web.json_response({"count": 25, "next": "http://x/?offset=10", "previous": None, "results": rows})

    async with serving(handler) as tingting:
        with pytest.raises(PaginationError, match="item 30 of 25"):
            await tingting.campaigns.list(window=1).collect()
    assert asked == 3


async def test_page_that_is_ignored() -> None:
    """So it is with a service that gives the first page for every number, and counts no pages."""
    asked = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        rows = [{"id": index, "name": str(asked)} for index in range(10)]
        return web.json_response({"count": 25, "next": "http://x/?page=2", "previous": None, "results": rows})

    async with serving(handler) as tingting:
        with pytest.raises(PaginationError, match="Page 3 has a next page, but the list has only 25 items"):
            await tingting.survey_templates.list(window=1).collect()
    assert asked == 3


@pytest.mark.parametrize("following", [None, "", False])
async def test_no_next_page(following: object) -> None:
    """A list ends where its answer names no next page, however it says so."""
    page = {"count": 1, "next": following, "previous": None, "results": [{"id": 1}]}
    async with serving(always(page)) as tingting:
        assert [campaign.id async for campaign in tingting.campaigns.list()] == [1]


async def test_small_pages_are_counted() -> None:
    """The pages of a service that gives fewer rows than it was asked for are numbered one after the other."""

    async def handler(request: web.Request) -> web.StreamResponse:
        offset = int(request.query["offset"])
        rows = [{"id": row} for row in range(offset, min(offset + 4, 10))]
        following = f"http://inside/?offset={offset + 4}" if offset + 4 < 10 else None
        return web.json_response({"count": 10, "next": following, "previous": None, "results": rows})

    async with serving(handler) as tingting:
        pages = [(page.number, len(page.items)) async for page in tingting.campaigns.list().pages()]
    assert pages == [(1, 4), (2, 4), (3, 2)]


@pytest.mark.parametrize("is_paginated", [True, False])
async def test_all_steps(is_paginated: bool) -> None:
    """All steps of a survey come, whether the service gives them by ten or at once."""

    async def handler(request: web.Request) -> web.StreamResponse:
        steps = [{"id": index, "order": index} for index in range(12)]
        offset = int(request.query.get("offset", "0"))
        following = "http://inside/?offset=10" if offset == 0 else None
        page = {"count": 12, "next": following, "previous": None, "results": steps[offset : offset + 10]}
        return web.json_response(page if is_paginated else {"results": steps})

    async with serving(handler) as tingting:
        assert [step.id for step in await tingting.surveys.steps(1)] == list(range(12))


@pytest.mark.parametrize(
    "beside", [{"count": 12}, {"next": "http://x/?page=2"}, {"total_pages": "2"}, {"num_pages": 2}]
)
async def test_not_all_steps(beside: dict[str, Any]) -> None:
    """Steps beside which the answer tells of more, in a form that is not known, are not taken for all of them."""
    async with serving(always({"results": [{"id": 1}], **beside})) as tingting:
        with pytest.raises(PaginationError):
            await tingting.surveys.steps(1)
    async with serving(always({"results": [{"id": 1}], "count": 1, "total_pages": 1})) as tingting:
        assert len(await tingting.surveys.steps(1)) == 1


@pytest.mark.parametrize("with_audio", [True, False])
async def test_update_steps(with_audio: bool) -> None:
    """Steps are changed by PATCH with their ids, their audio beside them by their index."""
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        if request.method != "GET":
            seen["method"] = request.method
            if with_audio:
                form = await request.post()
                seen |= {"steps": json.loads(str(form["steps"])), "audio": form["1"].file.read()}
            else:
                seen |= await request.json()
        return web.json_response({"results": [{"id": 7, "order": 0}]})

    audio = File("a.mp3", b"ID3") if with_audio else None
    async with serving(handler) as tingting:
        made = await tingting.surveys.update_steps(1, [NewStep(id=7, input_name="a"), NewStep(audio_file=audio)])
        with pytest.raises(UsageError, match="empty"):
            await tingting.surveys.update_steps(1, [])
    assert [step.id for step in made] == [7]
    assert (seen["method"], [step.get("id") for step in seen["steps"]]) == ("PATCH", [7, None])
    assert seen.get("audio") == (b"ID3" if with_audio else None)


async def test_a_check_that_fails_leaves_nothing_behind() -> None:
    """Where one contact's variables cannot be had, the check fails with that, and asks for no others any more."""
    started, released = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/0/attributes/"):
            await started.wait()
            return web.json_response({"detail": "Not yours."}, status=403)
        if request.path.endswith("/attributes/"):
            started.set()
            await released.wait()
            return web.json_response({})
        if "campaign-detail" in request.path:
            page = {"count": 3, "next": None, "previous": None, "results": [{"id": index} for index in range(3)]}
            return web.json_response(page)
        return web.json_response({"id": 1, "services": "PHONE", "message": "{name}"})

    async with serving(handler) as tingting:
        before = {task for task in asyncio.all_tasks() if "variables" in repr(task.get_coro())}
        with pytest.raises(PermissionDeniedError):
            await tingting.campaigns.preflight(1)
        assert {task for task in asyncio.all_tasks() if "variables" in repr(task.get_coro())} == before
        released.set()


@pytest.mark.parametrize(
    ("services", "expected"),
    [("SMS", ["It has no text message."]), ("SMS & PHONE", ["It has no text message."]), ("PHONE", [])],
)
async def test_check_of_texts(services: str, expected: list[str]) -> None:
    """A campaign that texts needs a text message; one that only calls does not."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "campaign-detail" in request.path:
            return web.json_response({"count": 1, "next": None, "previous": None, "results": [{"id": 1}]})
        fields = {"message": "m", "sms_message": "", "user_phone": [1], "voice": 3, "status": "Not Started"}
        return web.json_response({"id": 1, "services": services, **fields})

    async with serving(handler) as tingting:
        assert list((await tingting.campaigns.preflight(1)).problems) == expected


async def test_add_many_that_never_begins() -> None:
    """Where the very first request is refused, nothing was added, and its own error says why."""
    async with serving(always({"detail": "Not found."}, 404)) as tingting:
        with pytest.raises(NotFoundError):
            await tingting.contacts.add_many(1, ["9800000001", "9800000002"], chunk=1)


@pytest.mark.parametrize(("pause", "longest"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1)])
async def test_pauses(pause: float, longest: float) -> None:
    """A pause that would ask without end is refused before anything is asked."""
    async with serving(always({}, 500)) as tingting:
        with pytest.raises(UsageError, match="poll_interval="):
            tingting.campaigns.progress(1, poll_interval=pause, max_poll_interval=longest)
        with pytest.raises(UsageError, match="poll_interval="):
            await tingting.campaigns.wait(1, poll_interval=pause, max_poll_interval=longest)
