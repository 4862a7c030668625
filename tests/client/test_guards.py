"""Guards: what they refuse, what they allow, and what their errors say."""

import asyncio
import pickle
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from support import classic, v1
from support.turns import Turns, counting_turns

from tingting_async import (
    DuplicateSendError,
    File,
    GuardError,
    Guards,
    Prices,
    RecipientList,
    SqliteLedger,
    TingTing,
    UsageError,
)
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewContact, Services, TingTing as V1TingTing

pytestmark = pytest.mark.anyio

EVENING = (time(20), time(8))


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time of the day after tomorrow in Nepal."""
    day = datetime.now(KATHMANDU) + timedelta(days=2)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)


def around_now() -> tuple[time, time]:
    """Return quiet hours that have begun an hour ago."""
    now = datetime.now(KATHMANDU)
    return (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()


# --- How many, and what it costs


@pytest.mark.parametrize(("limit", "is_allowed"), [(3, True), (2, False)])
async def test_max_recipients(limit: int, is_allowed: bool) -> None:
    """A campaign runs with as many contacts as the limit, and not with one more; the error says by how much."""
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=Guards(max_recipients=limit)) as tingting:
        campaign = await v1.make_campaign(tingting)
        if is_allowed:
            await tingting.campaigns.run(campaign.id)
        else:
            with pytest.raises(GuardError, match=r"`max_recipients` is 2, and it would reach 3: 1 too many") as caught:
                await tingting.campaigns.run(campaign.id)
            error = caught.value
            assert ("max_recipients", 2, 3, "campaigns.run") == (
                error.guard,
                error.limit,
                error.actual,
                error.operation,
            )
        assert int(is_allowed) == v1.count_effects(sandbox, "run")


async def test_max_recipients_counts_the_numbers_of_a_classic_run() -> None:
    """A classic run of chosen numbers, or of those with an outcome, counts these alone."""
    async with Sandbox(campaigns=1, numbers=5) as sandbox:
        async with classic.connect(sandbox, guards=Guards(max_recipients=2)) as tingting:
            campaign = await classic.first_campaign(tingting)
            numbers = [number.id async for number in tingting.numbers.list(campaign.id)]
            with pytest.raises(GuardError, match="would reach 5"):
                await tingting.campaigns.run(campaign.id, message="m")
            with pytest.raises(GuardError, match="would reach 3"):
                await tingting.campaigns.run(campaign.id, message="m", numbers=numbers[:3])
            assert 0 == classic.count_effects(sandbox, "run")
            await tingting.campaigns.run(campaign.id, message="m", numbers=numbers[:2])
            assert 1 == classic.count_effects(sandbox, "run")


async def test_max_recipients_counts_the_outcomes_of_a_rerun() -> None:
    """A classic rerun counts the numbers that have one of its outcomes."""
    async with Sandbox(campaigns=1, numbers=4) as sandbox:
        world = sandbox.world
        for contact, status in zip(
            world.campaigns_of(world.owner)[0].contacts, ("failed", "completed", "failed", "hungup"), strict=True
        ):
            contact.status = status
        async with classic.connect(sandbox, guards=Guards(max_recipients=1)) as tingting:
            campaign = await classic.first_campaign(tingting)
            with pytest.raises(GuardError, match="would reach 2"):
                await tingting.campaigns.run(campaign.id, message="m", rerun=["failed"])
            await tingting.campaigns.run(campaign.id, message="m", rerun=["hungup"])
        assert 1 == classic.count_effects(sandbox, "run")


@pytest.mark.parametrize(("limit", "is_allowed"), [(8, True), (7.5, False)])
async def test_max_credits_counts_parts_of_the_filled_text(limit: float, is_allowed: bool) -> None:
    """The parts of an SMS are counted on the text that each contact gets."""
    prices = Prices(per_sms_part=2)
    guards = Guards(max_credits=limit, prices=prices)
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await v1.make_campaign(tingting, Services.SMS, sms_message="{text}")
        for contact in await tingting.contacts.list(campaign.id).collect():
            text = "a" * 200 if contact.number == v1.NUMBERS[0] else "a"
            await tingting.contacts.set_variables(contact.id, {"text": text})
        if is_allowed:
            await tingting.campaigns.run(campaign.id)
        else:
            with pytest.raises(GuardError, match=r"`max_credits` is 7.5, .* cost 8: 0.5 too many") as caught:
                await tingting.campaigns.run(campaign.id)
            assert (Decimal("7.5"), 8) == (caught.value.limit, caught.value.actual)
        assert int(is_allowed) == v1.count_effects(sandbox, "run")


async def test_values_of_recipients_cost_no_requests() -> None:
    """With `recipients`, the guard asks the service for the variables of no contact that is among them."""
    guards = Guards(max_credits=3, prices=Prices(per_sms_part=1))
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await v1.make_campaign(tingting, Services.SMS, sms_message="Hi {name}")
        people = [NewContact(f"+977 {number}", {"name": "Sita"}) for number in v1.NUMBERS]
        await tingting.campaigns.run(campaign.id, recipients=iter(people))
        assert 1 == v1.count_effects(sandbox, "run")
        assert not any("attributes" in received.path for received in sandbox.requests)


async def test_max_credits_without_the_price() -> None:
    """A send whose price is not known is refused."""
    guards = Guards(max_credits=100, prices=Prices(per_sms_part=1))
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await v1.make_campaign(tingting)
        with pytest.raises(GuardError, match=r"`prices` has no `per_call` or `per_call_minute`") as caught:
            await tingting.campaigns.run(campaign.id)
        assert (None, 0) == (caught.value.actual, v1.count_effects(sandbox, "run"))


async def test_max_credits_of_an_unknown_service() -> None:
    """A campaign that does not say how it reaches people is refused, as its cost cannot be known."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET", "a run was sent"
        return web.json_response(v1.page([{"id": 1}]) if "detail" in request.path else {"id": 1})

    guards = Guards(max_credits=100, prices=Prices(per_call=1))
    async with v1.serving(handler, api_token="0123456789abcdef", guards=guards) as tingting:
        with pytest.raises(GuardError, match="does not say whether it calls or texts"):
            await tingting.campaigns.run(1)


@pytest.mark.parametrize(("limit", "is_allowed"), [(1000, True), (0.5, False)])
async def test_max_credits_of_a_line(limit: float, is_allowed: bool) -> None:
    """A line is bought if its rate is within the limit; other guards do not concern it."""
    guards = Guards(max_credits=limit, prices=Prices(per_call=1), max_recipients=0, quiet_hours=around_now())
    async with Sandbox() as sandbox, classic.connect(sandbox, guards=guards) as tingting:
        line = await tingting.phone_numbers.for_sale().first()
        assert line is not None
        if is_allowed:
            await tingting.phone_numbers.buy(line.sid)
        else:
            with pytest.raises(GuardError, match="max_credits"):
                await tingting.phone_numbers.buy(line.sid)
        assert int(is_allowed) == classic.count_effects(sandbox, "purchase")


@pytest.mark.parametrize(
    ("prices", "sms_parts", "calls", "expected"),
    [
        (Prices(per_sms_part=0.1), 3, 0, "0.3"),
        (Prices(per_call=2), 0, 3, "6"),
        (Prices(per_call_minute=Decimal("1.5"), minutes_per_call=2), 0, 2, "6.0"),
        (Prices(per_sms_part=1, per_call_minute=2), 1, 1, "3"),
        (Prices(per_sms_part=1), 0, 0, "0"),
    ],
)
def test_prices(prices: Prices, sms_parts: int, calls: int, expected: str) -> None:
    """Prices are multiplied exactly, and a call takes as many minutes as the user expects."""
    assert Decimal(expected) == prices.estimate(sms_parts=sms_parts, calls=calls)


# --- When


@pytest.mark.parametrize(
    ("hours", "when", "is_allowed"),
    [
        (EVENING, (19, 59), True),
        (EVENING, (20, 0), False),
        (EVENING, (23, 59), False),
        (EVENING, (0, 0), False),
        (EVENING, (7, 59), False),
        (EVENING, (8, 0), True),
        ((time(12), time(13)), (12, 30), False),
        ((time(12), time(13)), (13, 0), True),
        ((time(12), time(13)), (0, 30), True),
    ],
)
async def test_a_scheduled_run(hours: tuple[time, time], when: tuple[int, int], is_allowed: bool) -> None:
    """A scheduled run is judged by its schedule in Nepal's time, in both generations, and not by the present time."""
    guards = Guards(quiet_hours=hours)
    async with Sandbox(campaigns=1, numbers=2) as sandbox:
        async with v1.connect(sandbox) as free:
            campaign = await v1.make_campaign(free, schedule=at(*when))
        async with classic.connect(sandbox, guards=guards) as old, v1.connect(sandbox, guards=guards) as tingting:
            other = (await old.campaigns.list().collect())[-1]
            for run in (
                tingting.campaigns.run(campaign.id),
                old.campaigns.run(other.id, message="m", schedule=at(*when)),
            ):
                if is_allowed:
                    await run
                else:
                    with pytest.raises(GuardError, match=f"would begin at {when[0]:02}:{when[1]:02} there") as caught:
                        await run
                    assert ("quiet_hours", hours, at(*when)) == (
                        caught.value.guard,
                        caught.value.limit,
                        caught.value.actual,
                    )
        assert 2 * is_allowed == v1.count_effects(sandbox, "run")


async def test_a_schedule_is_not_moved_into_the_quiet_hours() -> None:
    """A campaign gets no schedule within the quiet hours: if it was run before, nothing would ask the guards again."""
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=Guards(quiet_hours=EVENING)) as tingting:
        campaign = await v1.make_campaign(tingting, schedule=at(12))
        await tingting.campaigns.run(campaign.id)
        with pytest.raises(GuardError, match="would begin at 22:00 there, 600 minutes before they end"):
            await tingting.campaigns.update(campaign.id, schedule=at(22))
        assert at(12) == (await tingting.campaigns.get(campaign.id)).schedule


async def test_contacts_are_added_in_the_quiet_hours() -> None:
    """What reaches nobody is allowed at any time."""
    guards = Guards(quiet_hours=around_now(), max_recipients=0, suppressed=())
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await v1.make_campaign(tingting)
        await tingting.contacts.add(campaign.id, "9800000009")
        assert 4 == await tingting.contacts.list(campaign.id).count()


async def test_quiet_hours_that_begin_while_a_send_waits() -> None:
    """A send that waits for its slot until the quiet hours have begun is not sent."""
    begin = datetime.now(KATHMANDU) + timedelta(seconds=0.3)
    has_started = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET", "a one-time password was sent"
        has_started.set()
        while datetime.now(KATHMANDU) < begin:
            await asyncio.sleep(0.01)
        return web.json_response({})

    guards = Guards(quiet_hours=(begin.time(), (begin + timedelta(hours=1)).time()))
    async with v1.serving(handler, api_token="0123456789abcdef", guards=guards, max_in_flight=1) as tingting:
        reading = asyncio.ensure_future(tingting.dashboard.get())
        await has_started.wait()
        assert datetime.now(KATHMANDU) < begin, "the machine was too slow for this test"
        with pytest.raises(GuardError, match="quiet_hours"):
            await tingting.otp.send("9800000001", "{otp}", channel="text")
        await reading


# --- Whom


def given_as(kind: str, numbers: list[str]) -> Any:
    """Return a suppression list in one of the forms that a user may have."""

    async def read() -> list[str]:
        return numbers

    async def stream() -> AsyncIterator[str]:
        for number in numbers:
            yield number

    forms: dict[str, Callable[[], Any]] = {
        "list": lambda: numbers,
        "generator": lambda: (number for number in numbers),
        "contacts": lambda: [NewContact(number, {}) for number in numbers],
        "function": lambda: lambda: numbers,
        "async function": lambda: read,
        "async generator": lambda: stream,
    }
    return forms[kind]()


@pytest.mark.parametrize("kind", ["list", "generator", "contacts", "function", "async function", "async generator"])
@pytest.mark.parametrize("spelling", ["9800000002", "+977 980-0000002", "\u096f\u096e\u0966\u0966\u0966\u09660002"])
async def test_suppressed_contacts(kind: str, spelling: str) -> None:
    """A campaign with a number on the suppression list is not run, however the list writes the number."""
    guards = Guards(suppressed=given_as(kind, ["9811111111", spelling]))
    async with Sandbox(campaigns=0) as sandbox:
        async with v1.connect(sandbox) as free:
            campaign = await v1.make_campaign(free)
        async with v1.connect(sandbox, guards=guards) as tingting:
            for _ in range(2):
                with pytest.raises(GuardError, match=r"1 of 3 recipients is on the suppression list \(…02\)") as caught:
                    await tingting.campaigns.run(campaign.id)
                assert ("suppressed", 0, 1) == (caught.value.guard, caught.value.limit, caught.value.actual)
                assert "9800000002" not in f"{caught.value!r}{vars(caught.value)}"
        assert 0 == v1.count_effects(sandbox, "run")


async def test_numbers_that_are_not_suppressed() -> None:
    """A campaign, a code and a demo call reach whoever is not on the list."""
    async with Sandbox(campaigns=0) as sandbox:
        async with v1.connect(sandbox, guards=Guards(suppressed=["9811111111"])) as tingting:
            campaign = await v1.make_campaign(tingting)
            contact = await v1.first_contact(tingting, campaign.id)
            await tingting.contacts.demo_call(contact.id, campaign_id=campaign.id)
            await tingting.otp.send("9800000001", "{otp}", channel="text")
            await tingting.campaigns.run(campaign.id)
        assert 3 == v1.count_effects(sandbox, "demo", "otp", "run")


async def test_a_demo_call_to_an_unknown_number() -> None:
    """A demo call is refused if the campaign of its contact is not given, as its number cannot be read then."""
    async with Sandbox(campaigns=0) as sandbox:
        async with v1.connect(sandbox, guards=Guards(suppressed=["9811111111"])) as tingting:
            contact = await v1.first_contact(tingting, (await v1.make_campaign(tingting)).id)
            with pytest.raises(GuardError, match="Give the `campaign_id` of the contact"):
                await tingting.contacts.demo_call(contact.id)
        assert 0 == v1.count_effects(sandbox, "demo")


async def test_suppressed_numbers_are_not_added() -> None:
    """A number on the suppression list is neither added to a campaign nor put in place of another."""
    guards = Guards(suppressed=["9811111111"])
    async with Sandbox(campaigns=1, numbers=2) as sandbox:
        async with classic.connect(sandbox, guards=guards) as old, v1.connect(sandbox, guards=guards) as tingting:
            campaign = await classic.first_campaign(old)
            number = (await old.numbers.list(campaign.id).collect())[0]
            for call in (
                lambda: tingting.contacts.add(campaign.id, "9811111111"),
                lambda: tingting.contacts.edit(number.id, 9811111111),
                lambda: old.numbers.add(campaign.id, "+9779811111111"),
                lambda: old.numbers.edit(number.id, "981-1111111"),
            ):
                with pytest.raises(GuardError, match=r"suppression list \(…11\)"):
                    await call()
            assert 2 == await tingting.contacts.list(campaign.id).count()


async def test_a_function_is_called_for_each_send() -> None:
    """A number that is put on the list between two sends is not reached by the second."""
    blocked: list[str] = []
    async with Sandbox() as sandbox, v1.connect(sandbox, guards=Guards(suppressed=lambda: blocked)) as tingting:
        await tingting.otp.send("9800000001", "{otp}", channel="text")
        blocked.append("9800000001")
        with pytest.raises(GuardError):
            await tingting.otp.send("9800000001", "{otp}", channel="text")
        assert 1 == v1.count_effects(sandbox, "otp")


async def test_a_number_that_is_suppressed_while_the_send_waits() -> None:
    """The list is read when the send has waited for its slot and is about to leave."""
    blocked: list[str] = []
    has_started, may_end = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET", "a one-time password was sent"
        has_started.set()
        await may_end.wait()
        return web.json_response({})

    options = {"api_token": "0123456789abcdef", "guards": Guards(suppressed=lambda: [*blocked]), "max_in_flight": 1}
    async with v1.serving(handler, **options) as tingting:
        reading = asyncio.ensure_future(tingting.dashboard.get())
        await has_started.wait()
        sending = asyncio.ensure_future(tingting.otp.send("9800000001", "{otp}", channel="text"))
        for _ in range(20):
            await asyncio.sleep(0)  # Until it waits for its slot.
        blocked.append("9800000001")
        may_end.set()
        with pytest.raises(GuardError):
            await sending
        await reading


@pytest.mark.parametrize("rows", [["9800000001", "Sita"], ["9800000001", None], [984123456.5]])
def test_an_unreadable_row(rows: list[Any]) -> None:
    """A list with a row that is not a number is refused when the guards are made, and the error names the row."""
    with pytest.raises(UsageError, match=rf"rows that cannot be read.*`suppressed\[{len(rows) - 1}\]`") as caught:
        Guards(suppressed=rows)
    assert [f"suppressed[{len(rows) - 1}]"] == [where for where, _ in caught.value.problems]
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    assert "9800000001" not in str([frame.f_locals for frame in frames])


async def test_an_unreadable_row_of_a_function() -> None:
    """A function that returns such a row, or fails, stops everything that reaches people."""

    async def fail() -> list[str]:
        raise ConnectionError("9800000001 is on the list")

    async with Sandbox() as sandbox:
        for source, said in (
            (lambda: ["nobody"], "rows that cannot be read"),
            (fail, "`suppressed` raised Connection"),
        ):
            async with v1.connect(sandbox, guards=Guards(suppressed=source)) as tingting:
                with pytest.raises(
                    GuardError, match=f"otp.send: nothing was sent, because the .* list cannot be read.*{said}"
                ) as caught:
                    await tingting.otp.send("9800000001", "{otp}", channel="text")
                assert ("otp.send", "9800000001" in str(caught.value)) == (caught.value.operation, False)
        assert 0 == v1.count_effects(sandbox, "otp")


# --- All of them


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_recipients": -1}, "max_recipients"),
        ({"max_recipients": True}, "max_recipients"),
        ({"max_recipients": 1.5}, "max_recipients"),
        ({"max_credits": 10}, "`max_credits` needs `prices`"),
        ({"max_credits": -1, "prices": Prices(per_call=1)}, "max_credits"),
        ({"max_credits": float("nan"), "prices": Prices(per_call=1)}, "max_credits"),
        ({"max_credits": "5", "prices": Prices(per_call=1)}, "max_credits"),
        ({"prices": 3}, "prices"),
        ({"quiet_hours": (time(20), time(20))}, "two different times"),
        ({"quiet_hours": (20, 8)}, "two times"),
        ({"quiet_hours": time(20)}, "two times"),
        ({"quiet_hours": (time(20, tzinfo=KATHMANDU), time(8))}, "without `tzinfo`"),
        ({"suppressed": "9800000001"}, "list of numbers"),
        ({"suppressed": {"9800000001": 1}}, "list of numbers"),
        ({"suppressed": 9800000001}, "list of numbers"),
    ],
)
def test_guards_that_cannot_work(arguments: dict[str, Any], said: str) -> None:
    """Guards with an argument that is not valid are refused when they are made."""
    with pytest.raises(UsageError, match=said):
        Guards(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"per_call": 1, "per_call_minute": 1}, {"per_call": -1}, {"per_sms_part": "1"}, {"minutes_per_call": 2}],
)
def test_prices_that_cannot_be(arguments: dict[str, Any]) -> None:
    """Prices that are empty, contradict each other or are not amounts are refused."""
    with pytest.raises(UsageError):
        Prices(**arguments)


async def test_a_send_that_was_made_before(tmp_path: Path) -> None:
    """If the ledger has the send, the error says so, whatever the guards allow now."""
    ledger = SqliteLedger(tmp_path / "sends.sqlite")
    async with Sandbox(campaigns=0) as sandbox, ledger:
        async with v1.connect(sandbox, ledger=ledger) as tingting:
            campaign = await v1.make_campaign(tingting)
            await tingting.campaigns.run(campaign.id)
        async with v1.connect(sandbox, ledger=ledger, guards=Guards(max_recipients=0)) as tingting:
            with pytest.raises(DuplicateSendError):
                await tingting.campaigns.run(campaign.id)


async def test_a_refused_send_is_free(tmp_path: Path) -> None:
    """A send that a guard refused can be made afterwards with the same key."""
    ledger = SqliteLedger(tmp_path / "sends.sqlite")
    async with Sandbox(campaigns=0) as sandbox, ledger:
        async with v1.connect(sandbox, ledger=ledger, guards=Guards(max_recipients=2)) as tingting:
            campaign = await v1.make_campaign(tingting)
            with pytest.raises(GuardError):
                await tingting.campaigns.run(campaign.id, idempotency_key="fees")
        async with v1.connect(sandbox, ledger=ledger, guards=Guards(max_recipients=3)) as tingting:
            await tingting.campaigns.run(campaign.id, idempotency_key="fees")
        assert 1 == v1.count_effects(sandbox, "run")


def test_errors_are_data() -> None:
    """A GuardError keeps what it says when it is pickled."""
    error = GuardError("text", guard="max_recipients", limit=2, actual=3, operation="campaigns.run")
    copied = pickle.loads(pickle.dumps(error))
    assert (vars(error), str(error)) == (vars(copied), str(copied))


async def test_a_recipient_list() -> None:
    """A list that was read from rows suppresses the number of each row, even of one with another problem."""
    rows = [{"number": "9800000001", "name": "A"}, {"number": "+977 9800000001", "name": "B"}]
    people = await RecipientList.from_rows(rows)
    assert 2 == len(people.problems), "the rows contradict each other"
    async with Sandbox() as sandbox, v1.connect(sandbox, guards=Guards(suppressed=people)) as tingting:
        with pytest.raises(GuardError):
            await tingting.otp.send("9800000001", "{otp}", channel="text")
    broken = await RecipientList.from_rows([*rows, {"number": "98000", "name": "C"}])
    with pytest.raises(UsageError, match=r"rows that cannot be read. Row 3: column 'number': the value") as caught:
        Guards(suppressed=broken)
    assert ["row 3"] == [where for where, _ in caught.value.problems]


async def test_a_file_of_rejects(tmp_path: Path) -> None:
    """A row that was added to a rejects file is named once in the error of a suppression list."""
    path = tmp_path / "stop.csv"
    await (await RecipientList.from_rows([{"number": "98000"}])).write_rejects(path)
    path.write_text(f"{path.read_text(encoding='utf-8')}98001,,\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"Row 1: column A .* Row 3 of this file: column A"):
        Guards(suppressed=await RecipientList.read(path))


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        (["Ram,father's number,complaint", "Sita,9851234567,moved"], 1),  # The first may be headers.
        (["do not call mobile 9841234567,,", "Name,Phone,Why", "Sita,9851234567,moved"], 1),
    ],
)
async def test_a_row_that_may_be_no_header(tmp_path: Path, rows: list[str], row: int) -> None:
    """A list that skips a row that may be somebody's is refused as a suppression list."""
    path = tmp_path / "stop.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    people = await RecipientList.read(path)
    assert (row,) == people.doubtful_rows
    with pytest.raises(UsageError, match=f"rows that cannot be read. Row {row}: it was taken for headers or a title"):
        Guards(suppressed=people)


async def test_a_clear_header_is_no_doubt(tmp_path: Path) -> None:
    """A list with a title and a header that names phone numbers is a suppression list."""
    path = tmp_path / "stop.csv"
    path.write_text("Do not call,,\nName,Phone,Why\nSita,9851234567,moved", encoding="utf-8")
    people = await RecipientList.read(path)
    assert () == people.doubtful_rows
    Guards(suppressed=people)


async def test_suppressed_numbers_that_a_classic_run_leaves_out() -> None:
    """A classic run of chosen numbers is judged by these alone, and refused if the list does not have all of them."""
    async with Sandbox(campaigns=1, numbers=3) as sandbox:
        first, *others = sandbox.world.campaigns_of(sandbox.world.owner)[0].contacts
        async with classic.connect(sandbox, guards=Guards(suppressed=[first.number])) as tingting:
            campaign = await classic.first_campaign(tingting)
            run = partial(tingting.campaigns.run, campaign.id, message="m")
            with pytest.raises(GuardError, match="1 of 3 recipients"):
                await run()
            with pytest.raises(GuardError, match="1 of 1 recipient is"):
                await run(numbers=[first.id])
            with pytest.raises(GuardError, match="does not have all of them"):
                await run(numbers=[others[0].id, 999_999])
            await run(numbers=[each.id for each in others])
        assert 1 == classic.count_effects(sandbox, "run")


async def test_suppressed_numbers_of_a_file() -> None:
    """A file with a number on the suppression list is not uploaded; one without is."""
    guards = Guards(suppressed=["9800000003"])
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi")
        with pytest.raises(GuardError, match=r"1 of 2 recipients is on the suppression list \(…03\)"):
            await tingting.contacts.upload(campaign.id, File("a.csv", b"numbers\n9800000003\n9800000004"))
        assert 0 == v1.count_effects(sandbox, "contact")
        await tingting.contacts.upload(campaign.id, File("a.csv", b"numbers\n9800000004\n9800000005"))
        assert 2 == await tingting.contacts.list(campaign.id).count()


@pytest.mark.parametrize(
    ("status", "schedule", "is_allowed"),
    [
        ("completed", None, True),
        ("completed", at(12), False),
        ("unanswered", None, False),
        ("ringing", None, False),
        ("answered", None, False),
        ("not started", None, False),
        ("Unanswered", None, False),
        (None, None, False),
    ],
)
async def test_a_rerun_of_a_number_whose_status_may_change(
    status: str | None, schedule: datetime | None, is_allowed: bool
) -> None:
    """A rerun is judged by all numbers that may have one of its outcomes when it begins, and not only when listed."""
    for guard, said in (("suppressed", "1 of 2 recipients"), ("max_recipients", "would reach 2: 1 too many")):
        async with Sandbox(campaigns=1, numbers=2) as sandbox:
            first, second = sandbox.world.campaigns_of(sandbox.world.owner)[0].contacts
            first.status, second.status = status, "unanswered"  # type: ignore[assignment]
            guards = Guards(suppressed=[first.number]) if guard == "suppressed" else Guards(max_recipients=1)
            async with classic.connect(sandbox, guards=guards) as tingting:
                campaign = await classic.first_campaign(tingting)
                run = tingting.campaigns.run(campaign.id, message="m", rerun=["unanswered"], schedule=schedule)
                if is_allowed:
                    await run
                else:
                    with pytest.raises(GuardError, match=said):
                        await run
            assert is_allowed == classic.count_effects(sandbox, "run")


async def test_a_rerun_of_numbers_that_are_not_listed() -> None:
    """A rerun of chosen numbers is refused, too, if the campaign's list does not have all of them."""
    async with Sandbox(campaigns=1, numbers=2) as sandbox:
        contacts = sandbox.world.campaigns_of(sandbox.world.owner)[0].contacts
        for contact in contacts:
            contact.status = "failed"
        async with classic.connect(sandbox, guards=Guards(suppressed=["9811111111"])) as tingting:
            campaign = await classic.first_campaign(tingting)
            run = partial(tingting.campaigns.run, campaign.id, message="m", rerun=["failed"])
            with pytest.raises(GuardError, match="does not have all of them"):
                await run(numbers=[contacts[0].id, 999_999])
            await run(numbers=[contact.id for contact in contacts])
        assert 1 == classic.count_effects(sandbox, "run")


@pytest.mark.parametrize("listed", ["9800000002", 9800000002, 9779800000002, "+977 980-0000002", "०९८०-००००००२"])
async def test_spellings_of_listed_numbers(listed: str | int) -> None:
    """A number on the suppression list is recognised however the service lists it, in both generations."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET", "a run was sent"
        row = {"id": 1, "number": listed, "name": "n", "services": "SMS", "sms_message": "m"}
        if request.path.startswith("/api/v1"):
            return web.json_response(v1.page([row]) if "campaign-detail" in request.path else row)
        data = {"messages": "", "number-lists": [row], "details": [row]}
        return web.json_response({"status": 200, "success": True, "message": "", "errors": [], "data": data})

    options = {"api_token": "0123456789abcdef", "guards": Guards(suppressed=["9800000002"])}
    for kind, run in ((TingTing, {"message": "m"}), (V1TingTing, {})):
        async with v1.serving(handler, kind, **options) as tingting:
            with pytest.raises(GuardError, match=r"1 of 1 recipient is on the suppression list \(…02\)"):
                await tingting.campaigns.run(1, **run)


@pytest.mark.parametrize("kind", ["iterator", "generator", "async generator", "list"])
async def test_a_suppression_list_that_is_copied(kind: str) -> None:
    """Guards that are made from others suppress the same numbers, even if these came from an iterator."""
    numbers = ["9800000001", "9800000002"]
    source = iter(numbers) if kind == "iterator" else given_as(kind, numbers)
    copied = attrs.evolve(Guards(suppressed=source), max_recipients=5)
    assert {*numbers} == await copied.suppressed_numbers("test")


@pytest.mark.parametrize("kind", ["iterator", "generator", "begun generator"])
def test_an_iterator_that_was_read_before(kind: str) -> None:
    """Guards are not made from an iterator that was read before, as numbers would be missing."""
    numbers = ["9800000001", "9800000002"]
    source = iter(numbers) if kind == "iterator" else (number for number in numbers)
    next(source)
    if kind != "begun generator":
        assert ["9800000002"] == list(source)
    with pytest.raises(UsageError, match="read before"):
        Guards(suppressed=source)


@pytest.mark.parametrize("kind", ["iterator", "generator", "async generator", "begun async generator"])
async def test_a_function_that_returns_one_iterator(kind: str) -> None:
    """A function that returns an iterator for the second time allows nothing: the list would be empty, or shorter."""
    numbers = ["9800000001", "9800000002"]
    source: Any = given_as("async generator", numbers)() if "async" in kind else given_as("generator", numbers)
    if kind == "iterator":
        source = iter(numbers)
    guards = Guards(suppressed=lambda: source)
    if kind == "begun async generator":
        await anext(source)
        await source.aclose()
    else:
        assert {*numbers} == await guards.suppressed_numbers("test")
    with pytest.raises(GuardError, match=r"cannot be read.*read before"):
        await guards.suppressed_numbers("test")


async def test_functions_without_numbers() -> None:
    """A function may return an empty list, or a new generator without numbers, as often as it is called."""
    empty = list[str]()
    for source in (lambda: empty, lambda: (number for number in empty), given_as("async generator", empty)):
        guards = Guards(suppressed=source)
        for _ in range(2):
            assert frozenset() == await guards.suppressed_numbers("test")


@pytest.mark.parametrize("kind", ["list", "async generator", "RecipientList"])
async def test_other_tasks_run_while_the_list_is_read(kind: str) -> None:
    """A long suppression list of a function is read in parts, between which other tasks run."""
    numbers = [str(9_800_000_001 + row) for row in range(3000)]
    people = await RecipientList.from_rows(numbers)
    guards = Guards(suppressed=(lambda: people) if kind == "RecipientList" else given_as(f"{kind}", numbers))
    if kind == "list":
        guards = Guards(suppressed=lambda: numbers)
    async with counting_turns() as turns:
        assert 3000 == len(await guards.suppressed_numbers("test"))
        assert turns.count >= 5


async def test_quiet_hours_that_begin_while_the_list_is_read() -> None:
    """A send is checked once more immediately before its first byte, also on a connection of a user's own session."""
    begin = datetime.now(KATHMANDU) + timedelta(seconds=0.3)

    async def read() -> list[str]:
        assert datetime.now(KATHMANDU) < begin, "the machine was too slow for this test"
        while datetime.now(KATHMANDU) < begin:
            await asyncio.sleep(0.01)
        return []

    guards = Guards(quiet_hours=(begin.time(), (begin + timedelta(hours=1)).time()), suppressed=read)
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        async with v1.connect(sandbox, guards=guards, http=http) as tingting:
            with pytest.raises(GuardError, match="quiet_hours"):
                await tingting.otp.send("9800000001", "{otp}", channel="text")
        assert 0 == v1.count_effects(sandbox, "otp")


async def test_contacts_that_the_count_lacks() -> None:
    """If the list of contacts is longer than the service's count, all of them count."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET", "a run was sent"
        rows = [{"id": row, "number": f"980000000{row}"} for row in range(1, 4)]
        if "campaign-detail" not in request.path:
            return web.json_response({"id": 1, "services": "SMS", "sms_message": "m"})
        requests.append(request.query_string)
        return web.json_response(v1.page(rows[: 2 if len(requests) == 1 else 3]))

    requests: list[str] = []
    options = {"api_token": "0123456789abcdef", "guards": Guards(max_recipients=2, suppressed=["9811111111"])}
    async with v1.serving(handler, **options) as tingting:
        with pytest.raises(GuardError, match="would reach 3"):
            await tingting.campaigns.run(1)


class _Watched(dict[str, Any]):
    """Variables that note when they are read."""

    def __init__(self, turns: Turns, noted: list[int]) -> None:
        super().__init__(name="Sita")
        self._turns = turns
        self._noted = noted

    def __getitem__(self, name: str) -> Any:
        self._noted.append(self._turns.count)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a variable."""
        return self[name]


async def test_other_tasks_run_while_parts_are_counted() -> None:
    """The parts of the texts of many recipients are counted in portions, between which other tasks run."""
    guards, noted = Guards(max_credits=1000, prices=Prices(per_sms_part=1)), list[int]()
    async with Sandbox(campaigns=0) as sandbox, v1.connect(sandbox, guards=guards) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        numbers = [str(9_800_000_001 + row) for row in range(450)]
        await tingting.contacts.add_many(campaign.id, numbers)
        async with counting_turns() as turns:
            people = [NewContact(number, _Watched(turns, noted)) for number in numbers]
            await tingting.campaigns.run(campaign.id, recipients=people)
        reads = len(noted) // len(numbers)
        assert reads >= 1
        assert max(Counter(noted).values()) <= reads * 200
