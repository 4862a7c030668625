"""What becomes of a claim: when it is stored, kept and freed, whatever interrupts the send."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.ledgers import transaction_lock
from support.servers import closed_port

from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    RequestFailed,
    RetryPolicy,
    Timeout,
    UsageError,
    Verdict,
)
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.claims import Claim, StoredClaim
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.sqlite import SqliteLedger, SqliteStorage
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio


async def test_not_sent_and_refused_sends_are_free(
    sandbox: Sandbox, connect: Any, campaigns: list[int], send_otp: Any
) -> None:
    """A send that never left, or that the service refused, may be sent again at once."""
    campaign = campaigns[0]
    async with connect() as tingting:
        async with sandbox.offline():
            with pytest.raises(NotSentError):
                await tingting.campaigns.run(campaign)
        with (
            sandbox.faults.during([Fault("status", status=400, body={"detail": "No."}, times=1)]),
            pytest.raises(BadRequestError),
        ):
            await tingting.campaigns.run(campaign)
        with pytest.raises(UsageError):
            await send_otp(tingting, idempotency_key="x", otp="12 34")
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_retries_of_one_call(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """The retries of one call share its claim, and do not refuse each other."""
    throttled = {"detail": "Request was throttled. Expected available in 1 second."}
    busy = Fault("status", status=429, body=throttled, headers={"Retry-After": "0"}, times=2)
    async with connect(retries=RetryPolicy(initial_backoff=0)) as tingting:
        with sandbox.faults.during([busy]):
            await tingting.campaigns.run(campaigns[0])
    assert sandbox.tally()["run", str(campaigns[0])] == 1


async def test_in_progress(sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int], posts: Any) -> None:
    """While a send waits for its response, it is refused, cannot be marked, and is not unresolved."""
    campaign, stall = campaigns[0], sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect() as one, connect() as other:
        run = asyncio.create_task(one.campaigns.run(campaign))
        await stall.triggered.wait()
        with pytest.raises(DuplicateSendError, match=r"as in progress .*Try again later: a running") as caught:
            await other.campaigns.run(campaign)
        assert (await caught.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        for mark in (ledger.mark_sent, ledger.mark_not_sent):
            with pytest.raises(UsageError, match="in progress"):
                await mark(caught.value.send)
        assert await ledger.unresolved() == []
        stall.release()
        await run
        with pytest.raises(DuplicateSendError, match="as done"):
            await other.campaigns.run(campaign)
    assert posts() == 1


async def test_deleted_lock_files(
    sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int], send_otp: Any
) -> None:
    """A process whose lock file was deleted creates another for its next send, which is then seen in progress."""
    campaign = campaigns[0]
    async with connect() as one, connect() as other:
        await send_otp(one)
        shutil.rmtree(f"{path}.owners")
        stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
        run = asyncio.create_task(one.campaigns.run(campaign))
        await stall.triggered.wait()
        with pytest.raises(DuplicateSendError) as caught:
            await other.campaigns.run(campaign)
        assert caught.value.send.state is SendState.IN_PROGRESS
        stall.release()
        await run


async def test_cancelled(sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int]) -> None:
    """A call that is cancelled once its request may have left is unknown; before that, it leaves no claim."""
    one, other, *_ = campaigns
    stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
    async with connect(max_in_flight=1) as tingting:
        runs = [asyncio.create_task(tingting.campaigns.run(campaign)) for campaign in (one, other)]
        await stall.triggered.wait()
        for run in reversed(runs):
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
        assert [send.target for send in await ledger.unresolved()] == [f"campaign {one}"]
        await tingting.campaigns.run(other)
        stall.release()


async def middleware(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """Send a request. A session with a middleware does not show whether it is connected."""
    response: aiohttp.ClientResponse = await handler(request)
    return response


@pytest.mark.parametrize("is_borrowed", [False, True], ids=["own", "borrowed"])
async def test_cancelled_after_it_could_not_connect(
    connect: Any, ledger: Ledger, send_otp: Any, is_borrowed: bool
) -> None:
    """A send that could not connect, and is cancelled before its next attempt, leaves no claim."""
    url, retries = f"http://127.0.0.1:{closed_port()}", RetryPolicy(initial_backoff=1e6, max_backoff=1e6)
    async with (
        aiohttp.ClientSession(middlewares=(middleware,)) as http,
        connect(base_url=url, http=http if is_borrowed else None, retries=retries, timeout=1e7) as tingting,
    ):
        sending = asyncio.create_task(send_otp(tingting, idempotency_key="a"))
        failed = asyncio.Event()
        tingting.subscribe(lambda event: failed.set() if isinstance(event, RequestFailed) else None)
        await failed.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert [] == await ledger.unresolved()


async def test_cancelled_while_the_claim_is_stored(
    sandbox: Sandbox, connect: Any, path: Path, ledger: Ledger, campaigns: list[int], send_otp: Any
) -> None:
    """A call that is cancelled while its claim is being stored leaves none: the send is allowed at once."""
    campaign = campaigns[0]
    async with connect() as tingting:
        await send_otp(tingting)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # As another process that writes: the claim must wait.
            run = asyncio.create_task(tingting.campaigns.run(campaign))
            while not transaction_lock(tingting._core.ledger).locked():
                await asyncio.sleep(0)  # Until the thread is about to store the claim.
            run.cancel()
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await run
        assert [send.operation for send in await ledger.unresolved()] == []
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


def test_end_of_the_loop_while_the_claim_is_stored(path: Path) -> None:
    """If the event loop ends while a claim is being stored, no claim remains in a process that continues."""
    ledger = SqliteLedger(path)
    with Sandbox(campaigns=1, numbers=2).in_thread() as sandbox:
        [campaign] = sandbox.world.campaigns.values()
        campaign.status, campaign.services, campaign.user_phone = "Not Started", "PHONE", [1]
        campaign.scheduled_at = sandbox.clock.now() + 86_400

        def connect() -> Any:
            return TingTing(base_url=sandbox.url, api_token=sandbox.api_token, ledger=ledger)

        async def write(other: sqlite3.Connection, writes: asyncio.Event) -> None:
            other.execute("BEGIN IMMEDIATE")
            writes.set()
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)  # The sender is cancelled, too.
                other.execute("ROLLBACK")

        async def leave(other: sqlite3.Connection) -> None:
            writes, tingting = asyncio.Event(), connect()
            others = asyncio.create_task(write(other, writes))  # As another process that writes.
            await writes.wait()
            sending = asyncio.create_task(tingting.campaigns.run(campaign.id))
            while not transaction_lock(tingting._core.ledger).locked():
                await asyncio.sleep(0)  # Until the thread is about to store the claim.
            for _ in range(50):
                await asyncio.to_thread(os.getpid)  # Other threads run meanwhile, so the one that stores waits now.
            assert [others.done(), sending.done()] == [False, False]
            await tingting._core.transport.aclose()
            tingting._core.is_closed = True

        async def come_back() -> None:
            async with connect() as tingting:
                assert await ledger.unresolved() == []
                await tingting.campaigns.run(campaign.id)

        asyncio.run(ledger.unresolved())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            asyncio.run(leave(other))
        with transaction_lock(ledger):  # The thread has ended its work.
            pass
        asyncio.run(come_back())
        assert sandbox.tally()["run", str(campaign.id)] == 1


@pytest.mark.parametrize("is_borrowed", [False, True], ids=["own", "borrowed"])
async def test_time_that_storing_takes(
    sandbox: Sandbox,
    connect: Any,
    path: Path,
    ledger: Ledger,
    campaigns: list[int],
    send_otp: Any,
    posts: Any,
    is_borrowed: bool,
) -> None:
    """A call whose time is up when its claim has been stored sends nothing, and leaves no claim."""
    campaign = campaigns[0]
    async with aiohttp.ClientSession() as http, connect(http=http if is_borrowed else None) as tingting:
        await send_otp(tingting)  # Leaves an idle connection to a user's session, which it uses again.
        before = posts()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.1, other.execute, "ROLLBACK")
            with pytest.raises(NotSentError):
                await tingting.campaigns.run(campaign, timeout=0.05)
        assert (0, []) == (posts() - before, await ledger.unresolved())
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


class UnreadableDict(dict[str, int]):
    """An argument that raises an error of its own when it is encoded."""

    def items(self) -> Any:
        """Fail."""
        raise LookupError("unreadable")


async def test_body_that_cannot_be_built(connect: Any, ledger: Ledger, posts: Any) -> None:
    """A send whose body cannot be built, for whatever reason, leaves no claim."""
    send = Request.send("/send", Response, "things.send", idempotency_key="a", json={"a": UnreadableDict(a=1)})
    async with connect() as tingting:
        for _ in range(2):  # The second attempt is not refused as a duplicate.
            with pytest.raises(LookupError, match="unreadable"):
                await tingting._core.execute(send)
    assert (0, []) == (posts(), await ledger.unresolved())


async def test_timeout_is_unknown(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """A send whose response does not arrive in time is unknown."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect(timeout=Timeout(attempt=0.1)) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(campaigns[0])
        stall.release()
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.campaigns.run(campaigns[0])
        assert caught.value.send.state is SendState.UNKNOWN


@pytest.mark.parametrize("has_left", [False, True])
async def test_event_loop_that_is_closed(ledger: Ledger, ledger_place: Any, *, has_left: bool) -> None:
    """A call whose event loop is closed cannot wait for the file; the next use records whether it may have left."""
    send = Request.send("/send", Response, "things.send", idempotency_key="a")

    async def call(request: Request[Any]) -> Response:
        assert request.before_send is not None
        assert request.without_effect is not None
        await request.before_send()
        if not has_left:
            request.without_effect()
        raise GeneratorExit  # Python does that to a coroutine that is never resumed.

    execution: Any = ledger.execute("http://a", send, call, lambda: read_clocks(None)).__await__()
    while True:
        try:
            waits_for = execution.send(None)
        except GeneratorExit:
            break
        await asyncio.wait([waits_for]) if waits_for else await asyncio.sleep(0)
        async with ledger_place.open() as other:
            assert len(await other.unresolved()) == 0
    assert has_left == len(await ledger.unresolved())


class LateStorage(SqliteStorage):
    """A storage that fails once a claim is stored, as a disk does that confirms a write too late."""

    fails = True

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim."""
        stored = await super().claim(claim)
        if self.fails:
            raise LedgerError("too late")
        return stored


async def test_claim_that_was_stored_before_the_storage_failed(
    connect: Any, path: Path, send_otp: Any, posts: Any
) -> None:
    """A send that the ledger refused because it failed is free as soon as the ledger works."""
    storage = LateStorage(path)
    async with connect(ledger=Ledger(storage)) as tingting:
        with pytest.raises(LedgerError, match="too late"):
            await send_otp(tingting, idempotency_key="a")
        storage.fails = False
        await send_otp(tingting, idempotency_key="a")
        with pytest.raises(DuplicateSendError, match="as done"):
            await send_otp(tingting, idempotency_key="a")
    assert 1 == posts()
