"""Creations with a key: called again, by anyone, at any time, they return what was created first."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    File,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    SendState,
    SqliteLedger,
    TingTing as Classic,
    TingTingError,
    UsageError,
    Verdict,
    ensure_sent,
)
from tingting_async.ledger.claims import Claim, Decision
from tingting_async.outcomes import Clocks
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import ContactStatus, Services, TingTing

pytestmark = pytest.mark.anyio

NUMBERS = ["9800000001", "9800000002"]
GENERATIONS = {"v1": TingTing, "classic": Classic}
LOST = ["reset_after", "gateway_timeout", "truncate", "empty", "html", "invalid_utf8"]
"""Faults after which the campaign exists, and the client does not know it."""


@pytest.fixture(params=GENERATIONS)
def kind(request: pytest.FixtureRequest) -> Any:
    """Return the session class of each generation in turn."""
    return GENERATIONS[request.param]


def create(tingting: Any, key: str | None = "k", name: str = "Dashain reminder", **options: Any) -> Any:
    """Create a campaign."""
    if isinstance(tingting, Classic):
        options = {"numbers": NUMBERS, **options} if "file" not in options else options
    return tingting.campaigns.create(name, options.pop("services", "PHONE"), idempotency_key=key, **options)


def created(sandbox: Sandbox, name: str = "Dashain reminder") -> list[int]:
    """Return the ids of the campaigns with this name, in the order of their creation."""
    return [each.id for each in sandbox.world.campaigns.values() if each.name == name]


async def test_same_campaign(sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger, posts: Any) -> None:
    """The same call returns the same campaign: in the same session, in another one, after it was changed."""
    async with connect(kind) as tingting:
        first = await create(tingting)
        assert first.id == (await create(tingting)).id
    async with connect(kind) as other:
        await other.campaigns.update(first.id, name="Tihar reminder")
        found = await create(other)
    assert (first.id, "Tihar reminder") == (found.id, found.name)
    assert (1, []) == (posts(), await ledger.unresolved())
    assert [str(first.id)] == [send.result for send in await ledger._storage.sends()]


@pytest.mark.parametrize("campaigns", [0, 1, 9, 10, 11, 400])
async def test_requests(connect: Any, kind: Any, campaigns: int, path: Path) -> None:
    """Before it creates, a call sends at most two requests, however many campaigns there are; later, only one."""
    async with Sandbox(campaigns=campaigns, numbers=0) as sandbox:
        async with connect(kind, base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            await create(tingting)
            assert ["GET"] * (2 if kind is TingTing else 1) + ["POST"] == [each.method for each in sandbox.requests]
            sandbox.requests.clear()
            await create(tingting)
            assert ["GET"] == [each.method for each in sandbox.requests]


@pytest.mark.parametrize("fault", LOST[:3])
async def test_lost_response(
    sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger, fault: str, posts: Any, path: Path
) -> None:
    """A creation whose response is lost finds its campaign by itself, among older ones of the same name."""
    async with connect(kind) as tingting:
        older = [(await create(tingting, None)).id, (await create(tingting, "older")).id]
        with sandbox.faults.during([Fault(fault, method="POST", times=1)]):
            campaign = await create(tingting)
        assert campaign.id == (await create(tingting)).id
    assert [*older, campaign.id] == created(sandbox)
    assert (3, []) == (posts(), await ledger.unresolved())


async def test_another_process(sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger, posts: Any) -> None:
    """A creation that is unknown is found by a session that has not seen the service's clock before."""
    async with connect(kind) as tingting:
        for _ in range(11):  # More than a page, so that the time of the new one must be compared.
            await create(tingting, None)
        stall = Fault("stall_after", method="POST")
        with sandbox.faults.during([stall]):
            task = asyncio.create_task(create(tingting))
            await stall.stalled.wait()
            task.cancel()
            await asyncio.wait([task])
            stall.release()
    assert 1 == len(await ledger.unresolved())
    async with connect(kind) as other:
        campaign = await create(other)
    assert [campaign.id] == created(sandbox)[11:]
    assert (12, []) == (posts(), await ledger.unresolved())


async def test_list_without_an_order(connect: Any, path: Path) -> None:
    """In a long list whose order is only roughly the newest first, the campaign is found as well."""
    async with Sandbox(campaigns=80, numbers=0, list_order="ties") as sandbox:
        async with connect(Classic, base_url=sandbox.url, api_token=sandbox.api_token) as classic:
            with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
                campaign = await create(classic)
        assert [campaign.id] == created(sandbox)


async def test_never_carried_out(sandbox: Sandbox, connect: Any, ledger: SqliteLedger) -> None:
    """A creation that the service did not carry out is made again, once two looks have shown that."""
    async with connect(TingTing) as tingting, connect(Classic) as classic:
        with sandbox.faults.during([Fault("reset", method="POST", times=2)]):
            made = await asyncio.gather(create(tingting, "a"), create(classic, "b", name="Tihar"))
    assert [[each.id] for each in made] == [created(sandbox), created(sandbox, "Tihar")]
    assert [] == await ledger.unresolved()


async def test_after_a_crash(sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger) -> None:
    """A creation that another process has left as unknown is reconciled by the next call, in whatever order."""
    async with connect(kind) as tingting:
        campaigns = {}
        for key in "abc":
            stall = Fault("stall_after", method="POST", times=1)
            with sandbox.faults.during([stall]):
                task = asyncio.create_task(create(tingting, key))
                await stall.stalled.wait()
                task.cancel()
                await asyncio.wait([task])
                stall.release()
            if key == "a":
                campaigns["a"] = (await create(tingting, "a")).id
        assert ["b", "c"] == [send.key for send in await ledger.unresolved()]
        for key in "cb":
            campaigns[key] = (await create(tingting, key)).id
    assert created(sandbox) == [campaigns[key] for key in "abc"]


@pytest.mark.parametrize("tasks", [20])
async def test_many_tasks(sandbox: Sandbox, connect: Any, kind: Any, tasks: int) -> None:
    """Twenty tasks with one key, in two sessions, create one campaign, and all get it."""
    async with connect(kind) as one, connect(kind) as other:
        made = await asyncio.gather(*(create(tingting) for tingting in (one, other) * (tasks // 2)))
    assert created(sandbox) * tasks == [each.id for each in made]


async def test_many_keys(sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger) -> None:
    """Campaigns of one name with different keys are different ones, though every third response is lost."""
    for nth in range(3, 24, 3):
        sandbox.faults.add(Fault("reset_after", method="POST", nth=nth))
    async with connect(kind) as one, connect(kind) as other:
        keys = [str(number) for number in range(12)]
        first = await asyncio.gather(*(create(one, key) for key in keys))
        again = await asyncio.gather(*(create(other, key) for key in keys))
    assert sorted(each.id for each in first) == created(sandbox)
    assert [each.id for each in first] == [each.id for each in again]
    assert [] == await ledger.unresolved()


async def test_in_progress_elsewhere(sandbox: Sandbox, connect: Any, kind: Any, posts: Any) -> None:
    """A creation in progress elsewhere is waited for, within the time limit of the call."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect(kind) as one, connect(kind) as other:
        first = asyncio.create_task(create(one, name="Dashain réminder"))
        await stall.stalled.wait()
        with pytest.raises(DuplicateSendError, match="in progress") as caught:
            await create(other, name="Dashain réminder", timeout=0.3)
        assert SendState.IN_PROGRESS is caught.value.send.state
        for name in ("Dashain réminder", "Dashain re\u0301minder"):  # Of the same name, in both forms of Unicode.
            with pytest.raises(DuplicateSendError, match="the key 'k' as in progress"):
                await create(other, "another", name, timeout=0.3)
        second = asyncio.create_task(create(other, name="Dashain réminder"))
        stall.release()
        assert (await first).id == (await second).id
    assert 1 == posts()


async def test_a_creation_that_may_still_be_carried_out(sandbox: Sandbox, connect: Any, kind: Any) -> None:
    """While another request for the same name may still be carried out, the list is not read, and nothing is sent."""
    stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
    async with connect(kind) as dead, connect(kind) as tingting:
        first = asyncio.create_task(create(dead, "dead"))
        await stall.stalled.wait()
        first.cancel()
        await asyncio.wait([first])
        requests = len(sandbox.requests)
        with pytest.raises(NotSentError, match=r"nothing was sent\. .* whose response was lost\. Call again in \d+ s"):
            await create(tingting, "another", timeout=0.3)
        assert requests == len(sandbox.requests)
        another = await ensure_sent(lambda: create(tingting, "another"), wait=0.1)
        stall.release()
        assert another.id in created(sandbox)


async def test_found_out_by_somebody_else(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """If another call finds the campaign and runs it during a check, which then proves nothing, that is its result."""
    async with ledger, connect() as dead, connect() as tingting:
        stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
        first = asyncio.create_task(create(dead))
        await stall.stalled.wait()
        first.cancel()
        await asyncio.wait([first])
        (send,), (campaign,) = await ledger.unresolved(), created(sandbox)
        check = sandbox.faults.add(Fault("stall", method="GET", times=1))
        second = asyncio.create_task(ensure_sent(lambda: create(tingting), wait=0))
        await check.stalled.wait()
        await ledger.mark_sent(send, result=campaign)
        sandbox.world.campaigns[campaign].status = "Running"
        check.release()
        assert campaign == (await second).id
    assert [campaign] == created(sandbox)


async def test_a_creation_of_the_future(sandbox: Sandbox, connect: Any, kind: Any, ledger: Any) -> None:
    """A lost creation on a machine whose clock is ahead keeps others of its name waiting no longer than another."""
    async with ledger, connect(kind) as tingting:
        with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
            with pytest.raises(OutcomeUnknownError):
                await create(tingting, "lost", timeout=1)
        (send,) = await ledger.unresolved()
        await ledger._storage.record(send.id, Decision(Verdict.NOT_DONE, SendState.UNKNOWN, has_waited=True))
        ahead = Clocks(send.started_at + timedelta(minutes=20), None, 0.0)
        fields = (send.service, send.operation, send.key, send.target)
        await ledger._storage.claim(Claim("ahead", *fields, "", "{}", frozenset(), lambda: ahead))
        await ledger._storage.record("ahead", Decision(Verdict.UNKNOWN, is_owner=True))
        another = await ensure_sent(lambda: create(tingting, "another"), wait=0.1)
    assert [another.id] == created(sandbox)


async def test_rival_in_progress(sandbox: Sandbox, connect: Any, kind: Any, ledger: Any) -> None:
    """A lost creation is found while another one of the same name, which began later, is still in progress."""
    async with connect(kind) as tingting, connect(kind) as other:
        with sandbox.faults.during([lost := Fault("stall_after", method="POST", times=1)]):
            first = asyncio.create_task(create(tingting, "lost"))
            await lost.stalled.wait()
            first.cancel()
            await asyncio.wait([first])
            lost.release()
        stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
        second = asyncio.create_task(create(other, "rival"))
        await stall.stalled.wait()
        ours, theirs = created(sandbox)
        assert ours == (await create(tingting, "lost")).id
        stall.release()
        assert theirs == (await second).id
    assert [] == await ledger.unresolved()


async def test_campaign_of_a_rival(sandbox: Sandbox, connect: Any, kind: Any, ledger: Any) -> None:
    """The campaign of another creation that is in progress is not taken for one that was lost on its way."""
    async with connect(kind) as tingting, connect(kind) as other:
        with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
            with pytest.raises(OutcomeUnknownError) as caught:
                await create(tingting, "lost", timeout=1)
        stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
        rival = asyncio.create_task(create(other, "rival"))
        await stall.stalled.wait()
        looks = len(sandbox.requests)
        lost = asyncio.create_task(caught.value.reconcile(wait=0))
        while len(sandbox.requests) < looks + (2 if kind is TingTing else 1):
            await asyncio.sleep(0)
        stall.release()
        assert Verdict.NOT_DONE is (await lost).verdict
        assert [(await rival).id, (await create(tingting, "lost")).id] == created(sandbox)
    assert [] == await ledger.unresolved()


V1_CHANGES: dict[str, dict[str, Any]] = {
    "services": {"services": "SMS", "sms_message": "m", "message": None},
    "message": {"message": "other"},
    "lines": {"lines": [2]},
    "voice": {"voice": 4},
    "credit_limit": {"credit_limit": None},
    "schedule": {"schedule": datetime(2090, 1, 2, tzinfo=UTC)},
    "failover": {"failover": ["failed"]},
}


@pytest.mark.parametrize("changed", V1_CHANGES)
async def test_other_content(sandbox: Sandbox, connect: Any, posts: Any, changed: str, path: Path) -> None:
    """Another content under the same key is a UsageError that names the key and the arguments that differ."""
    given: dict[str, Any] = {
        "services": Services.SMS_AND_PHONE,
        "message": "m",
        "sms_message": "m",
        "lines": [1],
        "voice": 3,
        "credit_limit": 5,
        "schedule": datetime(2090, 1, 1, tzinfo=UTC),
        "failover": ["failed", "unanswered"],
    }
    async with connect() as tingting:
        await create(tingting, "nightly", **given)
        with pytest.raises(UsageError, match=f"the key 'nightly' .*had other arguments for .*`{changed}`"):
            await create(tingting, "nightly", **given | V1_CHANGES[changed])
        with pytest.raises(UsageError, match="`name`"):
            await create(tingting, "nightly", name="Tihar", **given)
        await create(tingting, "nightly", **given)
    assert 1 == posts()


async def test_list_that_cannot_be_read(sandbox: Sandbox, connect: Any, kind: Any, posts: Any) -> None:
    """If the list of campaigns cannot be read before a creation, the error says that nothing was sent, and why."""
    async with connect(kind) as tingting:
        with sandbox.faults.during([Fault("status", method="GET", path="*/campaign*", status=403)]):
            with pytest.raises(TingTingError) as caught:
                await create(tingting)
    assert ["campaigns.create: nothing was sent. The list of campaigns could not be read first."] == (
        caught.value.__notes__
    )
    assert 0 == posts()


async def test_same_content(sandbox: Sandbox, connect: Any, posts: Any, tmp_path: Path, path: Path) -> None:
    """The order of arguments, numbers and statuses, another spelling, and the name of a file make no other content."""
    kathmandu = datetime(2090, 1, 1, 12, tzinfo=ZoneInfo("Asia/Kathmandu"))
    statuses = [ContactStatus.FAILED, ContactStatus.HUNG_UP, ContactStatus.UNANSWERED]
    async with connect() as tingting, connect(Classic) as classic:
        (voice,) = [each async for each in tingting.voices.list() if each.id == 3]
        made = [
            await create(tingting, message="m", voice=3, schedule=kathmandu, failover=statuses, lines=[1, 2]),
            await create(
                tingting,
                lines=(2, 1),
                failover={"unanswered", "hungup", "failed"},
                schedule=kathmandu.astimezone(UTC),
                voice=voice,
                message="m",
                services=Services.PHONE,
            ),
        ]
        assert made[0].id == made[1].id
        made = [
            await create(classic, "c", numbers=["9800000001", "9800000002"], description="d"),
            await create(classic, "c", description="d", numbers=[9800000002, "+977 9800000001"]),
        ]
        assert made[0].id == made[1].id
    assert 2 == posts()


def sheet(*numbers: str) -> bytes:
    """Return an .xlsx file with these numbers."""
    import io

    import openpyxl

    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["numbers"])
    for number in numbers:
        book.active.append([number])
    book.save(file)
    return file.getvalue()


async def test_file(sandbox: Sandbox, connect: Any, tmp_path: Path, posts: Any, path: Path) -> None:
    """A file is compared by its content: another name is the same file, and another content another one."""
    content = sheet("9800000001")
    (tmp_path / "1.xlsx").write_bytes(content)
    async with connect(Classic) as classic:
        first = await create(classic, file=tmp_path / "1.xlsx")
        assert first.id == (await create(classic, file=File("2.xlsx", content))).id
        for other in ({"file": File("1.xlsx", sheet("9800000002"))}, {"numbers": ["9800000001"]}):
            with pytest.raises(UsageError, match="`file`"):
                await create(classic, **other)
    assert 1 == posts()


async def test_deleted_since(sandbox: Sandbox, connect: Any, kind: Any, posts: Any, path: Path) -> None:
    """If the campaign was deleted since, the error says so, and no other one is created."""
    async with connect(kind) as tingting:
        campaign = await create(tingting)
        await tingting.campaigns.delete(campaign.id)
        with pytest.raises(NotFoundError, match=f"the key 'k' as done .*with its id, {campaign.id}\\. It was deleted"):
            await create(tingting)
        assert campaign.id != (await create(tingting, "k2")).id
    assert 2 == posts()


async def test_passed_schedule(sandbox: Sandbox, connect: Any, posts: Any, path: Path) -> None:
    """A campaign whose schedule has passed since is returned; a new one cannot have such a schedule."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with connect() as tingting:
        with pytest.raises(UsageError, match="`schedule` is in the past"):
            await create(tingting, schedule=yesterday)
        with pytest.raises(UsageError, match="no time zone"):
            await create(tingting, schedule=datetime(2090, 1, 1))
        soon = datetime.now(UTC) - timedelta(seconds=57)  # The least that is not refused as past.
        campaign = await create(tingting, schedule=soon)
        while datetime.now(UTC) - soon < timedelta(seconds=61):
            await asyncio.sleep(0.1)
        assert campaign.id == (await create(tingting, schedule=soon)).id
    assert 1 == posts()


async def test_without_ledger(sandbox: Sandbox, connect: Any, kind: Any, path: Path) -> None:
    """Without a ledger, a key is a UsageError before any request; without a key, every call creates a campaign."""
    async with connect(kind, ledger=None) as tingting:
        with pytest.raises(UsageError, match="`idempotency_key` needs a ledger"):
            await create(tingting)
        assert [] == sandbox.requests
        assert (await create(tingting, None)).id != (await create(tingting, None)).id


@pytest.mark.parametrize("key", ["", " a", "a\nb", "x" * 201, 5])
async def test_invalid_key(sandbox: Sandbox, connect: Any, kind: Any, key: Any, path: Path) -> None:
    """An invalid key is a UsageError before any request."""
    async with connect(kind) as tingting:
        with pytest.raises(UsageError, match="`idempotency_key`"):
            await create(tingting, key)
    assert [] == sandbox.requests


async def test_refused_and_not_sent(sandbox: Sandbox, connect: Any, kind: Any) -> None:
    """A creation that the service refused, or that did not leave, is free to be made again with its key."""
    async with connect(kind) as tingting:
        with (
            sandbox.faults.during([Fault("status", method="POST", status=400, body={"detail": "No."}, times=1)]),
            pytest.raises(BadRequestError),
        ):
            await create(tingting)
        async with sandbox.offline():
            with pytest.raises(TingTingError):
                await create(tingting)
        campaign = await create(tingting)
    assert [campaign.id] == created(sandbox)


async def test_another_campaign_of_the_name(
    sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger, posts: Any
) -> None:
    """If somebody without the ledger makes a campaign of the name meanwhile, only a person can tell which is which."""
    async with connect(kind) as tingting, connect(kind, ledger=None) as somebody:
        stall = Fault("stall_after", method="POST", times=1)
        with sandbox.faults.during([stall]):
            task = asyncio.create_task(create(tingting))
            await stall.stalled.wait()
            theirs = await create(somebody, None)
            task.cancel()
            await asyncio.wait([task])
            stall.release()
        with pytest.raises(OutcomeUnknownError, match="there are several") as caught:
            await create(tingting)
        assert Verdict.UNKNOWN is (await caught.value.reconcile(wait=0)).verdict
        (ours,) = {*created(sandbox)} - {theirs.id}
        await ledger.mark_sent(caught.value.send)
        with pytest.raises(UsageError, match=r"mark_sent\(send, result=…\)") as unnamed:
            await create(tingting)
        await ledger.mark_sent(unnamed.value.__cause__.send, result=ours)  # type: ignore[union-attr]
        assert ours == (await create(tingting)).id
        (send,) = await ledger._storage.sends()
        await ledger.mark_not_sent(send)
        assert {ours, theirs.id} == {*created(sandbox)} - {(await create(tingting)).id}
    assert 3 == posts()


@pytest.mark.parametrize("fault", [None, *LOST[:2]])
async def test_voice_in_another_form(connect: Any, ledger: SqliteLedger, fault: str | None, path: Path) -> None:
    """If the service wants the whole voice, the creation is the same one, in either form."""
    async with Sandbox(campaigns=0, voice_sent="object") as sandbox:
        options = {"base_url": sandbox.url, "api_token": sandbox.api_token}
        async with connect(**options) as one, connect(**options) as other:
            with sandbox.faults.during([Fault(fault, method="POST", nth=2)] if fault else []):
                campaign = await create(one, voice=3)
            assert campaign.id == (await create(one, voice=3)).id == (await create(other, voice=3)).id
            assert [campaign.id] == created(sandbox)
    assert [] == await ledger.unresolved()


async def test_ensure_sent(sandbox: Sandbox, connect: Any, kind: Any, posts: Any) -> None:
    """`ensure_sent()` of a creation always returns the campaign."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect(kind) as one, connect(kind) as other:
        first = asyncio.create_task(ensure_sent(lambda: create(one)))
        await stall.stalled.wait()
        second = asyncio.create_task(ensure_sent(lambda: create(other, timeout=0.2)))  # It waits longer than the call.
        with pytest.raises(DuplicateSendError):
            await create(other, timeout=0.3)
        stall.release()
        assert (await first).id == (await second).id == (await ensure_sent(lambda: create(one))).id
        with pytest.raises(UsageError, match="had other arguments"):
            await ensure_sent(lambda: create(one, description="d"))
    assert 1 == posts()


async def test_time_is_up_before_it_is_found(sandbox: Sandbox, connect: Any, kind: Any) -> None:
    """`ensure_sent()` returns the campaign also if the call itself had no time to find out that it was created."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect(kind) as tingting:
        campaign = await ensure_sent(lambda: create(tingting, timeout=1))
        stall.release()
    assert [campaign.id] == created(sandbox)


async def test_cancelled(sandbox: Sandbox, connect: Any, kind: Any, ledger: SqliteLedger) -> None:
    """A creation that is cancelled at any moment leaves one campaign at most, which the next call returns."""
    random = Random(5)
    async with connect(kind) as tingting:
        for number in range(12):
            task = asyncio.create_task(create(tingting, f"key {number}", name=f"Campaign number {number}"))
            for _ in range(random.randrange(1, 160)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        made = await asyncio.gather(
            *(create(tingting, f"key {number}", name=f"Campaign number {number}") for number in range(12))
        )
    assert [[each.id] for each in made] == [created(sandbox, f"Campaign number {number}") for number in range(12)]
    assert [] == await ledger.unresolved()


BEHAVIOURS: dict[str, list[Any]] = {
    "list_order": ["unique", "ties"],
    "list_filter": ["before_paging", "after_paging"],
    "list_count": ["exact", "high", "low"],
    "created_status": [201, 200],
    "page_parameter": ["page", "page_number", "links", None],
    "past_the_end": ["404", "last"],
    "repeat_page": [False, True],
    "voice_shown": ["documented", "id", "object"],
    "empty_fields": ["null", "missing"],
    "last_next": ["null", "empty"],
}
"""What the documents leave open, and what lists do that are not sorted or counted well."""


@pytest.mark.parametrize("seed", range(5))
async def test_every_behaviour(connect: Any, kind: Any, seed: int, path: Path) -> None:
    """However the service behaves, a creation whose response is lost is never made twice, nor mistaken for another."""
    random = Random(seed)
    options = {name: random.choice(values) for name, values in BEHAVIOURS.items()}
    links = "strings" if options["page_parameter"] == "links" else "none"
    count = random.choice([0, 3, 25, 60])
    names = [
        "Dashain reminder",
        "दशैंको शुभकामना",
        "x",
        "Rappel d'\u00e9t\u00e9 & \U0001f389 for everyone in the whole country",
    ]
    async with Sandbox(campaigns=count, numbers=0, links=links, **options) as sandbox:
        async with connect(kind, base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            for name, key in itertools.product(random.sample(names, 2), "ab"):
                if random.random() < 0.5:
                    await create(tingting, None, name=name)
                before = created(sandbox, name)
                with sandbox.faults.during([Fault(random.choice(LOST), method="POST", times=1)]):
                    try:
                        campaign = await create(tingting, f"{name[:9]} {key}", name=name)
                    except OutcomeUnknownError:
                        campaign = None
                (new,) = {*created(sandbox, name)} - {*before}
                assert campaign is None or campaign.id == new
