"""Decoding has no memory, judges a response once, shows no secrets, and does not need its fast path."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tingting_async
from tingting_async import ApiError, AuthenticationError, DecodeError, RetryPolicy
from tingting_async.decoding import api_errors
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

ROW = {"id": 1, "name": "a"}
PAGE = {"count": 1, "total_pages": 1, "next": None, "previous": None, "results": [ROW]}

SERVICES: dict[str, tuple[Any, Any]] = {
    "as documented": (PAGE, ("a", {}, {})),
    "with an unknown field of the rows": ({**PAGE, "results": [{**ROW, "new": 5}]}, ("a", {"new": 5}, {})),
    "with an unknown field of a voice": (
        {**PAGE, "results": [{**ROW, "voice": {"id": 3, "new": 5}}]},
        ("a", {}, {}),
    ),
    "with an unknown field of the page": ({**PAGE, "new": 5}, ("a", {}, {"new": 5})),
    "in another order": (dict(reversed(PAGE.items())), ("a", {}, {})),
    "with a status": ({"status": 200, **PAGE}, ("a", {}, {"status": 200})),
    "with a name of another type": ({**PAGE, "results": [{**ROW, "name": 5}]}, DecodeError),
    "with a failure that starts as a page": ({**PAGE, "success": False}, ApiError),
}
"""The response of a service, and its decoded name and unknown fields; or the error."""


async def first_page(tingting: TingTing) -> Any:
    """Return the name and the unknown fields of the first page, or the type of the error."""
    try:
        page = await anext(tingting.campaigns.list().pages())
    except (DecodeError, ApiError) as error:
        return next(kind for kind in (DecodeError, ApiError) if isinstance(error, kind))
    (row,) = page.items
    return (row.name, row.extra, page.extra)


@pytest.mark.parametrize(("one", "other"), [*itertools.product(SERVICES, repeat=2)])
async def test_sessions_do_not_influence_each_other(serve: Any, one: str, other: str) -> None:
    """A session decodes its service's responses equally, whatever another session's service responds, in any order."""

    async def respond(received: Any) -> None:
        await received.respond(
            json.dumps(SERVICES[received.headers["authorization"].removeprefix("Bearer ")][0]).encode()
        )

    server = await serve(respond)
    async with (
        TingTing(base_url=server.url, api_token=one) as first,
        TingTing(base_url=server.url, api_token=other) as second,
    ):
        for tingting, name in ((first, one), (second, other), (second, other), (first, one)):
            assert await first_page(tingting) == SERVICES[name][1]


@pytest.mark.parametrize(
    "body", [PAGE, {**PAGE, "new": 5}, {"status": 200, **PAGE}, {**PAGE, "success": False}, {"success": False, **PAGE}]
)
async def test_judged_once(serve: Any, body: Any) -> None:
    """No response is judged twice on its way to a page or an error."""
    judged: list[object] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is api_errors.error_status.__code__:
            judged.append(frame.f_locals["response"])

    async def respond(received: Any) -> None:
        await received.respond(json.dumps(body).encode())

    server = await serve(respond)
    before = sys.getprofile()
    async with TingTing(base_url=server.url, api_token="key") as tingting:
        sys.setprofile(note)
        try:
            await first_page(tingting)
        finally:
            sys.setprofile(before)
    assert len(judged) == len({id(response) for response in judged})


async def test_a_page_can_report_that_the_token_is_refused(serve: Any) -> None:
    """A failure under HTTP 200 is an error by the status that it contains, even if it starts as a page does."""

    async def respond(received: Any) -> None:
        await received.respond(json.dumps({**PAGE, "success": False, "status": 401}).encode())

    server = await serve(respond)
    async with TingTing(base_url=server.url, api_token="key", retries=RetryPolicy(attempts=1)) as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.campaigns.list().first()


@pytest.mark.parametrize(
    "body",
    [
        {**PAGE, "results": [{"id": "the-token"}]},
        {**PAGE, "success": False, "message": "the-token"},
        {"success": False, "message": "the-token"},
        {"results": "the-token"},
        "the-token",
    ],
)
async def test_no_error_shows_the_token(serve: Any, body: Any) -> None:
    """No error about a response shows the session's token, wherever the service quotes it."""

    async def respond(received: Any) -> None:
        await received.respond(json.dumps(body).encode())

    server = await serve(respond)
    async with TingTing(base_url=server.url, api_token="the-token") as tingting:
        with pytest.raises((DecodeError, ApiError)) as caught:
            await tingting.campaigns.list().first()
    assert "the-token" not in str(caught.value)
    assert "[secure]" in str(caught.value)
    assert "the-token" not in getattr(caught.value, "excerpt", "")


PROGRAM = """
import asyncio, sys
import tingting_async, tingting_async.v1
from tingting_async.sandbox import Sandbox

async def main():
    async with Sandbox(campaigns=25) as sandbox:
        for generation in (tingting_async, tingting_async.v1):
            async with generation.TingTing(
                base_url=sandbox.url, email=sandbox.email, password=sandbox.password
            ) as tingting:
                print((await tingting.accounts.user_details()).email)
                async for page in tingting.campaigns.list(window=2).pages():
                    rows = [(row.id, row.name, row.services, row.description, row.extra) for row in page.items]
                    print(rows, page.number, page.total_items, page.total_pages, page.has_next, page.extra)

asyncio.run(main())
print(tingting_async.__file__.startswith(sys.argv[1]), "tingting_async.decoding.fast.codegen" in sys.modules)
"""


def test_the_fast_path_can_be_removed(tmp_path: Path) -> None:
    """Without `decoding/fast/` the client decodes the same."""
    package = Path(tingting_async.__file__).parent
    printed: dict[bool, list[str]] = {}
    for is_fast in (True, False):
        path = tmp_path / str(is_fast)
        ignored = shutil.ignore_patterns("__pycache__", *(() if is_fast else ("fast",)))
        shutil.copytree(package, path / package.name, ignore=ignored)
        run = subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM, str(path)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(path)},
        )
        *printed[is_fast], end = run.stdout.splitlines()
        assert end == f"True {is_fast and (package / 'decoding' / 'fast').exists()}"
    assert printed[True] == printed[False]


def test_an_import_error_in_the_fast_path_is_raised(tmp_path: Path) -> None:
    """Only a missing folder turns the fast path off: an error while it is imported is not hidden."""
    package = Path(tingting_async.__file__).parent
    copy = tmp_path / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "decoding" / "fast").mkdir(exist_ok=True)
    (copy / "decoding" / "fast" / "__init__.py").write_text("import missing_module\n")
    run = subprocess.run(
        [sys.executable, "-P", "-c", "from tingting_async.v1.pages import RESPONSES\nprint(RESPONSES.fast)"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (run.stdout, run.returncode) == ("", 1)
    assert "No module named 'missing_module'" in run.stderr
