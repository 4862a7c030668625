"""A ledger's file that is deleted, emptied, truncated or replaced: no new ledger is made without an error."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from support.ledgers import transaction_lock

from tingting_async import DuplicateSendError, LedgerError
from tingting_async.ledger.claims import Claim
from tingting_async.ledger.sqlite import SqliteLedger, SqliteStorage
from tingting_async.outcomes import Send, SendState, Verdict
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

SEND = Send("id", "http://a", "otp.send", "k", None, SendState.UNKNOWN, datetime(2026, 1, 1, tzinfo=UTC))


async def write_other(path: Path, age: Path | None = None) -> bytes:
    """Return the content of another ledger; if told so, of one that was changed as often as a file."""
    other = path.with_name("other.sqlite")
    storage = SqliteStorage(other)
    await storage.sends()
    # SQLite's counter of changes, by which a connection knows whether what it has read is still true.
    while age is not None and other.read_bytes()[24:28] < age.read_bytes()[24:28]:
        await storage.claim(Claim(uuid4().hex, "http://a", "otp.send", None, None, ""))
    return other.read_bytes()


async def damage(path: Path, kind: str, older: bytes, random: Random) -> None:
    """Damage a ledger's file."""
    size = path.stat().st_size
    match kind:
        case "deleted":
            path.unlink()
        case "deleted with its id":
            path.unlink()
            Path(f"{path}.id").unlink()
        case "deleted with its directory":
            shutil.rmtree(path.parent)
        case "emptied":
            path.write_bytes(b"")
        case "truncated":
            with path.open("r+b") as file:
                file.truncate(random.randrange(1, size))
        case "truncated within its last page":
            with path.open("r+b") as file:
                file.truncate(size - random.randrange(1, 4096))
        case "truncated to whole pages":
            with path.open("r+b") as file:
                file.truncate(4096 * random.randrange(1, size // 4096))
        case "another ledger":
            path.write_bytes(await write_other(path))
        case "another ledger of the same age":
            path.write_bytes(await write_other(path, age=path))
        case "another ledger, renamed":
            other = path.with_name("new")
            other.write_bytes(await write_other(path))
            other.replace(path)
        case "an older copy":
            path.write_bytes(older)
        case _:
            path.write_bytes(b"not a database " * 99)


KINDS = (
    "deleted",
    "deleted with its id",
    "deleted with its directory",
    "emptied",
    "truncated",
    "truncated to whole pages",
    "truncated within its last page",
    "another ledger",
    "another ledger of the same age",
    "another ledger, renamed",
    "an older copy",
    "something else",
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
async def test_damaged_while_in_use(
    connect: Any, path: Path, ledger: SqliteLedger, send_otp: Any, posts: Callable[[], int], kind: str, seed: int
) -> None:
    """A ledger whose file was damaged refuses everything, says what to do, and sends nothing until it is restored."""
    random = Random(f"{kind} {seed}")
    async with connect(ledger=ledger) as tingting:
        await send_otp(tingting, idempotency_key="first")
        older = path.read_bytes()
        for number in range(random.randrange(1, 4)):
            await send_otp(tingting, idempotency_key=f"then {number}")
        whole, before = path.read_bytes(), posts()
        id_ = Path(f"{path}.id").read_bytes()
        await damage(path, kind, older, random)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: send_otp(tingting, idempotency_key="first"),
            lambda: send_otp(tingting, idempotency_key="then 0"),
            lambda: send_otp(tingting),
            lambda: tingting.campaigns.run(1, message="m"),
            ledger.unresolved,
            lambda: ledger.mark_sent(SEND),
            lambda: ledger.prune(datetime.now(UTC)),
        ]
        for call in random.sample(calls, len(calls)):
            with pytest.raises(LedgerError, match=f"{path}.*(Restore it|Check that)") as caught:
                await call()
            assert (call in calls[:4]) == ("nothing was sent" in str(caught.value))
        assert before == posts()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole)
        Path(f"{path}.id").write_bytes(id_)
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="then 0")


@pytest.mark.parametrize("kind", ["deleted", "emptied", "another ledger", "another ledger, renamed"])
async def test_damaged_before_a_process_starts(
    connect: Any, path: Path, send_otp: Any, posts: Callable[[], int], kind: str
) -> None:
    """A new process knows by the id beside a file that there was a ledger, and refuses to begin a new one."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="first")
    await damage(path, kind, b"", Random(0))
    what = {"deleted": "is missing", "emptied": "is empty"}.get(kind, "is another ledger")
    async with connect() as tingting:
        for _ in range(2):
            delete = "delete" if kind == "deleted" else "delete the file and"
            with pytest.raises(LedgerError, match=rf"{what}, .* {delete} '{path}\.id', and make a new") as caught:
                await send_otp(tingting, idempotency_key="first")
            assert str(caught.value).startswith("otp.send: nothing was sent, because the ledger failed. The ledger '")
    assert 1 == posts()
    assert ("deleted" != kind) == path.exists()


async def test_new_ledger_on_purpose(connect: Any, path: Path, send_otp: Any, posts: Callable[[], int]) -> None:
    """If the file and its id are deleted, a new process begins a new ledger."""
    for _ in range(2):
        async with connect() as tingting:
            await send_otp(tingting, idempotency_key="first")
        path.unlink()
        Path(f"{path}.id").unlink()
    assert 2 == posts()


async def test_id_that_is_missing(connect: Any, path: Path, send_otp: Any) -> None:
    """An id that was deleted, or never written because the process was killed, is written by the next process."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="first")
    id_ = Path(f"{path}.id").read_bytes()
    Path(f"{path}.id").unlink()
    async with connect() as tingting:
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="first")
    assert (id_, 0o600) == (Path(f"{path}.id").read_bytes(), Path(f"{path}.id").stat().st_mode & 0o777)


async def test_ledger_that_was_moved(connect: Any, path: Path, send_otp: Any, tmp_path: Path) -> None:
    """A ledger that was moved, with or without its id, is the same ledger."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="first")
    moved = tmp_path / "moved.sqlite"
    path.rename(moved)
    async with connect(ledger=SqliteLedger(moved)) as tingting:
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="first")


async def test_empty_file_without_an_id(sandbox: Sandbox, connect: Any, path: Path, send_otp: Any) -> None:
    """An empty file that never was a ledger becomes one."""
    path.parent.mkdir()
    path.touch()
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="first")
    assert 1 == sandbox.tally()["otp", "9800000001"]


@pytest.mark.parametrize("kind", ["another ledger, renamed", "deleted"])
async def test_replaced_while_a_claim_waits(
    connect: Any, path: Path, ledger: SqliteLedger, send_otp: Any, posts: Callable[[], int], kind: str
) -> None:
    """If the file is replaced while a claim waits for another process, nothing is sent: the claim would be lost."""
    async with connect(ledger=ledger) as tingting:
        await send_otp(tingting, idempotency_key="first")
        before = posts()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sending = asyncio.create_task(send_otp(tingting, idempotency_key="second"))
            while not transaction_lock(tingting._core.ledger).locked():
                await asyncio.sleep(0)  # Until the claim has begun to wait, or is about to.
            for _ in range(50):
                await asyncio.to_thread(path.exists)
            await damage(path, kind, b"", Random(0))
            other.execute("ROLLBACK")
        with pytest.raises(LedgerError, match="nothing was sent"):
            await sending
    assert before == posts()


async def test_closing_a_lost_ledger(connect: Any, path: Path, send_otp: Any, caplog: Any) -> None:
    """Closing a ledger whose file is lost does not hide the error of the block; without one, closing fails."""
    with pytest.raises(ZeroDivisionError) as caught:
        await use_and_lose(connect, path, send_otp, ZeroDivisionError())
    assert caught.value.__context__ is None
    assert "could not be closed" in caplog.text
    with pytest.raises(LedgerError, match="Restore it"):
        await use_and_lose(connect, path.with_name("other"), send_otp, None)


async def use_and_lose(connect: Any, path: Path, send_otp: Any, error: Exception | None) -> None:
    """Lose the file of a ledger within its block while an outcome is late, and raise an error, if there is one."""
    async with SqliteLedger(path) as ledger, connect(ledger=ledger) as tingting:
        await send_otp(tingting, idempotency_key="first")
        ledger.note_own(Claim(uuid4().hex, "http://a", "otp.send", None, None, ""), Verdict.DONE)
        path.unlink()
        if error is not None:
            raise error
