"""Invalid input is refused before anything is sent."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tingting_async import File, Services, TingTing, UsageError
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.texts import placeholders
from tingting_async.resources import arguments

pytestmark = pytest.mark.anyio

SOON = (datetime.now(UTC) + timedelta(hours=1)).replace(second=0, microsecond=0)
SHEET = File("n.xlsx", b"PK")
MP3 = File("a.mp3", b"ID3")

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("campaigns.get", {"id": "1"}, "`id` must be"),
    ("campaigns.get", {"id": -1}, "`id` must be"),
    ("campaigns.get", {"id": -(10**5000)}, "not a number of about 5001 digits"),
    ("campaigns.get", {"id": 9841777666}, "`id` is the phone number …66: give an id"),
    ("numbers.delete", {"id": 9779741777666}, "`id` is the phone number …66: give an id"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": [9841777666]}, r"`numbers\[0\]` is the phone number …66"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": {1: 2}}, "`numbers` must be a list of ids, not dict"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": b"\x01"}, "`numbers` must be a list of ids, not bytes"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": {}}, "`rerun` must be a list of outcomes, not dict"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": [10**5000]}, "`rerun` is a number of about 5001 digits"),
    ("numbers.edit", {"id": 1, "number": "9800000001", "tags": ""}, "`tags` must be a mapping"),
    ("numbers.edit", {"id": 1, "number": "9800000001", "tags": []}, "`tags` must be a mapping"),
    (
        "numbers.add_many",
        {"campaign_id": 1, "numbers": ["9800000001"], "on_problem": 10**5000},
        "`on_problem` must be .* not a number of about",
    ),
    ("campaigns.get", {"id": True}, "`id` must be"),
    ("campaigns.delete", {"id": 1.0}, "`id` must be"),
    ("campaigns.create", {"name": "n", "services": "SMS"}, "either `numbers` or `file`"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": ["9800000001"], "file": SHEET}, "either"),
    ("campaigns.create", {"name": " ", "services": "SMS", "numbers": ["9800000001"]}, "`name` is empty"),
    ("campaigns.create", {"name": "n", "services": "FAX", "numbers": ["9800000001"]}, "'PHONE', 'SMS', 'SMS & PHONE'"),
    ("campaigns.create", {"name": "n", "services": "SURVEY", "numbers": ["9800000001"]}, r"'SMS', 'SMS & PHONE'\."),
    ("campaigns.create", {"name": "n", "services": None, "numbers": ["9800000001"]}, "`services` is None; it must be"),
    ("campaigns.create", {"name": None, "services": "SMS", "numbers": ["9800000001"]}, "`name`"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": []}, "`numbers` is empty"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": "9800000001"}, "not str"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": ["9800000001", "x"]}, r"\[1\].*not a valid"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": ["98000"]}, "too few"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": ["+14155552671"]}, "another country"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": [9.8e9]}, "a string or an integer"),
    (
        "campaigns.create",
        {"name": "n", "services": "SMS", "numbers": ["9800000001", 9800000002, "+977 980-0000001"]},
        r"numbers\[2\]` is the same as `numbers\[0\].*reached twice",
    ),
    ("campaigns.create", {"name": "n", "services": "SMS", "file": "nowhere.xlsx"}, "cannot be read"),
    ("campaigns.create", {"name": "n", "services": "SMS", "file": "no\0where.xlsx"}, "cannot be read"),
    ("campaigns.create", {"name": "n", "services": ["SMS"], "numbers": ["9800000001"]}, "must be one of"),
    ("campaigns.create", {"name": "n", "services": "SMS", "file": File("n.csv", b"x")}, r"accepts \.xlsx"),
    ("campaigns.create", {"name": "n", "services": "SMS", "file": File("n.xlsx", b"")}, "is empty"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": 9800000001}, "list of numbers"),
    ("campaigns.create", {"name": 5, "services": "SMS", "numbers": ["9800000001"]}, "`name` must be a string"),
    ("campaigns.run", {"id": 1, "message": "m", "schedule": "2030-01-01"}, "`schedule` must be a datetime"),
    ("campaigns.run", {"id": 1, "message": "m", "timeout": "5"}, "`timeout` must be"),
    ("campaigns.run", {"id": 1, "message": "m", "timeout": 0}, "seconds above 0"),
    ("numbers.add", {"campaign_id": 1, "number": "9800000001", "tags": ["a"]}, "`tags` must be a mapping"),
    ("numbers.add", {"campaign_id": 1, "number": "9800000001", "tags": {1: "a"}}, "`tags` must be a mapping"),
    ("campaigns.update", {"id": 1}, "give `name`"),
    ("campaigns.update", {"id": 1, "name": ""}, "`name` is empty"),
    ("campaigns.update", {"id": 1, "description": 5}, "`description` must be a string, not int"),
    (
        "campaigns.create",
        {"name": "n", "services": "SMS", "numbers": ["9800000001"], "description": ["d"]},
        "`description` must be a string, not list",
    ),
    ("campaigns.run", {"id": 1, "message": "\u200b"}, "`message` is empty"),
    ("campaigns.update", {"id": 1, "services": "FAX"}, "FAX"),
    ("campaigns.update", {"id": 1, "services": "SURVEY"}, "SURVEY"),
    ("campaigns.run", {"id": 1}, "give `message`"),
    ("campaigns.run", {"id": 1, "message": "\n"}, "`message` is empty"),
    ("campaigns.run", {"id": 1, "message": "m", "audio_file": MP3}, "`priority`"),
    ("campaigns.run", {"id": 1, "message": "m", "priority": "audio"}, "`priority`"),
    ("campaigns.run", {"id": 1, "message": "m", "audio_file": MP3, "priority": "x"}, "'message', 'audio'"),
    ("campaigns.run", {"id": 1, "audio_file": File("a.txt", b"x")}, r"\.mp3"),
    ("campaigns.run", {"id": 1, "message": "m", "voice": " "}, "`voice` is empty"),
    ("campaigns.run", {"id": 1, "message": "m", "schedule": SOON.replace(tzinfo=None)}, "no time zone"),
    ("campaigns.run", {"id": 1, "message": "m", "schedule": SOON.replace(second=1)}, "seconds"),
    ("campaigns.run", {"id": 1, "message": "m", "schedule": SOON - timedelta(hours=3)}, "in the past"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": []}, "`numbers` is empty"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": [13, 14, 13]}, "`numbers` contains 13 more than once"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": 5}, "`numbers` must be a list of ids"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": [True]}, r"`numbers\[0\]`"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": 5}, "`rerun` must be a list"),
    ("campaigns.run", {"id": 1, "message": "m \ud800"}, "`message` contains half a character"),
    ("campaigns.run", {"id": 1, "audio_file": 5}, "`audio_file` must be a path"),
    ("campaigns.run", {"id": 1, "message": "m", "schedule": datetime.max.replace(tzinfo=UTC)}, "out of the range"),
    ("campaigns.get", {"id": 10**5000}, "`id` must be an id of the service"),
    ("numbers.add", {"campaign_id": 1, "number": "98000000012"}, "has 11 digits"),
    ("numbers.add", {"campaign_id": 1, "number": 10**5000}, "`number` has too many digits"),
    ("campaigns.create", {"name": "n", "services": "SMS", "numbers": [-(10**5000)]}, r"numbers\[0\]` has too many"),
    ("campaigns.run", {"id": 1, "message": "m", "numbers": ["9800000001"]}, r"`numbers\[0\]` must be"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": []}, "`rerun` is empty"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": ["busy"]}, "'hungup', 'unanswered', 'failed'"),
    ("campaigns.run", {"id": 1, "message": "m", "rerun": "ringing"}, "'ringing'"),
    ("campaigns.test_voice", {"message": ""}, "`message` is empty"),
    ("campaigns.test_voice", {"message": "m", "voice": ""}, "`voice` is empty"),
    ("numbers.add", {"campaign_id": 1, "number": "x"}, "not a valid phone number"),
    ("numbers.add", {"campaign_id": None, "number": "9800000001"}, "`campaign_id` must be"),
    ("numbers.edit", {"id": 1, "number": ""}, "not a valid phone number"),
    ("phone_numbers.buy", {"sid": ""}, "`sid` is empty"),
    ("phone_numbers.release", {"sid": ""}, "`sid` is empty"),
    ("otp.send", {"number": "9800000001", "message": "code", "channel": "text"}, "{otp}"),
    ("otp.send", {"number": "9800000001", "message": "", "channel": "text"}, "`message` is empty"),
    ("otp.send", {"number": "9800000001", "message": "{otp}", "channel": "fax"}, "'voice', 'text'"),
    ("otp.send", {"number": "98", "message": "{otp}", "channel": "text"}, "too few"),
    ("otp.send", {"number": "9800000001", "message": "{otp}", "channel": "text", "otp": "1", "length": 1}, "length"),
    ("otp.send", {"number": "9800000001", "message": "{otp}", "channel": "text", "otp": "12a"}, "digits"),
    ("otp.send", {"number": "9800000001", "message": "{otp}", "channel": "text", "otp": 1234}, "digits"),
    ("otp.send", {"number": "9800000001", "message": "{otp}", "channel": "text", "length": 0}, "`length`"),
]


@pytest.mark.parametrize(("operation", "arguments", "why"), REFUSED)
async def test_refused(operation: str, arguments: dict[str, Any], why: str) -> None:
    """Bad input is a UsageError that says why, before anything is sent: no server listens at this address."""
    async with TingTing(base_url="http://127.0.0.1:9", api_token="t") as tingting:
        resource, _, method = operation.partition(".")
        with pytest.raises(UsageError, match=why) as caught:
            await getattr(getattr(tingting, resource), method)(**arguments)
        assert "9800000001" not in str(caught.value)
        assert tingting.requests_sent == 0


async def test_all_refused_numbers_are_named() -> None:
    """The error names every refused number, the first ones in its text, and nothing is sent."""
    given = ["9800000001", "x", "98000", "9800000002", "9800000001", "+14155552671", 5.0]
    async with TingTing(base_url="http://127.0.0.1:9", api_token="t") as tingting:
        with pytest.raises(UsageError, match=r"numbers\[1\].*numbers\[2\].*numbers\[4\].* And 2 more") as caught:
            await tingting.campaigns.create("n", "SMS", numbers=given)  # type: ignore[list-item]
        assert [where for where, _ in caught.value.problems] == [f"numbers[{row}]" for row in (1, 2, 4, 5, 6)]
        assert "reached twice" in caught.value.problems[2][1]
        assert "9800000001" not in str(caught.value.problems)
        assert tingting.requests_sent == 0


LISTS: list[tuple[str, dict[str, Any]]] = [
    ("campaigns.list", {}),
    ("numbers.list", {"campaign_id": 1}),
    ("phone_numbers.owned", {}),
    ("phone_numbers.for_sale", {}),
]


@pytest.mark.parametrize(("operation", "arguments"), LISTS)
async def test_unknown_option_of_a_list(operation: str, arguments: dict[str, Any]) -> None:
    """A misspelt option of a list is a TypeError that suggests the right one, before anything is requested."""
    async with TingTing(base_url="http://127.0.0.1:9", api_token="t") as tingting:
        resource, _, method = operation.partition(".")
        with pytest.raises(TypeError, match=rf"{resource}\.{method}.*'windw'.*Did you mean 'window'"):
            getattr(getattr(tingting, resource), method)(**arguments, windw=1)


async def test_paginator_arguments() -> None:
    """An invalid window or limit is a UsageError."""
    async with TingTing(base_url="http://127.0.0.1:9", api_token="t") as tingting:
        with pytest.raises(UsageError, match="`window` is 0"):
            tingting.campaigns.list(window=0)
        with pytest.raises(UsageError, match="`limit` is -1"):
            await tingting.campaigns.list().collect(limit=-1)
        assert await tingting.campaigns.list().collect(limit=0) == []


@pytest.mark.parametrize(
    "text",
    [
        "9800000001;9800000002",
        "9800000001/9800000002",
        "9800000001, 9800000002",
        "9800000001 9800000002",
        "call 9800000001",
        "9800000001 ext. 5",
        "9841CALLME",
        "tel:+9779800000001;ext=5",
        "-9800000001",
        -9800000001,
        "4123456",
        "980000000",
        "+",
        "",
    ],
)
def test_invalid_numbers(text: Any) -> None:
    """Text that is not exactly one phone number is refused, so that the right person is called."""
    with pytest.raises(UsageError):
        phone_number(text)


@pytest.mark.parametrize(
    "spelling",
    [
        "9800000001",
        9800000001,
        "+977 980-0000001",
        "00977 9800000001",
        " 980 000 0001 ",
        "(980) 000.0001",
        "tel:+977-980-0000001",
        "\u096f\u096e00000001",
    ],
)
def test_spellings_of_a_number(spelling: Any) -> None:
    """A phone number of Nepal is accepted in any usual spelling."""
    assert phone_number(spelling) == "9800000001"


def test_schedule_keeps_its_instant() -> None:
    """An aware datetime of any time zone becomes the same instant in the service's local time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert arguments.schedule(datetime(2026, 5, 9, 11, 22, tzinfo=UTC), now=now) == "2026-05-09T17:07"
    tokyo = timezone(timedelta(hours=9))
    assert arguments.schedule(datetime(2026, 5, 9, 20, 22, tzinfo=tokyo), now=now) == "2026-05-09T17:07"
    assert arguments.schedule(datetime(2026, 5, 9, 17, 7, tzinfo=KATHMANDU), now=now) == "2026-05-09T17:07"
    odd = timezone(timedelta(hours=5, minutes=41, seconds=16))
    assert arguments.schedule(datetime(2026, 5, 9, 17, 3, 16, tzinfo=odd), now=now) == "2026-05-09T17:07"
    with pytest.raises(UsageError, match="seconds"):
        arguments.schedule(datetime(2026, 5, 9, 17, 3, tzinfo=odd), now=now)


@pytest.mark.parametrize(
    ("message", "names"),
    [("{a} and {b}", {"a", "b"}), ("none", set()), ("{a} }{ {tags_b}", {"a", "tags_b"}), ("{}", set())],
)
def test_placeholders(message: str, names: set[str]) -> None:
    """The names of placeholders are found, even in messages that are not valid format strings."""
    assert placeholders(message) == names


def test_collapsed_whitespace() -> None:
    """Line breaks, repeated spaces and no-break spaces become single spaces."""
    assert arguments.collapse_whitespace(" a\r\nb\u00a0 c ") == "a b c"


async def test_files(tmp_path: Path) -> None:
    """A file is read from a `Path` or from a string."""
    path = tmp_path / "A.MP3"
    path.write_bytes(b"ID3")
    expected = File("A.MP3", b"ID3", "audio/mpeg")
    for source in (path, str(path)):
        assert await arguments.file(source, "f", suffixes=(".mp3",)) == expected
    assert "ID3" not in repr(expected)


async def test_text_of_an_enum() -> None:
    """An argument that is an enum accepts the enum's text as well."""
    assert arguments.enum_member(Services, "SMS & PHONE", "services") is Services.SMS_AND_PHONE
    assert arguments.enum_member(Services, Services.SMS, "services") is Services.SMS


async def test_other_tasks_run_while_numbers_are_checked() -> None:
    """While thousands of numbers of a campaign are checked, other tasks get a turn every few hundred numbers."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    numbers = [9_800_000_000 + row for row in range(3000)]
    async with TingTing(base_url="http://127.0.0.1:9", api_token="key") as tingting:
        counter = asyncio.create_task(count())
        with pytest.raises(UsageError, match=r"numbers\[3000\]"):
            await tingting.campaigns.create("n", Services.SMS, numbers=[*numbers, "no number"])
        counter.cancel()
    assert turns >= 10
