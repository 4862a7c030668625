"""The send-once ledger: what is refused, what is free, and what ends in between."""

import asyncio
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tingting_async.v1
from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    Timeout,
    TingTing,
    UsageError,
    Verdict,
)
from tingting_async.ledger.sqlite import MAX_KEY_LENGTH, SqliteLedger
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger is to be, in a folder that is not there yet."""
    return tmp_path / "state" / "sends.sqlite"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Serve an account with campaigns that may be run."""
    async with Sandbox(campaigns=6, numbers=2) as made:
        for campaign in made.world.campaigns.values():
            campaign.status, campaign.services, campaign.user_phone = "Not Started", "PHONE", [1]
            campaign.scheduled_at = made.clock.now() + 86_400
        yield made


@pytest.fixture
def connect(sandbox: Sandbox, path: Path) -> Callable[..., Any]:
    """Return what opens sessions, each with a ledger object of its own on the same file."""

    def connect(kind: Any = tingting_async.v1.TingTing, **options: Any) -> Any:
        given = {"base_url": sandbox.url, "api_token": sandbox.api_token, "ledger": SqliteLedger(path), "retries": 1}
        return kind(**given | options)

    return connect


def first(sandbox: Sandbox) -> int:
    """Return the id of a campaign."""
    return min(sandbox.world.campaigns)


def posts(sandbox: Sandbox) -> int:
    """Return how often something was to be done."""
    return sum(received.method == "POST" for received in sandbox.requests)


def send_otp(tingting: Any, **options: Any) -> Any:
    """Send a code."""
    return tingting.otp.send(NUMBER, "Your code is {otp}", channel="text", **{"otp": "123456", **options})


async def test_a_campaign_runs_once(sandbox: Sandbox, connect: Any) -> None:
    """A campaign that was run is refused, by another session and by the other generation too, and nothing is sent."""
    campaign = first(sandbox)
    async with connect() as tingting:
        await tingting.campaigns.run(campaign)
    async with connect() as tingting, connect(TingTing) as classic:
        for run in (
            tingting.campaigns.run(campaign),
            classic.campaigns.run(campaign, message="m"),
            tingting.surveys.run(campaign),
        ):
            with pytest.raises(DuplicateSendError, match=f"'campaign {campaign}' was sent before") as caught:
                await run
            assert caught.value.send.state is SendState.DONE
            assert (await caught.value.reconcile(wait=0)).verdict is Verdict.DONE
        assert await tingting._core._ledger.unresolved() == []
    assert posts(sandbox) == 1


async def test_refused_before_it_is_changed(sandbox: Sandbox, connect: Any) -> None:
    """A campaign that was run is refused before its message is changed for the run."""
    campaign = first(sandbox)
    async with connect() as tingting:
        await tingting.campaigns.run(campaign, message="one")
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.campaigns.run(campaign, message="two")
        assert (await caught.value.reconcile(wait=0)).verdict is Verdict.DONE
    assert sandbox.world.campaigns[campaign].message == "one"


async def test_another_run_that_is_meant(sandbox: Sandbox, connect: Any) -> None:
    """A run with a name of its own is another one, once; the name counts for this campaign alone."""
    one, other, *_ = sorted(sandbox.world.campaigns)
    async with connect(TingTing) as classic:
        for campaign, key in ((one, None), (other, "again")):
            await classic.campaigns.run(campaign, message="m", idempotency_key=key)
        sandbox.world.campaigns[one].status = "Completed"
        await classic.campaigns.run(one, message="m", idempotency_key="again")
        with pytest.raises(DuplicateSendError, match=f"'campaign {one}: again'"):
            await classic.campaigns.run(one, message="m", idempotency_key="again")
    assert sandbox.tally()["run", str(one)] == 2


async def test_another_run_that_was_lost(sandbox: Sandbox, connect: Any) -> None:
    """While a first run lasts, nothing tells whether another one that was lost happened: it is not taken for done."""
    one, other, *_ = sorted(sandbox.world.campaigns)
    async with connect() as tingting:
        for campaign, run in ((one, tingting.campaigns.run), (other, tingting.surveys.run)):
            await run(campaign)
            with (
                sandbox.faults.during([Fault("reset", method="POST", times=1)]),
                pytest.raises(OutcomeUnknownError) as caught,
            ):
                await run(campaign, idempotency_key="second wave")
            assert (await caught.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        assert [send.key for send in await tingting._core._ledger.unresolved()] == [
            f"campaign {campaign}: second wave" for campaign in (one, other)
        ]


@pytest.mark.parametrize("kind", [TingTing, tingting_async.v1.TingTing])
async def test_codes(sandbox: Sandbox, connect: Any, kind: Any) -> None:
    """A code with a name is sent once; without one, as often as it is asked for."""
    async with connect(kind) as tingting:
        await send_otp(tingting, idempotency_key="sign-up 7")
        with pytest.raises(DuplicateSendError, match=r"'otp\.send: sign-up 7'"):
            await send_otp(tingting, idempotency_key="sign-up 7", otp="654321")
        await send_otp(tingting)
        await send_otp(tingting)
    assert sandbox.tally()["otp", NUMBER] == 3


async def test_calls_and_purchases(sandbox: Sandbox, connect: Any) -> None:
    """A demo call, a survey's test call and a purchase are sent once for each name."""
    contact = sandbox.world.campaigns[first(sandbox)].contacts[0].id
    async with connect() as tingting, connect(TingTing) as classic:
        sid = (await classic.phone_numbers.for_sale().first()).sid
        for send in (
            lambda: tingting.contacts.demo_call(contact, idempotency_key="a"),
            lambda: tingting.surveys.test_call(contact, idempotency_key="a"),
            lambda: classic.phone_numbers.buy(sid),
        ):
            await send()
            with pytest.raises(DuplicateSendError):
                await send()
    assert posts(sandbox) == 3


async def test_what_was_not_done_is_free(sandbox: Sandbox, connect: Any) -> None:
    """What never left, and what the service refused, may be sent at once."""
    campaign = first(sandbox)
    async with connect() as tingting:
        async with sandbox.offline():
            with pytest.raises(NotSentError):
                await tingting.campaigns.run(campaign)
        with sandbox.faults.during([Fault("status", status=400, times=1)]), pytest.raises(BadRequestError):
            await tingting.campaigns.run(campaign)
        with pytest.raises(UsageError):
            await send_otp(tingting, idempotency_key="x", otp="12 34")
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_repeats_of_one_call(sandbox: Sandbox, connect: Any) -> None:
    """A call that is repeated, as nothing of it had left, is one send and does not stand in its own way."""
    campaign = first(sandbox)
    busy = Fault("status", status=429, headers={"Retry-After": "0"}, times=2)
    async with connect(retries=RetryPolicy(initial_backoff=0)) as tingting:
        with sandbox.faults.during([busy]):
            await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


@pytest.mark.parametrize("is_done", [True, False])
async def test_lost_answer(sandbox: Sandbox, connect: Any, is_done: bool) -> None:
    """After a lost answer the same is refused, until either error's `reconcile()` has found out what became of it."""
    verdict = Verdict.DONE if is_done else Verdict.NOT_DONE
    for nth, campaign in enumerate(sorted(sandbox.world.campaigns)[:2]):
        lost = Fault("reset_after" if is_done else "reset", method="POST", times=1)
        async with connect() as tingting:
            with sandbox.faults.during([lost]), pytest.raises(OutcomeUnknownError) as unknown:
                await tingting.campaigns.run(campaign)
            with pytest.raises(DuplicateSendError, match="may have been sent before") as refused:
                await tingting.campaigns.run(campaign)
            assert refused.value.send.state is SendState.UNKNOWN
            assert [send.key for send in await tingting._core._ledger.unresolved()] == [f"campaign {campaign}"]
            error = (unknown, refused)[nth].value
            assert (await error.reconcile(wait=0)).verdict is verdict
            assert await tingting._core._ledger.unresolved() == []
            if is_done:
                with pytest.raises(DuplicateSendError, match="was sent before"):
                    await tingting.campaigns.run(campaign)
            else:
                await tingting.campaigns.run(campaign)
            # What is found out late is of the attempt that it was asked of, and of no newer one.
            await tingting._core._ledger._settler(refused.value.send, by_hand=True)(await error.reconcile(wait=0))
            with pytest.raises(DuplicateSendError):
                await tingting.campaigns.run(campaign)
        assert sandbox.tally()["run", str(campaign)] == 1


async def test_code_from_before(sandbox: Sandbox, connect: Any) -> None:
    """A code is looked for since the attempt that may have sent it, not since the refusal."""
    async with connect() as tingting:
        with (
            sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
            pytest.raises(OutcomeUnknownError),
        ):
            await send_otp(tingting, idempotency_key="sign-up")
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(tingting, idempotency_key="sign-up")
        assert refused.value.send.started_at < datetime.now(UTC)
        assert (await refused.value.reconcile(wait=0)).verdict is Verdict.DONE
    assert sandbox.tally()["otp", NUMBER] == 1


async def test_another_code(sandbox: Sandbox, connect: Any) -> None:
    """A second attempt with another code cannot look for the first: unknown, and nothing is sent again."""
    async with connect() as tingting:
        with (
            sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
            pytest.raises(OutcomeUnknownError),
        ):
            await send_otp(tingting, idempotency_key="sign-up", otp="123456")
        for _ in range(2):
            with pytest.raises(DuplicateSendError) as refused:
                await send_otp(tingting, idempotency_key="sign-up", otp="654321")
            assert (await refused.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
    assert sandbox.tally()["otp", NUMBER] == 1


async def test_by_hand(sandbox: Sandbox, connect: Any) -> None:
    """Where the service has nothing that tells, a person confirms or releases."""
    ids = sorted(sandbox.world.campaigns)
    async with connect(TingTing) as classic:
        ledger = classic._core._ledger
        for campaign in ids[:2]:
            with (
                sandbox.faults.during([Fault("reset", method="POST", times=1)]),
                pytest.raises(OutcomeUnknownError) as caught,
            ):
                await classic.campaigns.run(campaign, message="m")
            assert (await caught.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        confirmed, released = await ledger.unresolved()
        assert (confirmed.operation, confirmed.service) == ("campaigns.run", sandbox.url)
        await ledger.mark_sent(confirmed)
        await ledger.mark_not_sent(released)
        assert await ledger.unresolved() == []
        with pytest.raises(DuplicateSendError, match="was sent before"):
            await classic.campaigns.run(ids[0], message="m")
        await classic.campaigns.run(ids[1], message="m")
        await ledger.mark_not_sent(released)  # It is another attempt by now.
        with pytest.raises(DuplicateSendError):
            await classic.campaigns.run(ids[1], message="m")


async def test_in_progress(sandbox: Sandbox, connect: Any) -> None:
    """While one waits for the answer, nobody else may send it, settle it, or take it for lost."""
    campaign, stall = first(sandbox), sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect() as one, connect() as other:
        run = asyncio.create_task(one.campaigns.run(campaign))
        await stall.triggered.wait()
        with pytest.raises(DuplicateSendError, match="is being sent by a running process") as caught:
            await other.campaigns.run(campaign)
        assert (await caught.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        for settle in (other._core._ledger.mark_sent, other._core._ledger.mark_not_sent):
            with pytest.raises(UsageError, match="in progress"):
                await settle(caught.value.send)
        assert await other._core._ledger.unresolved() == []
        stall.release()
        await run
        with pytest.raises(DuplicateSendError, match="was sent before"):
            await other.campaigns.run(campaign)
    assert posts(sandbox) == 1


async def test_locks_that_were_cleared_away(sandbox: Sandbox, connect: Any, path: Path) -> None:
    """A process whose lock file was cleared away locks another for its next send: who waits is not taken for lost."""
    campaign = first(sandbox)
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


async def test_cancelled(sandbox: Sandbox, connect: Any) -> None:
    """Who is cancelled once it may have left, leaves it unknown; who is cancelled before, leaves nothing."""
    one, other, *_ = sorted(sandbox.world.campaigns)
    stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
    async with connect(max_in_flight=1) as tingting:
        runs = [asyncio.create_task(tingting.campaigns.run(campaign)) for campaign in (one, other)]
        await stall.triggered.wait()
        for run in reversed(runs):
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
        assert [send.key for send in await tingting._core._ledger.unresolved()] == [f"campaign {one}"]
        await tingting.campaigns.run(other)
        stall.release()


async def test_cancelled_while_it_is_written_down(sandbox: Sandbox, connect: Any, path: Path) -> None:
    """Who is cancelled while the row is being written leaves nothing: it may be sent at once."""
    campaign = first(sandbox)
    async with connect() as tingting:
        await send_otp(tingting)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # Another process is writing: the row has to wait.
            run = asyncio.create_task(tingting.campaigns.run(campaign))
            while tingting._core.transport._slots._value == 32:
                await asyncio.sleep(0)
            run.cancel()
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await run
        assert [send.operation for send in await tingting._core._ledger.unresolved()] == []
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


def test_end_of_the_loop_while_it_is_written_down(path: Path) -> None:
    """Where the event loop ends while the row is being written, nothing stays of it in a process that goes on."""
    ledger = SqliteLedger(path)
    with Sandbox().in_thread() as sandbox:

        def connect() -> Any:
            return tingting_async.v1.TingTing(base_url=sandbox.url, api_token=sandbox.api_token, ledger=ledger)

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
            others = asyncio.create_task(write(other, writes))  # As another process would: the row has to wait.
            await writes.wait()
            sending = asyncio.create_task(send_otp(tingting, idempotency_key="a"))
            while tingting._core.transport._slots._value == 32:
                await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.to_thread(os.getpid)  # Other threads have their turns: the one that writes is at it.
            assert [others.done(), sending.done()] == [False, False]
            await tingting._core.transport.aclose()
            tingting._core.is_closed = True

        async def come_back() -> None:
            async with connect() as tingting:
                assert await ledger.unresolved() == []
                await send_otp(tingting, idempotency_key="a")

        asyncio.run(ledger.unresolved())
        before = set(threading.enumerate())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            asyncio.run(leave(other))
        for thread in set(threading.enumerate()) - before:
            thread.join()
        asyncio.run(come_back())
        assert sandbox.tally()["otp", NUMBER] == 1


async def test_confirmed_while_somebody_looks(sandbox: Sandbox, connect: Any) -> None:
    """What was confirmed is done: neither who was looking meanwhile nor a release from before makes it free again."""
    campaign = first(sandbox)
    async with connect() as tingting:
        with sandbox.faults.during([Fault("reset", method="POST", times=1)]), pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(campaign)
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(campaign)
        [send] = await tingting._core._ledger.unresolved()
        await tingting._core._ledger.mark_sent(send)
        assert (await refused.value.reconcile(wait=0)).verdict is Verdict.NOT_DONE
        await tingting._core._ledger.mark_not_sent(send)
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(campaign)
        assert refused.value.send.state is SendState.DONE
        await tingting._core._ledger.mark_not_sent(refused.value.send)  # Who knows that it is done may mean it.
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_time_that_the_writing_takes(sandbox: Sandbox, connect: Any, path: Path) -> None:
    """Whose time is up once the row is written does not send, and leaves nothing."""
    campaign = first(sandbox)
    async with connect() as tingting:
        await send_otp(tingting)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.1, other.execute, "ROLLBACK")
            with pytest.raises(NotSentError):
                await tingting.campaigns.run(campaign, timeout=0.05)
        assert await tingting._core._ledger.unresolved() == []
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_send_of_another_ledger(sandbox: Sandbox, connect: Any, path: Path) -> None:
    """What another file knows of settles nothing here, though it bears the same number."""
    async with connect() as one, connect(ledger=SqliteLedger(path.with_name("other"))) as other:
        for tingting in (one, other):
            with (
                sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
                pytest.raises(OutcomeUnknownError),
            ):
                await send_otp(tingting, idempotency_key="a")
        [here], [there] = await one._core._ledger.unresolved(), await other._core._ledger.unresolved()
        assert here.id == there.id
        await one._core._ledger.mark_not_sent(there)
        assert await one._core._ledger.unresolved() == [here]


async def test_time_out_is_unknown(sandbox: Sandbox, connect: Any) -> None:
    """An answer that does not come in time leaves it unknown."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect(timeout=Timeout(attempt=0.1)) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(first(sandbox))
        stall.release()
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.campaigns.run(first(sandbox))
        assert caught.value.send.state is SendState.UNKNOWN


SCRIPT = """
import os, signal, sys
from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.http.messages import Effect, Request, Response

ledger, deed = SqliteLedger(sys.argv[1]), sys.argv[2]
request = Request("POST", "/", Effect.SEND, "things.ring", Response)
if deed == "die with a child":
    until, here = os.pipe()
    if os.fork():
        os.wait()
        print([send.state.value for send in SqliteLedger(sys.argv[1])._all()])
        sys.exit(0)
    ledger._claim("http://a", "thing", request)
    if os.fork() == 0:
        os.close(here)
        os.read(until, 1)  # It inherited all that was open, and lives until somebody has looked.
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
if deed != "die before":
    ledger._claim("http://a", "thing", request)
if deed.startswith("die"):
    os.kill(os.getpid(), signal.SIGKILL)
if os.fork() == 0:
    if deed == "fork and send":
        ledger._claim("http://a", "another thing", request)
    sys.exit(0)  # It inherited all that was open, and ends in order.
os.wait()
print([send.state.value for send in SqliteLedger(sys.argv[1])._all()])
"""


def run(path: Path, deed: str) -> "subprocess.CompletedProcess[str]":
    """Run the script."""
    command = [sys.executable, "-P", "-c", SCRIPT, str(path), deed]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("deed", "keys", "told"),
    [
        ("die before", [], ""),
        ("die after", ["thing"], ""),
        ("die with a child", ["thing"], "['unknown']\n"),
        ("fork", ["thing"], "['in progress']\n"),
        ("fork and send", ["thing", "another thing"], "['in progress', 'unknown']\n"),
    ],
)
async def test_ends_of_processes(path: Path, deed: str, keys: list[str], told: str) -> None:
    """Who dies after writing it down leaves it unknown, before it nothing; forked children change nothing of that."""
    done = run(path, deed)
    ledger = SqliteLedger(path)
    assert [(send.key, send.state) for send in await ledger.unresolved()] == [(key, SendState.UNKNOWN) for key in keys]
    assert done.returncode == (-signal.SIGKILL if deed in ("die before", "die after") else 0)
    assert (done.stdout, done.stderr) == (told, "")
    # The locks of those who ended are gone as soon as somebody else sends.
    ledger._process_owner()
    assert len([*Path(f"{path}.owners").iterdir()]) == 1


async def test_unusable(sandbox: Sandbox, connect: Any, tmp_path: Path) -> None:
    """A ledger that cannot be written is a LedgerError with its path, and nothing is sent."""
    (tmp_path / "file").write_text("This is no database, whatever it is called, and it is long enough.")
    for name in ("", "file", "file/sends"):
        async with connect(ledger=SqliteLedger(tmp_path / name)) as tingting:
            with pytest.raises(LedgerError, match=str(tmp_path / name)) as caught:
                await tingting.campaigns.run(first(sandbox))
            assert caught.value.__cause__ is not None
            with pytest.raises(LedgerError):
                await tingting._core._ledger.unresolved()
    assert posts(sandbox) == 0


async def test_outcome_that_cannot_be_written(
    sandbox: Sandbox, connect: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the outcome cannot be written down, the caller still gets the result, and the log tells."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect() as tingting:
        run = asyncio.create_task(tingting.campaigns.run(first(sandbox)))
        await stall.triggered.wait()
        path.write_bytes(b"no database any more" * 9)
        stall.release()
        with caplog.at_level(logging.WARNING, logger="tingting_async"):
            assert "Scheduled" in (await run).message
    assert "until it can, it refuses the same" in caplog.text


@pytest.mark.parametrize("what_comes", ["done", "refused", "lost"])
async def test_outcome_that_is_written_late(sandbox: Sandbox, connect: Any, path: Path, what_comes: str) -> None:
    """An outcome that could not be written down is, as soon as the file can be used: nothing stays in progress."""
    campaign = first(sandbox)
    faults = {"done": [], "refused": [Fault("status", status=400, times=1)], "lost": [Fault("reset_after", times=1)]}[
        what_comes
    ]
    async with connect() as tingting, connect() as other:
        await send_otp(tingting)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for deed in ("UPDATE", "DELETE"):
                fails = f"BEFORE {deed} ON sends BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
                database.execute(f"CREATE TRIGGER {deed}_fails {fails}")
            with sandbox.faults.during(faults), suppress(BadRequestError, OutcomeUnknownError):
                await tingting.campaigns.run(campaign)
            for deed in ("UPDATE", "DELETE"):
                database.execute(f"DROP TRIGGER {deed}_fails")
        assert len(await tingting._core._ledger.unresolved()) == (what_comes == "lost")
        if what_comes == "refused":
            await other.campaigns.run(campaign)
        with pytest.raises(DuplicateSendError) as caught:
            await other.campaigns.run(campaign)
        assert caught.value.send.state is (SendState.UNKNOWN if what_comes == "lost" else SendState.DONE)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_modes(connect: Any, sandbox: Sandbox, path: Path) -> None:
    """File and folders are their owner's alone, whatever the umask."""
    before = os.umask(0)
    try:
        async with connect() as tingting:
            await tingting.campaigns.run(first(sandbox))
            lock = next(Path(f"{path}.owners").iterdir())
    finally:
        os.umask(before)
    made = (path.parent, path, lock.parent, lock)
    assert [each.stat().st_mode & 0o777 for each in made] == [0o700, 0o600, 0o700, 0o600]


@pytest.mark.parametrize("key", ["", "  ", " a", "a ", "a\nb", "x" * (MAX_KEY_LENGTH + 1), 5])
async def test_names_that_are_none(connect: Any, key: Any) -> None:
    """A name is a text on one line, of a length that can be kept."""
    async with connect() as tingting:
        with pytest.raises(UsageError, match="`idempotency_key`"):
            await send_otp(tingting, idempotency_key=key)


async def test_names_that_look_the_same(sandbox: Sandbox, connect: Any) -> None:
    """A name that is written with other code points, composed or not, is the same name."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="sign-up of Jos\u00e9")
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="sign-up of Jose\u0301")
    assert posts(sandbox) == 1


async def test_without_a_ledger(sandbox: Sandbox, connect: Any) -> None:
    """A name without a ledger is refused, as nobody would keep count."""
    async with connect(ledger=None) as tingting:
        with pytest.raises(UsageError, match="needs a ledger"):
            await send_otp(tingting, idempotency_key="a")
        with pytest.raises(UsageError, match="needs a ledger"):
            await tingting.campaigns.run(first(sandbox), message="m", idempotency_key="a")
    assert sandbox.requests == []


async def test_forget(sandbox: Sandbox, connect: Any) -> None:
    """What was done is forgotten from a day on; what is unknown is not, and what is naive is refused."""
    async with connect() as tingting:
        ledger = tingting._core._ledger
        with (
            sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
            pytest.raises(OutcomeUnknownError),
        ):
            await send_otp(tingting, idempotency_key="lost")
        await send_otp(tingting, idempotency_key="done")
        assert await ledger.prune(datetime.now(UTC) - timedelta(days=1)) == 0
        assert await ledger.prune(datetime.now(UTC) + timedelta(days=1)) == 1
        assert len(await ledger.unresolved()) == 1
        await send_otp(tingting, idempotency_key="done")
        with pytest.raises(UsageError, match="aware"):
            await ledger.prune(datetime(2026, 1, 1))


async def test_another_service(connect: Any, sandbox: Sandbox) -> None:
    """What was sent to one address says nothing of another."""
    async with connect() as tingting, Sandbox() as other:
        await send_otp(tingting, idempotency_key="a")
        async with connect(base_url=other.url, api_token=other.api_token) as elsewhere:
            await send_otp(elsewhere, idempotency_key="a")
    assert other.tally()["otp", NUMBER] == 1


@pytest.mark.parametrize("path", [5, None, "a\0b"])
def test_no_path(path: Any) -> None:
    """What is no path is a UsageError."""
    with pytest.raises(UsageError, match="`path` is"):
        SqliteLedger(path)


async def test_nothing_shows(connect: Any, path: Path) -> None:
    """A phone number in a name is masked in texts and reprs; codes and messages are not even in the file."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key=NUMBER)
        with pytest.raises(DuplicateSendError) as caught:
            await send_otp(tingting, idempotency_key=NUMBER)
        assert NUMBER not in f"{caught.value} {caught.value!r} {caught.value.send!r} {tingting._core._ledger!r}"
        assert caught.value.send.key == f"otp.send: {NUMBER}"
    content = path.read_bytes()
    assert b"123456" not in content
    assert b"Your code" not in content
