"""The verdicts of `reconcile()`, especially if something similar is there already."""

import copy
import functools
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tingting_async import OutcomeUnknownError, TingTing as Classic, Verdict
from tingting_async.outcomes import Clocks, Reconciliation
from tingting_async.recipients.spellings import is_same_number
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import SentOtp, TingTing
from tingting_async.v1.reconcile import CLOCK_SKEW, reconcile_otp

pytestmark = pytest.mark.anyio

MOBILE, LANDLINE = "9814412345", "014412345"


async def lose(sandbox: Sandbox, fault: Fault, call: Callable[[], Awaitable[Any]]) -> Reconciliation:
    """Make a call whose request or response is lost, and reconcile it."""
    with sandbox.faults.during([fault]), pytest.raises(OutcomeUnknownError) as caught:
        await call()
    return await caught.value.reconcile(wait=0)


def before(method: str = "POST") -> Fault:
    """Return a fault that loses a request before it is carried out."""
    return Fault("reset", method=method, times=1)


def after(method: str = "POST") -> Fault:
    """Return a fault that loses the response."""
    return Fault("reset_after", method=method, times=1)


def connect(sandbox: Sandbox, kind: Any = TingTing) -> Any:
    """Return a session."""
    return kind(base_url=sandbox.url, api_token=sandbox.api_token)


async def test_contact_whose_number_ends_alike() -> None:
    """A mobile number that ends with a landline's digits is another number."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        sandbox.world.add_contact(sandbox.world.campaigns[campaign.id], MOBILE, {})
        reconciliation = await lose(sandbox, before(), lambda: tingting.contacts.add(campaign.id, LANDLINE))
        assert reconciliation.verdict is Verdict.NOT_DONE


async def test_classic_number_that_ends_alike() -> None:
    """A mobile number that ends with a landline's digits is another number in the classic API, too."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox, Classic) as tingting:
        campaign = await tingting.campaigns.list().first()
        sandbox.world.add_contact(sandbox.world.campaigns[campaign.id], MOBILE, {})
        reconciliation = await lose(sandbox, before(), lambda: tingting.numbers.add(campaign.id, LANDLINE))
        assert reconciliation.verdict is Verdict.NOT_DONE


@pytest.mark.parametrize(("fault", "verdict"), [(before, Verdict.UNKNOWN), (after, Verdict.DONE)])
async def test_classic_number_with_other_tags(fault: Callable[[], Fault], verdict: Verdict) -> None:
    """A number that is there with other tags does not prove that it was added with these."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox, Classic) as tingting:
        campaign = await tingting.campaigns.list().first()
        sandbox.world.campaigns[campaign.id].usable_tags = [tag := "tags_name"]
        await tingting.numbers.add(campaign.id, MOBILE, tags={tag: "राम"})
        add = functools.partial(tingting.numbers.add, campaign.id, MOBILE, tags={tag: "सीता"})
        assert (await lose(sandbox, fault(), add)).verdict is verdict


@pytest.mark.parametrize(("fault", "verdict"), [(before, Verdict.UNKNOWN), (after, Verdict.DONE)])
async def test_contact_that_was_there(fault: Callable[[], Fault], verdict: Verdict) -> None:
    """A contact that was there before does not prove that it was added."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        await tingting.contacts.add(campaign.id, MOBILE)
        reconciliation = await lose(sandbox, fault(), lambda: tingting.contacts.add(campaign.id, MOBILE))
        assert reconciliation.verdict is verdict
        assert await tingting.contacts.list(campaign.id).count() == 1 + (fault is after)


@pytest.mark.parametrize(("fault", "verdict"), [(before, Verdict.UNKNOWN), (after, Verdict.DONE)])
async def test_code_that_was_sent_before(fault: Callable[[], Fault], verdict: Verdict) -> None:
    """The same code, sent to the same number shortly before, does not prove that it was sent again."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:

        async def send() -> object:
            return await tingting.otp.send(MOBILE, "Code {otp}", channel="text", otp="482917")

        await send()
        assert (await lose(sandbox, fault(), send)).verdict is verdict


@pytest.mark.parametrize(("fault", "verdict"), [(before, Verdict.UNKNOWN), (after, Verdict.DONE)])
async def test_campaign_of_the_same_name(fault: Callable[[], Fault], verdict: Verdict) -> None:
    """A campaign of the same name, created shortly before, does not prove that another was created."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        first = await tingting.campaigns.create("Twin", "PHONE")
        reconciliation = await lose(sandbox, fault(), lambda: tingting.campaigns.create("Twin", "PHONE"))
        assert reconciliation.verdict is verdict
        assert verdict is Verdict.UNKNOWN or reconciliation.result.id != first.id


async def test_campaign_of_the_same_name_that_runs() -> None:
    """An older campaign of the same name that is updated because it runs does not prove that another was created."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        first = await tingting.campaigns.create("Twin", "SMS", sms_message="m")
        older = sandbox.world.campaigns[first.id]
        older.status, older.updated_at = "Running", sandbox.clock.now() + 60
        reconciliation = await lose(sandbox, before(), lambda: tingting.campaigns.create("Twin", "SMS"))
        assert reconciliation.verdict is Verdict.UNKNOWN


async def test_created_under_a_trimmed_name() -> None:
    """A campaign whose name the service has stripped of spaces is found."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:

        async def create() -> object:
            try:
                return await tingting.campaigns.create("  Spaced ", "PHONE")
            finally:
                (campaign,) = sandbox.world.campaigns.values()
                campaign.name = campaign.name.strip()

        assert (await lose(sandbox, after(), create)).verdict is Verdict.DONE


async def test_created_as_a_draft() -> None:
    """A draft is found if only the list of drafts contains it."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        empty = {"count": 0, "next": None, "previous": None, "results": []}
        hidden = Fault(
            "status", status=200, body=empty, method="GET", where=lambda request: "draft" not in request.query
        )
        sandbox.faults.add(hidden)
        reconciliation = await lose(sandbox, after(), lambda: tingting.campaigns.create("Sketch", "PHONE", draft=True))
        assert reconciliation.verdict is Verdict.DONE
        assert hidden.count == 1


@pytest.mark.parametrize("newest_first", [True, False])
async def test_order_of_sent_codes(newest_first: bool) -> None:
    """A code is found in a list of any order. It is not done only after the whole list was read."""
    sent_at = datetime.now(UTC)
    sent = Clocks(sent_at, sent_at, 0.0)
    old = [
        SentOtp(id=number, number=MOBILE, otp="1111", created_at=sent_at - CLOCK_SKEW - timedelta(hours=24 - number))
        for number in range(20)
    ]
    rows = [*old, SentOtp(id=99, number=MOBILE, otp="482917", created_at=sent_at)]
    read: list[int] = []

    async def iterate(rows: list[SentOtp]) -> AsyncIterator[SentOtp]:
        for row in reversed(rows) if newest_first else rows:
            read.append(row.id)
            yield row

    async def reconcile(rows: list[SentOtp]) -> Verdict:
        return (await reconcile_otp(lambda: sent, iterate(rows), MOBILE, "482917", sent)).verdict

    assert Verdict.DONE is await reconcile(rows)
    assert len(read) == (1 if newest_first else len(rows))
    read.clear()
    assert Verdict.NOT_DONE is await reconcile(old)
    assert len(read) == len(old)


async def test_error_in_another_process() -> None:
    """An error can be pickled, as process pools and task queues do; the copy's verdict is unknown."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        with sandbox.faults.during([after()]), pytest.raises(OutcomeUnknownError) as caught:
            await tingting.campaigns.create("Made", "PHONE")
        copied = pickle.loads(pickle.dumps(caught.value))
        assert (type(copied), str(copied), copied.operation, copied.phase) == (
            OutcomeUnknownError,
            str(caught.value),
            "campaigns.create",
            "response",
        )
        assert (await copied.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        assert (await copy.copy(caught.value).reconcile(wait=0)).verdict is Verdict.DONE


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("9814412345", True),
        ("+977-9814412345", True),
        ("977 981-4412345", True),
        ("09814412345", True),
        ("99814412345", False),
        ("14412345", False),
        ("", False),
        (None, False),
    ],
)
def test_same_number(text: str | None, is_same: bool) -> None:
    """A number is recognised in every usual spelling, and another number is not."""
    assert is_same_number(text, MOBILE) is is_same


@pytest.mark.parametrize(
    ("fault", "verdicts"), [(before, [Verdict.NOT_DONE]), (after, [Verdict.UNKNOWN, Verdict.DONE])]
)
async def test_clock_that_is_ahead(fault: Callable[[], Fault], verdicts: list[Verdict]) -> None:
    """If this machine's clock is far ahead of the service's, a code that was sent is not taken for "not done".

    The service tells its time in whole seconds. At the end of a second, that proves that the code is new.
    """
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sandbox.clock.reset(-CLOCK_SKEW.total_seconds() * 2)

        async def send() -> Any:
            return await tingting.otp.send(MOBILE, "Code {otp}", channel="text", otp="482917")

        assert (await lose(sandbox, fault(), send)).verdict in verdicts
