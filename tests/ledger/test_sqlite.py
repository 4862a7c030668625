"""The ledger's file: its form, its modes, its failures, and files of the old form."""

import asyncio
import logging
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.ledgers import transaction_lock

from tingting_async import BadRequestError, DuplicateSendError, Ledger, LedgerError, OutcomeUnknownError, UsageError
from tingting_async.auth.stores.file import FileTokenStore
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.claims import claim_for
from tingting_async.ledger.sqlite import SqliteLedger, SqliteStorage
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"


@pytest.mark.parametrize("name", ["", "file", "file/sends"])
async def test_unusable(
    sandbox: Sandbox, connect: Any, tmp_path: Path, campaigns: list[int], posts: Any, name: str
) -> None:
    """A ledger that cannot be written is a LedgerError with its path, and nothing is sent."""
    (tmp_path / "file").write_text("This is not a database, whatever it is called, and it is long enough.")
    ledger = SqliteLedger(tmp_path / name)
    async with connect(ledger=ledger) as tingting:
        with pytest.raises(LedgerError, match=str(tmp_path / name)) as caught:
            await tingting.campaigns.run(campaigns[0])
        assert caught.value.__cause__ is not None
        with pytest.raises(LedgerError):
            await ledger.unresolved()
    assert posts() == 0


@pytest.mark.parametrize("path", ["", ":memory:"])
@pytest.mark.parametrize("kind", [SqliteLedger, FileTokenStore])
async def test_no_file(kind: Any, path: str) -> None:
    """A path that names no file is a UsageError."""
    with pytest.raises(UsageError, match=f"`path` is '{path}', which names no file"):
        kind(path)


@pytest.mark.parametrize("value", ["prog", None, 1])
async def test_what_is_no_send(path: Path, value: Any) -> None:
    """Marking a value that is not a `Send` is a UsageError that says what to give."""
    ledger = SqliteLedger(path)
    for mark in (ledger.mark_sent, ledger.mark_not_sent):
        with pytest.raises(UsageError, match=r"`send` must be a Send, such as one of `await ledger\.unresolved\(\)`"):
            await mark(value)


async def test_outcome_that_cannot_be_recorded(
    sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """If the outcome cannot be recorded, the caller still gets the result, and a warning is logged."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect() as tingting:
        run = asyncio.create_task(tingting.campaigns.run(campaigns[0]))
        await stall.triggered.wait()
        path.write_bytes(b"not a database any more" * 9)
        stall.release()
        with caplog.at_level(logging.WARNING, logger="tingting_async"):
            assert "Scheduled" in (await run).message
    assert "Until it can, it refuses the same send" in caplog.text
    assert str(path) in caplog.text


@pytest.mark.parametrize("outcome", ["done", "refused", "lost"])
async def test_outcome_that_is_recorded_late(
    sandbox: Sandbox,
    connect: Any,
    path: Path,
    ledger: Ledger,
    campaigns: list[int],
    send_otp: Any,
    outcome: str,
) -> None:
    """An outcome that could not be recorded is recorded as soon as the file can be used again."""
    campaign = campaigns[0]
    faults = {
        "done": [],
        "refused": [Fault("status", status=400, body={"detail": "No."}, times=1)],
        "lost": [Fault("reset_after", times=1)],
    }[outcome]
    async with connect(ledger=ledger) as tingting, connect() as other:
        await send_otp(tingting)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in ("UPDATE", "DELETE"):
                fails = f"BEFORE {statement} ON sends BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
                database.execute(f"CREATE TRIGGER {statement}_fails {fails}")
            with sandbox.faults.during(faults), suppress(BadRequestError, OutcomeUnknownError):
                await tingting.campaigns.run(campaign)
            for statement in ("UPDATE", "DELETE"):
                database.execute(f"DROP TRIGGER {statement}_fails")
        assert len(await ledger.unresolved()) == (outcome == "lost")
        if outcome == "refused":
            await other.campaigns.run(campaign)
        with pytest.raises(DuplicateSendError) as caught:
            await other.campaigns.run(campaign)
        assert caught.value.send.state is (SendState.UNKNOWN if outcome == "lost" else SendState.DONE)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_cancelled_while_another_outcome_is_recorded_late(
    sandbox: Sandbox, connect: Any, path: Path, ledger: Ledger, campaigns: list[int]
) -> None:
    """A finished send stays done if its task is cancelled while the outcomes that are late are recorded."""
    late, cancelled = campaigns[:2]
    async with connect(ledger=ledger) as tingting, connect() as other_session:
        stalls = [sandbox.faults.add(Fault("stall_after", path=f"*/{each}/*", times=1)) for each in (late, cancelled)]
        runs = [asyncio.create_task(tingting.campaigns.run(each)) for each in (late, cancelled)]
        for stall in stalls:
            await stall.triggered.wait()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("CREATE TRIGGER fails BEFORE UPDATE ON sends BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
            stalls[0].release()
            await runs[0]
            other.execute("DROP TRIGGER fails")
            other.execute("BEGIN IMMEDIATE")  # As another process that writes: the outcome has to wait.
            stalls[1].release()
            while not transaction_lock(tingting._core.ledger).locked():
                await asyncio.sleep(0)  # Until the thread is about to record the outcome.
            runs[1].cancel()
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await runs[1]
        for sender, each in ((other_session, cancelled), (tingting, late)):
            with pytest.raises(DuplicateSendError) as caught:
                await sender.campaigns.run(each)
            assert (f"campaign {each}", SendState.DONE) == (caught.value.send.target, caught.value.send.state)


async def test_warning_names_the_send_that_is_not_recorded(
    sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int], send_otp: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A send whose outcome was recorded logs no warning if an earlier outcome still cannot be recorded."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="first")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            fails = "BEFORE UPDATE ON sends WHEN OLD.key = 'late' BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
            stall = sandbox.faults.add(Fault("stall_after", method="POST", path="*/run*", times=1))
            run = asyncio.create_task(tingting.campaigns.run(campaigns[0]))
            await stall.triggered.wait()
            other.execute(f"CREATE TRIGGER fails {fails}")
            await send_otp(tingting, idempotency_key="late")
            stall.release()
            await run
            other.execute("DROP TRIGGER fails")
    warnings = [record.getMessage() for record in caplog.records if record.name == "tingting_async"]
    assert [True] == ["a send (otp.send)" in warning for warning in warnings]


async def test_modes(connect: Any, campaigns: list[int], path: Path) -> None:
    """The file and the directories are accessible only to their owner, whatever the umask."""
    before = os.umask(0)
    try:
        async with connect() as tingting:
            await tingting.campaigns.run(campaigns[0])
            lock = next(Path(f"{path}.owners").iterdir())
    finally:
        os.umask(before)
    made = (path.parent, path, lock.parent, lock, *(Path(f"{path}{each}") for each in (".id", ".queue", "-journal")))
    modes = [0o700, 0o600, 0o700, 0o600, 0o600, 0o600, 0o600]
    assert modes == [each.stat().st_mode & 0o777 for each in made]


async def test_prune(sandbox: Sandbox, connect: Any, ledger: Ledger, send_otp: Any) -> None:
    """`prune()` deletes sends that are done and older than a time, keeps unknown ones, and refuses a naive time."""
    async with connect() as tingting:
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


@pytest.mark.parametrize("path", [5, None, "a\0b"])
def test_invalid_path(path: Any) -> None:
    """A value that is not a path is a UsageError."""
    with pytest.raises(UsageError, match="`path` is"):
        SqliteLedger(path)


async def test_secrets(connect: Any, ledger: Ledger, path: Path, send_otp: Any) -> None:
    """A phone number in a key is masked in texts and reprs; codes and messages are not in the file."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key=NUMBER)
        with pytest.raises(DuplicateSendError) as caught:
            await send_otp(tingting, idempotency_key=NUMBER)
        assert NUMBER not in f"{caught.value} {caught.value!r} {caught.value.send!r} {ledger!r}"
        assert caught.value.send.key == NUMBER
    content = path.read_bytes()
    assert b"123456" not in content
    assert b"Your code" not in content


async def test_pages_that_a_transaction_writes(path: Path) -> None:
    """Claims that share a transaction change few pages of a file that has many others."""
    storage = SqliteStorage(path)

    async def claim(count: int) -> bytes:
        await asyncio.gather(
            *(storage.claim(claim_for("http://a", Request.send("/otp/", Response, "otp.send"))) for _ in range(count))
        )
        return path.read_bytes()

    before, after = await claim(3000), await claim(20)
    pages = range(0, len(after), 4096)
    changed = [page for page in pages if before[page : page + 4096] != after[page : page + 4096]]
    assert len(changed) < 25  # Ids in no order would change more than ten others.
