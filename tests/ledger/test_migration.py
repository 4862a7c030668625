"""Ledger files of the old form, in which a given key was bound to its campaign, and files of a newer form."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tingting_async import DuplicateSendError, LedgerError, OutcomeUnknownError, TingTing, Verdict
from tingting_async.ledger.owners import ProcessOwners
from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

OLD_TABLE = """CREATE TABLE IF NOT EXISTS sends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL, key TEXT, operation TEXT NOT NULL,
    is_done INTEGER NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL, digest TEXT NOT NULL,
    UNIQUE (service, key)
)"""
OLD_INSERT = "INSERT INTO sends (service, key, operation, is_done, owner, since, digest) VALUES (?, ?, ?, 0, ?, ?, ?)"
SINCE = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
SALT = "00" * 16


def write_old(
    path: Path, url: str, rows: Iterable[tuple[str | None, str, bool]], owner: str = "", digest: str = SALT
) -> None:
    """Write a file of the old form, with rows of a key, an operation, and whether it is done."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(OLD_TABLE)
        for number, (key, operation, is_done) in enumerate(rows):
            since = (SINCE + timedelta(days=number)).timestamp()
            added = database.execute(OLD_INSERT, (url, key, operation, owner, since, digest))
            database.execute("UPDATE sends SET is_done = ? WHERE id = ?", (is_done, added.lastrowid))


async def test_fields(path: Path, ledger: SqliteLedger) -> None:
    """An old key becomes a target, a key, or both, and the other fields are kept."""
    rows = [
        ("campaign 7", "campaigns.run", False),
        ("campaign 7: second: wave", "campaigns.run", False),
        ("otp.send: sign-up 7", "otp.send", False),
        (None, "otp.send", False),
        ("line PN1", "phone_numbers.buy", False),
    ]
    write_old(path, "http://a", rows)
    sends = await ledger.unresolved()
    assert [(send.operation, send.target, send.key) for send in sends] == [
        ("campaigns.run", "campaign 7", None),
        ("campaigns.run", "campaign 7", "second: wave"),
        ("otp.send", None, "sign-up 7"),
        ("otp.send", None, None),
        ("phone_numbers.buy", "line PN1", None),
    ]
    assert [send.started_at for send in sends] == [SINCE + timedelta(days=number) for number in range(5)]
    assert {send.service for send in sends} == {"http://a"}
    assert await SqliteLedger(path).unresolved() == sends


async def test_old_sends_are_refused(
    sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int], send_otp: Any, posts: Any
) -> None:
    """A send that an old file has is refused as the old code refused it, and by the new rules too."""
    one, two, three, four, *_ = campaigns
    rows = [
        (f"campaign {one}", "campaigns.run", True),
        (f"campaign {one}: again", "campaigns.run", True),
        (f"campaign {two}: again", "campaigns.run", True),
        (f"campaign {three}: spring", "surveys.run", True),
        ("otp.send: sign-up 7", "otp.send", True),
        ("line a: b", "phone_numbers.buy", True),
    ]
    write_old(path, sandbox.url, rows)
    async with connect() as tingting, connect(TingTing) as classic:
        for refused in (
            tingting.campaigns.run(one),
            tingting.surveys.run(one),
            classic.campaigns.run(one, message="m"),
            tingting.campaigns.run(one, idempotency_key="again"),
            tingting.campaigns.run(two, idempotency_key="again"),
            tingting.surveys.run(two, idempotency_key="again"),  # By the old rules.
            tingting.campaigns.run(four, idempotency_key="again"),  # By the new rules.
            tingting.campaigns.run(three, idempotency_key="spring"),
            tingting.surveys.run(four, idempotency_key="spring"),
            send_otp(tingting, idempotency_key="sign-up 7"),
            classic.phone_numbers.buy("a: b"),
            classic.phone_numbers.buy("a", idempotency_key="b"),
        ):
            with pytest.raises(DuplicateSendError) as caught:
                await refused
            assert caught.value.send.state is SendState.DONE
        assert posts() == 0
        await send_otp(tingting, idempotency_key="again")
        await tingting.campaigns.run(two)
        await tingting.campaigns.run(four, idempotency_key="spring")
    assert posts() == 3


async def test_unknown_sends_are_reconciled(
    sandbox: Sandbox, connect: Any, path: Path, ledger: SqliteLedger, campaigns: list[int]
) -> None:
    """An old send that is unknown is reconciled by its own campaign, and frees only its own row."""
    one, two, three, *_ = campaigns
    write_old(path, sandbox.url, [(f"campaign {each}: again", "campaigns.run", False) for each in (one, two)])
    async with connect() as tingting:
        for campaign, stored in ((two, two), (three, one)):
            with pytest.raises(DuplicateSendError) as refused:
                await tingting.campaigns.run(campaign, idempotency_key="again")
            assert refused.value.send.target == f"campaign {stored}"
            reconciliation = await refused.value.reconcile(wait=0)
            assert (reconciliation.verdict, reconciliation.result.id) == (Verdict.NOT_DONE, stored)
        assert await ledger.unresolved() == []
        await tingting.campaigns.run(three, idempotency_key="again")
        with pytest.raises(DuplicateSendError):
            await tingting.campaigns.run(one, idempotency_key="again")


@pytest.mark.parametrize("cost", ["old", "new"])
@pytest.mark.parametrize("otp", ["123456", "654321"])
async def test_content_of_old_sends(
    sandbox: Sandbox, connect: Any, path: Path, tmp_path: Path, send_otp: Any, otp: str, cost: str
) -> None:
    """The digest of an old send still shows whether a code may be looked for."""
    new = tmp_path / "new.sqlite"
    async with connect(ledger=SqliteLedger(new)) as tingting:
        with (
            sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
            pytest.raises(OutcomeUnknownError),
        ):
            await send_otp(tingting, idempotency_key="a")
    with closing(sqlite3.connect(new)) as database:
        [(digest,)] = database.execute("SELECT digest FROM sends").fetchall()
    assert digest.endswith(":64")
    if cost == "old":  # Older versions hashed with a higher cost, which they did not write down.
        content = repr(json.loads(sandbox.requests[-1].body)).encode()
        salt = bytes.fromhex(digest[:32])
        digest = digest[:32] + hashlib.scrypt(content, salt=salt, n=1024, r=8, p=1, dklen=16).hex()
    write_old(path, sandbox.url, [("otp.send: a", "otp.send", False)], digest=digest)
    async with connect() as tingting:
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(tingting, idempotency_key="a", otp=otp)
        reconciliation = await refused.value.reconcile(wait=0)
        # An old file does not hold the service's time, so that a code which is there may be from another send.
        assert Verdict.UNKNOWN is reconciliation.verdict
        assert (otp == "123456") == reconciliation.reason.startswith("The code is there")


async def test_send_in_progress(sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int]) -> None:
    """An old send whose process is alive is still in progress."""
    owners = ProcessOwners(Path(f"{path}.owners"))
    write_old(path, sandbox.url, [(f"campaign {campaigns[0]}", "campaigns.run", False)], owner=owners.current())
    async with connect() as tingting:
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.campaigns.run(campaigns[0])
        assert caught.value.send.state is SendState.IN_PROGRESS


async def test_old_code_cannot_write(path: Path, ledger: SqliteLedger) -> None:
    """A process that still runs the old code fails on a migrated file, instead of sending by the old rules."""
    write_old(path, "http://a", [("campaign 7", "campaigns.run", True)])
    await ledger.unresolved()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(OLD_TABLE)
        with pytest.raises(sqlite3.OperationalError, match="no column named since"):
            database.execute(OLD_INSERT, ("http://a", "campaign 8", "campaigns.run", "", 0.0, SALT))


async def test_failed_migration_changes_nothing(path: Path, ledger: SqliteLedger) -> None:
    """A migration that fails is a LedgerError, and leaves the file as it was."""
    write_old(path, "http://a", [("campaign 7", "campaigns.run", True)])
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE targets (id INTEGER)")  # The new form has an index of this name.
    with pytest.raises(LedgerError, match="cannot be used"):
        await ledger.unresolved()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT key FROM sends").fetchall() == [("campaign 7",)]
        assert database.execute("PRAGMA user_version").fetchone() == (0,)


async def test_newer_form(connect: Any, path: Path, ledger: SqliteLedger, campaigns: list[int], posts: Any) -> None:
    """A file of a newer form is refused with an error that says what to do, and nothing is sent."""
    await ledger.unresolved()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version + 1}")
    async with connect() as tingting:
        with pytest.raises(LedgerError, match="newer version of tingting_async; install that version"):
            await tingting.campaigns.run(campaigns[0])
    assert posts() == 0


SECOND_FORM = """
    CREATE TABLE sends (
        id TEXT PRIMARY KEY,
        service TEXT NOT NULL, operation TEXT NOT NULL, key TEXT, target TEXT, old_key TEXT NOT NULL,
        is_done INTEGER NOT NULL, owner TEXT NOT NULL, started_at REAL NOT NULL, digest TEXT NOT NULL,
        service_time REAL, monotonic REAL,
        UNIQUE (service, operation, key, old_key)
    );
    CREATE UNIQUE INDEX targets ON sends (service, target, coalesce(key, ''), old_key);
    CREATE INDEX old_keys ON sends (service, old_key) WHERE old_key != '';
    CREATE TABLE ledger (id TEXT NOT NULL, changes INTEGER NOT NULL);
    INSERT INTO ledger VALUES ('0123', 41);
    INSERT INTO sends VALUES ('a', 'http://a', 'campaigns.run', NULL, 'campaign 7', '', 0, '', 1.5, '', 2.5, 3.5);
    INSERT INTO sends VALUES ('b', 'http://a', 'otp.send', 'k', NULL, '', 1, '', 1.5, '', NULL, NULL);
    PRAGMA user_version = 2;
"""
"""A file as the version before creations with keys wrote it, which names no columns when it inserts rows."""


async def test_file_without_results(path: Path, ledger: SqliteLedger) -> None:
    """A file without columns for creations keeps its rows, its id and its number of changes, and gets the columns."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(SECOND_FORM)
        [send] = await ledger.unresolved()
        assert (send.id, send.target, send.state, send.result) == ("a", "campaign 7", SendState.UNKNOWN, None)
        assert send.clocks is not None
        assert send.clocks.monotonic == 3.5
        await ledger.mark_sent(send)
        assert database.execute("SELECT id, is_done, result, evidence FROM sends").fetchall() == [
            ("a", 1, None, ""),
            ("b", 1, None, ""),
        ]
        assert database.execute("SELECT id, changes FROM ledger").fetchone() == ("0123", 42)
