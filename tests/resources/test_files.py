"""Files that are uploaded: their names and their content types."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from openpyxl import Workbook
from support.classic import connect as connect_classic
from support.v1 import connect, make_campaign

from tingting_async import File, TingTing, UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewStep, Services

pytestmark = pytest.mark.anyio

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPES = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".csv": "text/csv",
    ".xlsx": XLSX,
}


def sheet(path: Path) -> bytes:
    """Write a spreadsheet of phone numbers, and return its bytes."""
    book = Workbook()
    for row in (["numbers"], [9800000001]):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(path)
    return path.read_bytes()


def sent_file(body: bytes) -> tuple[str, str]:
    """Return the name and the content type of the file in a form, as Django reads them: as UTF-8 with escapes."""
    found = re.search(rb'filename="((?:\\.|[^"\\\r\n])*)"\r\n', body)
    assert found is not None
    head = body[: body.index(b"\r\n\r\n", found.start())]
    content_type = re.findall(rb"Content-Type: ([^\r\n]*)", head)[-1]
    return re.sub(r"\\(.)", r"\1", found[1].decode()), content_type.decode()


async def send_classic(send: Callable[[TingTing, int], Awaitable[Any]]) -> bytes:
    """Send a file by an operation of the classic API, and return the body of the request."""
    async with Sandbox(campaigns=1) as sandbox, connect_classic(sandbox) as tingting:
        await send(tingting, next(iter(sandbox.world.campaigns)))
        return sandbox.requests[-1].body


async def send_v1(send: Callable[[Any, int], Awaitable[Any]]) -> bytes:
    """Send a file by an operation of the v1 API, and return the body of the request."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        await send(tingting, (await make_campaign(tingting, Services.SURVEY)).id)
        return next(each.body for each in reversed(sandbox.requests) if b"filename=" in each.body)


SEND: dict[str, tuple[Callable[..., Awaitable[bytes]], Callable[[Any, int, Any], Awaitable[Any]], str]] = {
    "campaigns.create": (send_classic, lambda to, _, file: to.campaigns.create("n", "SMS", file=file), ".xlsx"),
    "campaigns.run": (send_classic, lambda to, on, file: to.campaigns.run(on, audio_file=file), ".wav"),
    "contacts.upload": (send_v1, lambda to, on, file: to.contacts.upload(on, file), ".csv"),
    "surveys.set_steps": (send_v1, lambda to, on, file: to.surveys.set_steps(on, [NewStep(audio_file=file)]), ".ogg"),
    "surveys.update_steps": (
        send_v1,
        lambda to, on, file: to.surveys.update_steps(on, [NewStep(audio_file=file)]),
        ".m4a",
    ),
    "survey_templates.create": (
        send_v1,
        lambda to, _, file: to.survey_templates.create("n", [NewStep(audio_file=file)]),
        ".flac",
    ),
}


def content(suffix: str, folder: Path) -> bytes:
    """Return the content of a file with a suffix that the sandbox accepts."""
    if suffix == ".xlsx":
        return sheet(folder / "any.xlsx")
    return b"numbers\n9800000009\n" if suffix == ".csv" else b"sound"


@pytest.mark.parametrize("operation", SEND)
@pytest.mark.parametrize("form", ["path", "upper case", "File", "File with a type"])
async def test_names_and_types(operation: str, form: str, tmp_path: Path) -> None:
    """A file is sent with its name as it is, and with the type of its suffix or the one that the caller gives."""
    send, call, suffix = SEND[operation]
    name = f"नयाँ सूची{suffix.upper() if form == 'upper case' else suffix}"
    data, expected = content(suffix, tmp_path), TYPES[suffix]
    path = tmp_path / name
    path.write_bytes(data)
    file: Any = path
    if form == "File":
        file = File(name, data)
    elif form == "File with a type":
        file, expected = File(name, data, "audio/x-own"), "audio/x-own"
    assert (name, expected) == sent_file(await send(lambda to, on: call(to, on, file)))


@pytest.mark.parametrize("operation", SEND)
async def test_a_tilde(operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in the path of an uploaded file is the user's home."""
    send, call, suffix = SEND[operation]
    (tmp_path / f"a{suffix}").write_bytes(content(suffix, tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"a{suffix}" == sent_file(await send(lambda to, on: call(to, on, f"~/a{suffix}")))[0]


async def test_a_home_that_is_unknown() -> None:
    """A path in the home of a user that does not exist is refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=r"cannot be read: .* home"):
            await tingting.contacts.upload(1, "~no-such-user-at-all/a.csv")
        assert [] == sandbox.requests


@pytest.mark.parametrize(("suffix", "expected"), TYPES.items())
def test_type_of_a_suffix(suffix: str, expected: str) -> None:
    """The suffix of a file's name says its content type, in any case of letters."""
    assert [expected] * 2 == [File(f"a.b{each}", b"").content_type for each in (suffix, suffix.upper())]


def test_type_of_another_suffix() -> None:
    """A file without a known suffix has no particular content type."""
    assert ["application/octet-stream"] * 3 == [File(name, b"").content_type for name in ("a", "a.bin", ".")]


@pytest.mark.parametrize("seed", range(30))
async def test_any_name(seed: int) -> None:
    """A name in any script, with quotes, semicolons and percent signs, arrives as it is."""
    random = Random(seed)
    letters = "कखग्याँ\u200dनेपाली ab;'\"%=&\\é😀—\u00a0"
    name = "".join(random.choices(letters, k=random.randint(1, 60))) + ".csv"
    body = await send_v1(lambda to, on: to.contacts.upload(on, File(name, b"numbers\n9800000009\n")))
    assert name == sent_file(body)[0]


@pytest.mark.parametrize("name", ["a\nb.csv", "a\r\nX-Y: z.csv", "a\0.csv", "a\udcff.csv", "a\x7f.csv"])
async def test_a_name_that_cannot_be_sent(name: str) -> None:
    """A name with control characters or half characters is refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="control characters"):
            await tingting.contacts.upload(1, File(name, b"numbers\n"))
        with pytest.raises(UsageError, match="content type"):
            await tingting.contacts.upload(1, File("a.csv", b"numbers\n", name))
        assert [] == sandbox.requests


UPLOADS: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "a.mp3": lambda to, file: to.surveys.set_steps(1, [NewStep(audio_file=file)]),
    "a.csv": lambda to, file: to.contacts.upload(1, file),
    "a.xlsx": lambda to, file: to.contacts.upload(1, file),
    "b.mp3": lambda to, file: to.campaigns.run(1, audio_file=file),
    "b.xlsx": lambda to, file: to.campaigns.create("n", Services.SMS, file=file),
}
"""The operations that upload a file, by the name of the file; those of the classic API begin with "b"."""


@pytest.mark.parametrize("name", UPLOADS)
@pytest.mark.parametrize("content", [5, "numbers\n98", ["9841234567"], None, {"9841234567": 1}])
async def test_content_of_another_type(name: str, content: Any) -> None:
    """A `File` whose content is not bytes is refused by its type, without the content, and no request is sent."""
    generation = connect_classic if name.startswith("b") else connect
    async with Sandbox(campaigns=1) as sandbox, generation(sandbox) as tingting:
        with pytest.raises(UsageError, match=rf"has the content of a {type(content).__name__}; it must be") as caught:
            await UPLOADS[name](tingting, File(name, content))
        assert "98" not in str(caught.value)
        assert [] == sandbox.requests


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_other_bytes(kind: Any) -> None:
    """A content of another type of bytes is sent as bytes."""
    body = await send_v1(
        lambda to, campaign: to.contacts.upload(campaign, File("a.csv", kind(b"numbers\n9800000001\n")))
    )
    assert b"numbers\n9800000001\n" in body
