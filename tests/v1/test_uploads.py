"""Uploading a file of contacts with an idempotency key: it is uploaded once, whoever calls it again and whenever."""

import asyncio
import csv
import io
import json
import random
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import openpyxl
import pytest
from support.ready_lists import People, Person, Trouble
from support.servers import Received
from support.v1 import connect

from tingting_async import (
    File,
    OutcomeUnknownError,
    PartialFailureError,
    RecipientList,
    SqliteLedger,
    UsageError,
)
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing
from tingting_async.v1.uploads import numbers_of

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + 11 * row) for row in range(25)]
KEY = "fees 2083-08"
UPLOAD = {"path": "*/detail/", "times": 1}


def csv_file(rows: list[Any], name: str = "people.csv") -> File:
    """Return a .csv file."""
    text = io.StringIO()
    csv.writer(text).writerows([["numbers", "name"], *([row, "Sita"] for row in rows)])
    return File(name, text.getvalue().encode("utf-8-sig"))


def xlsx_file(rows: list[Any], name: str = "people.xlsx") -> File:
    """Return an .xlsx file."""
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in [["numbers", "name"], *([row, "Sita"] for row in rows)]:
        book.worksheets[0].append(row)
    book.save(content)
    return File(name, content.getvalue())


@asynccontextmanager
async def sandbox_with_ledger(path: Path) -> AsyncIterator[tuple[Sandbox, TingTing, int]]:
    """Yield a sandbox, a session with a ledger, and a campaign without contacts."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, SqliteLedger(path / "ledger.sqlite") as ledger:
        async with connect(sandbox, ledger=ledger) as tingting:
            [campaign] = sandbox.world.campaigns
            yield sandbox, tingting, campaign


def added(sandbox: Sandbox, campaign: int) -> list[str]:
    """Return the numbers of a campaign, sorted."""
    return sorted(contact.number for contact in sandbox.world.campaigns[campaign].contacts)


@pytest.mark.parametrize("make", [csv_file, xlsx_file])
async def test_called_again(make: Any, tmp_path: Path) -> None:
    """A call after the upload uploads nothing, and returns the number of rows; other files and keys are told apart."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        await tingting.contacts.add(campaign, "9811111111")
        file = make(PHONES)
        first = await tingting.contacts.upload(campaign, file, idempotency_key=KEY)
        again = await tingting.contacts.upload(campaign, file, idempotency_key=KEY)
        assert (25, 25) == (first.rows, again.rows)
        with pytest.raises(UsageError, match="other arguments for `file`"):
            await tingting.contacts.upload(campaign, make(PHONES[:5]), idempotency_key=KEY)
        assert sorted([*PHONES, "9811111111"]) == added(sandbox, campaign)
        await tingting.contacts.upload(campaign, make(PHONES), idempotency_key="once more")
        assert 51 == len(added(sandbox, campaign))


@pytest.mark.parametrize("fault", ["reset_after", "gateway_timeout", "truncate"])
@pytest.mark.parametrize("make", [csv_file, xlsx_file])
async def test_lost_response(make: Any, fault: Any, tmp_path: Path) -> None:
    """An upload whose response is lost finds its contacts by itself, among others."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        await tingting.contacts.add_many(campaign, ["9811111111", PHONES[3]])
        file = make([*PHONES, "98"])
        with sandbox.faults.during([Fault(fault, **UPLOAD)]):
            done = await tingting.contacts.upload(campaign, file, idempotency_key=KEY)
        again = await tingting.contacts.upload(
            campaign, attrs.evolve(file, name=f"copy {file.name}"), idempotency_key=KEY
        )
        assert (25, 25) == (done.rows, again.rows)
        assert sorted([*PHONES, PHONES[3], "9811111111"]) == added(sandbox, campaign)


async def test_never_carried_out(tmp_path: Path) -> None:
    """An upload that was lost on its way is made again; so is one after a process that did not get to it."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        with sandbox.faults.during([Fault("reset", **UPLOAD)]):
            await tingting.contacts.upload(campaign, csv_file(PHONES), idempotency_key=KEY)
        assert PHONES == added(sandbox, campaign)


async def test_two_lost_uploads_of_one_size(tmp_path: Path) -> None:
    """A lost upload is not taken for an earlier one that had as many rows."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        await tingting.contacts.upload(campaign, csv_file(PHONES[:10]), idempotency_key="a")
        with sandbox.faults.during([Fault("reset_after", **UPLOAD)]):
            await tingting.contacts.upload(campaign, csv_file(PHONES[10:20]), idempotency_key="b")
        assert PHONES[:20] == added(sandbox, campaign)


@pytest.mark.parametrize("file", [File("a.csv", b"numbers\n\xff\xfe"), File("a.csv", b"numbers,name\nabc,S\n")])
async def test_what_nobody_can_tell(file: File, tmp_path: Path) -> None:
    """If the numbers of the file are not known, more contacts than before prove nothing: nothing is uploaded again."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):

        async def add_others() -> None:
            await tingting.contacts.add(campaign, "9811111111")

        stall = Fault("stall_after", **UPLOAD)
        with sandbox.faults.during([stall]):
            task = asyncio.create_task(tingting.contacts.upload(campaign, file, idempotency_key=KEY))
            await stall.stalled.wait()
            await add_others()
            task.cancel()
            await asyncio.wait([task])
            stall.release()
        with pytest.raises(OutcomeUnknownError):
            await tingting.contacts.upload(campaign, file, idempotency_key=KEY)
        assert 1 == sum(request.path.endswith("/detail/") for request in sandbox.requests)


def test_numbers_of_files() -> None:
    """The numbers of a file are read from its first column, in whatever way a spreadsheet writes them."""
    chance = random.Random(4)
    forms = (str, int, float, lambda number: f"+977-{number}", lambda number: f" {number} ")
    for make in (csv_file, xlsx_file):
        for _ in range(20):
            given = chance.sample(PHONES, k=chance.randrange(1, 20))
            rows = [chance.choice(forms)(int(number)) for number in given]
            rows.insert(chance.randrange(len(rows) + 1), chance.choice(["", None, "total", "98", 12.5]))
            assert frozenset(given) == numbers_of(make(rows))
    assert frozenset({"9800000001"}) == numbers_of(File("a.csv", b"numbers\n9.800000001E+9\n9.8E9999\n"))
    for content in (b"PK", b"PK\x03\x04" + b"x" * 100, b"", b"numbers\n", b"\xff", b'"' + b"x" * 200_000):
        assert numbers_of(File("a.xlsx", content)) is None


def damaged(how: str) -> bytes:
    """Return a spreadsheet that cannot be read."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<a>" + "x1y2z3" * 500 + "</a>")
    content = bytearray(written.getvalue())
    entry = content.find(b"PK\x01\x02")
    if how == "corrupt":
        content[54:62] = b"\xff" * 8
    elif how == "an unknown method":
        content[entry + 10 : entry + 12] = content[8:10] = b"\x63\x00"
    elif how == "encrypted":
        content[entry + 8] |= 1
        content[6] |= 1
    else:
        del content[100:120]
    return bytes(content)


@pytest.mark.parametrize("how", ["corrupt", "an unknown method", "encrypted", "cut"])
def test_numbers_of_a_damaged_file(how: str) -> None:
    """The numbers of a spreadsheet that cannot be read are not known, and this is no error of Python."""
    assert numbers_of(File("numbers.xlsx", damaged(how))) is None


def people_of(numbers: list[str]) -> Any:
    """Return a list with values of each kind, and a variable that not everybody has."""
    values = ["1,250.00", 'a "b", c', "दुई\nलाइन", "", 5, None]
    ready = [
        Person(each, {"name": values[row % 6], **({"x;y": row} if row % 2 else {})}, row + 2)
        for row, each in enumerate(numbers)
    ]
    return People(ready, (Trouble(99, "Row 99, Mobile: is empty."),))


async def test_a_list_is_uploaded(tmp_path: Path) -> None:
    """A list is uploaded without the rows that have a problem, once for its key, with the values as they are."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        with pytest.raises(UsageError, match=r"1 of the 26 rows in `file`.*Row 99.*skip"):
            await tingting.contacts.upload(campaign, people_of(PHONES))
        for _ in range(2):
            uploaded = await tingting.contacts.upload(
                campaign, people_of(PHONES), on_problem="skip", idempotency_key=KEY
            )
            assert 25 == uploaded.rows
        contacts = {each.number: each.tags for each in sandbox.world.campaigns[campaign].contacts}
    assert PHONES == sorted(contacts)
    expected = {
        each.number: {"name": str(each.variables["name"] or ""), "x;y": str(each.variables.get("x;y", ""))}
        for each in people_of(PHONES)
    }
    assert expected == contacts


async def test_a_list_that_is_read_from_a_file(tmp_path: Path) -> None:
    """A list that was read from a file can be uploaded and added, and rows are named as the file shows them."""
    path = tmp_path / "people.csv"
    path.write_text(f"Fees 2083\n\nName,Mobile\nSita,{PHONES[3]}\nRam,98\nHari,{PHONES[4]}\n", encoding="utf-8")
    people = await RecipientList.read(path)
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        assert 2 == (await tingting.contacts.upload(campaign, people, on_problem="skip")).rows
        again = await tingting.contacts.add_many(campaign, people, on_problem="skip")
        assert PHONES[3:5] == added(sandbox, campaign)
    assert [(4, "already there"), (5, "left out"), (6, "already there")] == [
        (each.row, each.status) for each in again.outcomes
    ]


async def test_split_numbers(tmp_path: Path) -> None:
    """Two recipients of one row are both added, and the row has an outcome for each."""
    people = await RecipientList.from_rows(
        [{"phone": f"{PHONES[3]} / {PHONES[4]}"}, {"phone": PHONES[5]}], split_numbers=True
    )
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        result = await tingting.contacts.add_many(campaign, people)
        assert PHONES[3:6] == added(sandbox, campaign)
    assert [1, 1, 2] == [each.row for each in result.outcomes]
    assert ([1, 2], 3) == (list(result.outcomes.rows()), len(result.outcomes))


async def test_errors_of_split_numbers(serve: Any) -> None:
    """Two recipients of one row keep their errors both, and an error that counts contacts counts them both."""
    fails = False

    async def script(received: Received) -> None:
        contacts = json.loads(received.body)["contacts"]
        if fails and received.number > 1:
            await received.respond(b'{"detail": "no"}', 400)
            return
        errors = [{"row": index, "error": f"reason {index}"} for index in range(len(contacts))]
        created = {"created": len(contacts), "skipped": 0, "contacts": [], "errors": []}
        refused = {"created": 0, "skipped": 0, "contacts": [], "errors": errors}
        await received.respond(json.dumps(created if fails else refused).encode(), 201)

    server = await serve(script)
    people = await RecipientList.from_rows(
        [{"phone": f"{PHONES[3]} / {PHONES[4]}"}, {"phone": f"{PHONES[5]} / {PHONES[6]}"}], split_numbers=True
    )
    async with TingTing(base_url=server.url, api_token="key") as tingting:
        result = await tingting.contacts.add_many(1, people)
        assert {1: "reason 0; reason 1", 2: "reason 2; reason 3"} == result.errors
        fails = True
        with pytest.raises(PartialFailureError, match="1 contact was added, 0 may have been, and 3 were not") as caught:
            await tingting.contacts.add_many(1, people, chunk=1, concurrency=1)
    assert [1, 2] == list(caught.value.not_done)


async def test_lists_that_cannot_be_uploaded(tmp_path: Path) -> None:
    """A list without a ready row, or with a variable that is named like the column of numbers, is refused."""
    async with sandbox_with_ledger(tmp_path) as (sandbox, tingting, campaign):
        for given, said in ((People([]), "no row"), (People([Person(PHONES[0], {"Numbers": 1}, 2)]), "'numbers'")):
            with pytest.raises(UsageError, match=said):
                await tingting.contacts.upload(campaign, given)
        assert [] == sandbox.requests
