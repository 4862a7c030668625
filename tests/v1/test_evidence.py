"""What `reconcile()` concludes from the service's rows, whatever the clocks show."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from tingting_async import DuplicateSendError, OutcomeUnknownError, SqliteLedger, Verdict
from tingting_async.outcomes import Clocks
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import Contact, ContactStatus, SentOtp, TingTing
from tingting_async.v1.reconcile import CLOCK_SKEW, WINDOW, reconcile_contact, reconcile_otp

pytestmark = pytest.mark.anyio

T = TypeVar("T")

NUMBER, CODE = "9814412345", "482917"
SENT_AT = datetime(2026, 3, 4, 5, 6, 7, 890123, UTC)
SENT = Clocks(SENT_AT, SENT_AT, 1000.0)
NOW = Clocks(SENT_AT + timedelta(seconds=20), SENT_AT + timedelta(seconds=20), 1020.0)
SECOND = timedelta(seconds=1)
OFFSETS = (0.0, 0.4, -0.4, 1.0, -1.0, 30.0, -30.0, 400.0, -400.0)


async def iterate(rows: Iterable[T]) -> AsyncIterator[T]:
    """Yield rows, as a paginator does."""
    for row in rows:
        yield row


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"created_at": SENT_AT}, Verdict.DONE),
        ({"created_at": SENT_AT + WINDOW}, Verdict.DONE),
        ({"updated_at": SENT_AT}, Verdict.DONE),
        ({"updated_at": SENT_AT, "status": ContactStatus.NOT_STARTED}, Verdict.DONE),
        ({"updated_at": SENT_AT, "status": ContactStatus.RINGING}, Verdict.UNKNOWN),
        ({"created_at": SENT_AT, "status": ContactStatus.RINGING}, Verdict.DONE),
        ({}, Verdict.UNKNOWN),
        ({"created_at": SENT_AT - timedelta(microseconds=1)}, Verdict.UNKNOWN),
        ({"created_at": SENT_AT - CLOCK_SKEW * 2}, Verdict.UNKNOWN),
        ({"created_at": SENT_AT - CLOCK_SKEW * 2, "updated_at": SENT_AT}, Verdict.UNKNOWN),
        ({"created_at": SENT_AT + WINDOW + SECOND}, Verdict.UNKNOWN),
    ],
)
async def test_contact_that_may_have_been_there_before(fields: dict[str, Any], verdict: Verdict) -> None:
    """A contact that is there was added only if it appeared after the request; else the verdict is unknown."""
    rows = [Contact(id=2, number=NUMBER, **fields), Contact(id=1, number=NUMBER), Contact(id=3, number="9800000001")]
    found = await reconcile_contact(lambda: NOW, iterate(rows), NUMBER, SENT)
    assert verdict is found.verdict
    assert verdict is Verdict.DONE or found.reason == "The contact is there, but it may have been there before."


async def test_contact_that_is_not_there() -> None:
    """A contact that is not there was not added, whatever the clocks show."""
    found = await reconcile_contact(lambda: Clocks(SENT_AT, None, 0.0), iterate([]), NUMBER, SENT)
    assert Verdict.NOT_DONE is found.verdict


@pytest.mark.parametrize("ago", [0.0, 400.0, 100_000.0])
async def test_older_code_without_the_service_time(ago: float) -> None:
    """If no response had told the service's time, its clock may have been set since: an older code proves nothing."""
    sent = Clocks(SENT_AT, None, 1000.0)
    rows = [SentOtp(id=1, number=NUMBER, otp=CODE, created_at=SENT_AT - timedelta(seconds=ago))]
    found = await reconcile_otp(lambda: NOW, iterate(rows), NUMBER, CODE, sent)
    assert (Verdict.UNKNOWN if ago else Verdict.DONE) is found.verdict


@pytest.mark.parametrize("set_by", [timedelta(hours=-1), timedelta(hours=1), -2 * CLOCK_SKEW])
async def test_code_of_a_later_send_after_the_clock_was_set(set_by: timedelta) -> None:
    """If the service's clock was set since a send, a code that another send left shortly after it proves nothing."""
    passed = timedelta(hours=2)
    now = Clocks(SENT_AT + passed, SENT_AT + passed + set_by, 1000.0 + passed.total_seconds())
    rows = [SentOtp(id=1, number=NUMBER, otp=CODE, created_at=SENT_AT + 60 * SECOND)]
    found = await reconcile_otp(lambda: now, iterate(rows), NUMBER, CODE, SENT)
    assert Verdict.UNKNOWN is found.verdict


@pytest.mark.parametrize("seed", range(4))
async def test_code_among_others(seed: int) -> None:
    """A code is found among the codes of other calls before and after it, in a list with the newest first or last."""
    world = Random(seed)
    for _ in range(50):
        happened, others = world.random() < 0.5, ["9800000001", "9800000002"]
        after = [world.uniform(1.0, 600.0) for _ in range(world.randrange(6))]
        before = [-world.choice([1.0, 60.0, 400.0, 100_000.0, 400_000.0]) for _ in range(world.randrange(6))]
        rows = [(each, world.choice(others)) for each in after + before] + [(0.5, NUMBER)] * happened
        codes = [
            SentOtp(id=1, number=number, otp=CODE, created_at=SENT_AT + timedelta(seconds=each))
            for each, number in sorted(rows, reverse=world.random() < 0.7)
        ]
        sent = world.choice([SENT, Clocks(SENT_AT, None, 1000.0)])
        found = await reconcile_otp(lambda: NOW, iterate(codes), NUMBER, CODE, sent)
        assert (Verdict.DONE if happened else Verdict.NOT_DONE) is found.verdict, rows


def clocks_in(world: Random, *, service: float, local: float, at: float) -> Clocks:
    """Return what clocks that are wrong by these offsets show at a time, in seconds since `SENT_AT`."""
    true = SENT_AT + timedelta(seconds=at)
    knows = world.random() < 0.7
    # The service's time is known to within a second, as its latest value.
    known = true + timedelta(seconds=service) + timedelta(seconds=world.random() if abs(service - local) > 1 else 0.0)
    return Clocks(true + timedelta(seconds=local), known if knows else None, 1000.0 + at)


@pytest.mark.parametrize("seed", range(8))
async def test_codes_while_clocks_are_set(seed: int) -> None:
    """Whichever clock is wrong or set between a send and the look for it, no verdict is wrong."""
    world = Random(seed)
    verdicts: dict[tuple[bool, Verdict], int] = {}
    for _ in range(500):
        offsets = [world.choice([*OFFSETS, world.uniform(-172_800, 172_800)]) for _ in range(4)]
        service, service_later, local, local_later = offsets
        if world.random() < 0.7:
            service_later = service
        if world.random() < 0.7:
            local_later = local
        if world.random() < 0.3:
            local = local_later = service = service_later
        elapsed = world.choice([1.0, 30.0, 3600.0, 100_000.0])
        happened, was_sent_before = world.random() < 0.5, world.random() < 0.5
        was_set_before = world.random() < 0.3  # After the response that told the service's time.
        told = world.choice(OFFSETS) if was_set_before else service
        sent = clocks_in(world, service=told, local=local, at=0.0)
        if was_set_before:  # Nothing shows that both clocks were set by the same time.
            local_later = local
        if was_set_before or sent.service is None:
            service_later = service  # Set once at most, and not at all if nothing could show it.
        now = clocks_in(world, service=service_later, local=local_later, at=elapsed)
        if world.random() < 0.3:  # Another start of the machine, so that its monotonic clock tells nothing.
            now = Clocks(now.local, now.service, world.uniform(0, 1000))
        times = [0.01 + service] * happened
        times += [(told if sent.service else service) - world.choice([0.02, 3.0, 200.0, 5000.0])] * was_sent_before
        rows = [SentOtp(id=1, number=NUMBER, otp=CODE, created_at=SENT_AT + timedelta(seconds=each)) for each in times]
        found = await reconcile_otp(lambda now=now: now, iterate(rows), NUMBER, CODE, sent)  # type: ignore[misc]
        wrong = Verdict.NOT_DONE if happened else Verdict.DONE
        assert found.verdict is not wrong, (offsets, elapsed, times, sent, now)
        verdicts[happened, found.verdict] = verdicts.get((happened, found.verdict), 0) + 1
    assert {(True, Verdict.DONE), (False, Verdict.NOT_DONE)} <= verdicts.keys()


async def lose(sandbox: Sandbox, call: Any, *, happens: bool) -> OutcomeUnknownError:
    """Lose a send or its response, and return the error."""
    fault = Fault("reset_after" if happens else "reset", method="POST", times=1)
    with sandbox.faults.during([fault]), pytest.raises(OutcomeUnknownError) as caught:
        await call()
    return caught.value


@pytest.mark.parametrize("seed", range(24))
async def test_service_whose_clock_is_set(tmp_path: Path, seed: int) -> None:
    """Whether the service's clock is set before a send or after it, no verdict about a code is wrong."""
    world = Random(seed)
    happened, was_sent_before, is_known = (world.random() < 0.5 for _ in range(3))
    at_first, at_send = (world.choice([*OFFSETS, world.uniform(-172_800, 172_800)]) for _ in range(2))
    at_look = at_send
    if not is_known or world.random() < 0.3:
        at_first = at_send
    elif world.random() < 0.5:
        at_first, at_look = at_send, at_first
    if world.random() < 0.3:
        at_first = at_send = at_look = 0.0
    async with Sandbox() as sandbox:

        def connect() -> TingTing:
            ledger = SqliteLedger(tmp_path / "sends.sqlite")
            return TingTing(base_url=sandbox.url, api_token=sandbox.api_token, ledger=ledger)

        def send(tingting: TingTing, key: str) -> Any:
            return tingting.otp.send(NUMBER, "{otp}", channel="text", otp=CODE, idempotency_key=key)

        verdicts: set[Verdict] = set()
        async with connect() as tingting, connect() as other:
            sandbox.clock.reset(at_first)
            if was_sent_before:
                await send(other, "earlier")
            if is_known:
                await tingting.otp.list().first()
            sandbox.clock.reset(at_send)
            error = await lose(sandbox, lambda: send(tingting, "this"), happens=happened)
            sandbox.clock.reset(at_look)
            if world.random() < 0.5:
                verdicts.add((await error.reconcile(wait=0)).verdict)
        if not verdicts:
            async with connect() as tingting:
                with pytest.raises(DuplicateSendError) as refused:
                    await send(tingting, "this")
                verdicts.add((await refused.value.reconcile(wait=0)).verdict)
    what = (at_first, at_send, at_look, happened, was_sent_before, is_known)
    assert (Verdict.NOT_DONE if happened else Verdict.DONE) not in verdicts, what
    if not any((at_first, at_send, at_look)) and not (was_sent_before and not happened):
        assert {Verdict.DONE if happened else Verdict.NOT_DONE} == verdicts, what


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Serve a campaign that may be run now, with five contacts."""
    async with Sandbox(campaigns=1, numbers=5) as made:
        [campaign] = made.world.campaigns.values()
        campaign.status, campaign.services, campaign.user_phone, campaign.scheduled_at = (
            "Not Started",
            "PHONE",
            [1],
            None,
        )
        yield made


def connect(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session."""
    return TingTing(base_url=sandbox.url, api_token=sandbox.api_token, **options)


def only_campaign(sandbox: Sandbox) -> Any:
    """Return the sandbox's campaign."""
    [campaign] = sandbox.world.campaigns.values()
    return campaign


@pytest.mark.parametrize("offset", [0, 30, -30, 400, -400, 100_000, -100_000])
@pytest.mark.parametrize("later", [0.0, 1.0, 700.0], ids=["at once", "soon", "later"])
@pytest.mark.parametrize("is_scheduled", [True, False])
@pytest.mark.parametrize("has_ledger", [True, False])
async def test_second_run_that_never_arrived(
    sandbox: Sandbox, tmp_path: Path, *, offset: int, later: float, is_scheduled: bool, has_ledger: bool
) -> None:
    """A second run that never arrived is not done, although an earlier run of the campaign is scheduled or lasts."""
    sandbox.clock.reset(offset)
    campaign = only_campaign(sandbox)
    campaign.scheduled_at = sandbox.clock.now() + 86_400 if is_scheduled else None
    ledger, options = (SqliteLedger(tmp_path / "l"), {"idempotency_key": "b"}) if has_ledger else (None, {})
    async with connect(sandbox, ledger=ledger) as tingting:
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(later)
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id, **options), happens=False)
        assert Verdict.UNKNOWN is (await error.reconcile(wait=0)).verdict


@pytest.mark.parametrize("is_scheduled", [True, False])
@pytest.mark.parametrize("key", [None, "spring"])
async def test_run_whose_response_was_lost(
    sandbox: Sandbox, tmp_path: Path, *, is_scheduled: bool, key: str | None
) -> None:
    """A run that began when it was sent is done, with or without a key, whether it calls people now or later."""
    campaign = only_campaign(sandbox)
    campaign.scheduled_at = sandbox.clock.now() + 86_400 if is_scheduled else None
    async with connect(sandbox, ledger=SqliteLedger(tmp_path / "l")) as tingting:
        await tingting.campaigns.get(campaign.id)  # Tells the service's time.
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id, idempotency_key=key), happens=True)
        sandbox.clock.advance(4)  # Some contacts are reached.
        found = await error.reconcile(wait=0)
        assert (Verdict.DONE, "Scheduled" if is_scheduled else "Running") == (found.verdict, found.result.status)


@pytest.mark.parametrize("key", [None, "spring"])
@pytest.mark.parametrize("has_ledger", [True, False])
async def test_completed_run(sandbox: Sandbox, tmp_path: Path, *, key: str | None, has_ledger: bool) -> None:
    """A run that has ended since it was sent is done, if a ledger shows that there was no other."""
    campaign = only_campaign(sandbox)
    options = {"idempotency_key": key} if has_ledger else {}
    async with connect(sandbox, ledger=SqliteLedger(tmp_path / "l") if has_ledger else None) as tingting:
        await tingting.campaigns.get(campaign.id)  # Tells the service's time.
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id, **options), happens=True)
        sandbox.clock.advance(200)
        found = await error.reconcile(wait=0)
        assert "Completed" == found.result.status
        assert (Verdict.DONE if has_ledger else Verdict.UNKNOWN) is found.verdict


@pytest.mark.parametrize("first", ["in the ledger", "elsewhere"])
async def test_completed_run_that_may_be_another(sandbox: Sandbox, tmp_path: Path, first: str) -> None:
    """A run that never arrived is not done, although another run of the campaign has ended since."""
    campaign = only_campaign(sandbox)
    async with connect(sandbox, ledger=SqliteLedger(tmp_path / "l")) as tingting, connect(sandbox) as other:
        await (tingting if first == "in the ledger" else other).campaigns.run(campaign.id)
        # The run that the ledger does not know has reached somebody before.
        sandbox.clock.advance(1 if first == "in the ledger" else 30)
        lost = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id, idempotency_key="second"), happens=False)
        sandbox.clock.advance(200)
        found = await lost.reconcile(wait=0)
        assert ("Completed", Verdict.UNKNOWN) == (found.result.status, found.verdict)


async def test_run_that_begins_between_the_checks(sandbox: Sandbox) -> None:
    """A run that the service begins only after the first check is found by the second one, after `wait` seconds."""
    campaign = only_campaign(sandbox)

    def begin() -> None:
        campaign.status, campaign.updated_at = "Running", sandbox.clock.now()

    async with connect(sandbox) as tingting:
        await tingting.campaigns.get(campaign.id)  # Tells the service's time.
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id), happens=False)
        asyncio.get_running_loop().call_later(0.2, begin)
        assert Verdict.DONE is (await error.reconcile(wait=0.4)).verdict


async def test_update_before_a_run_is_no_evidence(sandbox: Sandbox) -> None:
    """A run that never arrived is not done because its message was set, which changed the scheduled campaign."""
    campaign = only_campaign(sandbox)
    campaign.scheduled_at = sandbox.clock.now() + 86_400
    async with connect(sandbox) as tingting:
        await tingting.campaigns.run(campaign.id)
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id, message="new"), happens=False)
        assert (Verdict.UNKNOWN, "new") == ((await error.reconcile(wait=0)).verdict, campaign.message)


async def test_running_campaign_that_the_service_updates(sandbox: Sandbox) -> None:
    """A run that never arrived is not done because an earlier run is updated while it lasts."""
    campaign = only_campaign(sandbox)
    async with connect(sandbox) as tingting:
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(2)
        await tingting.campaigns.get(campaign.id)
        error = await lose(sandbox, lambda: tingting.campaigns.run(campaign.id), happens=False)
        campaign.updated_at = sandbox.clock.now() + 5
        assert Verdict.UNKNOWN is (await error.reconcile(wait=0)).verdict
