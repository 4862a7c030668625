"""The ledger in PostgreSQL: what becomes of it, and of sends, if the server, the network or somebody interferes."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.frames import chain, frame_locals
from support.postgres_servers import PASSWORD, PostgresServer, linked
from support.servers import closed_port
from support.transaction_pooler import transaction_pooler

from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    LedgerError,
    OutcomeUnknownError,
    PostgresLedger,
    SendState,
    UsageError,
    Verdict,
    ensure_sent,
)
from tingting_async.ledger.claims import Claim, Decision
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.postgres import PostgresStorage
from tingting_async.postgres import Postgres
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"


@pytest.fixture
def run_sql(shared_postgres: PostgresServer, database: str) -> Callable[..., list[Any]]:
    """Return a function that executes a statement as an administrator."""
    return lambda statement, *arguments: shared_postgres.run(statement, *arguments, database=database)


@pytest.fixture
def end_sessions(shared_postgres: PostgresServer, database: str) -> Callable[[], None]:
    """Return a function that ends all sessions of the database."""
    return lambda: shared_postgres.end_sessions(database)


async def test_a_session_that_ends_during_a_send(
    sandbox: Sandbox, connect: Any, ledger_place: Any, database: str, send_otp: Any, end_sessions: Any, posts: Any
) -> None:
    """A send that waits for its response stays its process's after the session has ended, and is recorded as done."""
    ledger = ledger_place.open()
    async with connect(ledger=ledger) as tingting, connect() as other:
        stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
        slow = asyncio.create_task(send_otp(tingting, idempotency_key="slow"))
        await stall.stalled.wait()
        end_sessions()
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(other, idempotency_key="slow")
        assert SendState.UNKNOWN is refused.value.send.state
        await send_otp(tingting, idempotency_key="next")
        with pytest.raises(UsageError, match="is in progress"):
            await refused.value.reconcile(wait=0)
        waiting = asyncio.create_task(ensure_sent(lambda: send_otp(other, idempotency_key="slow"), wait=0))
        stall.release()
        await slow
        assert None is await waiting
    assert 2 == posts()


async def test_a_session_that_ends_before_a_send(ledger_place: Any, database: str, end_sessions: Any) -> None:
    """A request that was not begun when the session ended must not begin any more; its claim is its process's."""
    storage, other = ledger_place.open()._storage, ledger_place.open()._storage
    first, second = (Claim(name, "http://a", "things.call", name, None, "") for name in ("first", "second"))
    await storage.claim(first)
    end_sessions()
    await storage.claim(second)
    states = [send.state for send in await other.sends()]
    assert [SendState.IN_PROGRESS] * 2 == states
    with pytest.raises(LedgerError, match="its session of the database has ended"):
        await storage.renew("first")
    await storage.renew("second")
    await storage.aclose()
    await storage.claim(Claim("third", "http://a", "things.call", "third", None, ""))
    states = [send.state for send in await other.sends()]
    assert [SendState.UNKNOWN, SendState.UNKNOWN, SendState.IN_PROGRESS] == states
    for each in (storage, other):
        await each.aclose()


async def test_sessions_that_end_one_after_the_other(ledger_place: Any, database: str, end_sessions: Any) -> None:
    """Claims stay their process's however many sessions it loses."""
    storage, other = ledger_place.open()._storage, ledger_place.open()._storage
    await storage.claim(Claim("first", "http://a", "things.call", "first", None, ""))
    end_sessions()
    for number in range(3):
        await storage.claim(Claim(f"{number}", "http://a", "things.call", f"{number}", None, ""))
        end_sessions()
    await storage.sends()
    assert {SendState.IN_PROGRESS} == {send.state for send in await other.sends()}
    for each in (storage, other):
        await each.aclose()


async def test_session_that_was_ended(
    sandbox: Sandbox, connect: Any, ledger: Ledger, database: str, send_otp: Any, end_sessions: Any
) -> None:
    """A session that the server ended while it was idle is replaced, and no call fails."""
    async with connect(ledger=ledger) as tingting:
        for number in range(3):
            await send_otp(tingting, idempotency_key=f"{number}")
            end_sessions()
        with pytest.raises(DuplicateSendError, match="as done"):
            await send_otp(tingting, idempotency_key="0")
        end_sessions()
        assert [] == await ledger.unresolved()


@pytest.mark.parametrize("outcome", ["done", "refused", "lost"])
async def test_session_that_was_ended_during_a_send(
    sandbox: Sandbox,
    connect: Any,
    ledger: Ledger,
    database: str,
    campaigns: list[int],
    end_sessions: Any,
    outcome: str,
) -> None:
    """While a send is in flight whose session was ended, others see it as unknown; then its outcome is recorded."""
    campaign = campaigns[0]
    stall = sandbox.faults.add(Fault("stall" if outcome == "refused" else "stall_after", method="POST", times=1))
    async with connect(ledger=ledger) as tingting, connect() as other:
        run = asyncio.create_task(tingting.campaigns.run(campaign))
        await stall.triggered.wait()
        end_sessions()
        with pytest.raises(DuplicateSendError) as caught:
            await other.campaigns.run(campaign)
        assert caught.value.send.state is SendState.UNKNOWN
        if outcome == "refused":
            sandbox.world.campaigns[campaign].status = "Running"  # Which the service refuses to run.
        if outcome == "lost":
            run.cancel()
        stall.release()
        with suppress(BadRequestError, asyncio.CancelledError):
            await run
        if outcome == "refused":
            sandbox.world.campaigns[campaign].status = "Not Started"
            await other.campaigns.run(campaign)
        with pytest.raises(DuplicateSendError) as caught:
            await other.campaigns.run(campaign)
        assert caught.value.send.state is (SendState.UNKNOWN if outcome == "lost" else SendState.DONE)


async def test_server_that_restarts(
    own_postgres: PostgresServer, sandbox: Sandbox, connect: Any, database: str, send_otp: Any, posts: Any
) -> None:
    """Sends go on after a restart or a crash; while the server is down, they fail before anything is sent."""
    ledger = PostgresLedger(own_postgres.dsn())
    async with connect(ledger=ledger) as tingting:
        await send_otp(tingting, idempotency_key="0")
        own_postgres.restart()
        await send_otp(tingting, idempotency_key="1")
        own_postgres.kill()
        with pytest.raises(LedgerError, match=r"nothing was sent, .* Check that the server is up") as caught:
            await send_otp(tingting, idempotency_key="2")
        assert caught.value.__cause__ is not None
        assert 2 == posts()
        stopped = asyncio.create_task(send_otp(tingting, idempotency_key="3"))
        await asyncio.to_thread(own_postgres.start)
        with suppress(LedgerError):
            await stopped
        for key in "012":
            with suppress(DuplicateSendError):
                await send_otp(tingting, idempotency_key=key)
        assert [] == await ledger.unresolved()
        await ledger.aclose()
    assert 3 + stopped.done() - (stopped.exception() is not None) == posts()


async def test_response_that_is_lost(
    shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any, posts: Any, run_sql: Any
) -> None:
    """If the connection is lost while the server commits, the claim is stored once, and the code is sent once."""
    async with linked(shared_postgres.port) as link:
        ledger = PostgresLedger(shared_postgres.dsn(database, port=link.port))
        async with connect(ledger=ledger) as tingting, ledger:
            await send_otp(tingting, idempotency_key="first")
            for number in range(4):
                link.swallow(1 + number % 2)
                await send_otp(tingting, idempotency_key=f"{number}")
                with pytest.raises(DuplicateSendError, match="as done"):
                    await send_otp(tingting, idempotency_key=f"{number}")
    assert 5 == posts()
    assert [(5, True)] == run_sql("SELECT count(*), bool_and(is_done) FROM tingting_sends")


async def test_claim_that_cannot_be_stored_again(shared_postgres: PostgresServer, database: str, run_sql: Any) -> None:
    """If the response to a claim is lost, and storing it again fails, it stays: others may rely on it by then."""
    async with linked(shared_postgres.port) as link:
        storage = PostgresLedger(shared_postgres.dsn(database, port=link.port))._storage
        claim = Claim("mark", "http://a", "things.add (begun)", "k", None, digest="")
        assert await storage.find(claim) is None
        run_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF nextval('tries') > 1 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$"
        )
        run_sql("CREATE SEQUENCE tries")
        run_sql("CREATE TRIGGER refuse BEFORE INSERT ON tingting_sends FOR EACH ROW EXECUTE FUNCTION refuse()")
        link.swallow(1)
        with pytest.raises(LedgerError, match="no"):
            await storage.claim(claim)
        assert [("mark",)] == run_sql("SELECT id FROM tingting_sends")
        await storage.aclose()


async def test_network_that_stops(
    shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any, posts: Any
) -> None:
    """If nothing reaches the server any more, a send fails after a while, and nothing was sent."""
    async with linked(shared_postgres.port) as link:
        dsn = shared_postgres.dsn(database, port=link.port, connect_timeout=2)
        ledger = Ledger(PostgresStorage(Postgres(dsn, timeout=0.5)))
        async with connect(ledger=ledger) as tingting:
            await send_otp(tingting, idempotency_key="first")
            link.stop()
            with pytest.raises(LedgerError, match="nothing was sent"):
                await send_otp(tingting, idempotency_key="second")
            assert 1 == posts()
            link.resume()
            await send_otp(tingting, idempotency_key="second")
            await ledger.aclose()
    assert 2 == posts()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
async def test_commits_are_durable(
    shared_postgres: PostgresServer,
    connect: Any,
    ledger: Ledger,
    database: str,
    send_otp: Any,
    run_sql: Any,
    setting: str,
    expected: str,
) -> None:
    """The session waits for the disk, whatever the database's default is, unless that is stronger."""
    await ledger.unresolved()
    await ledger.aclose()
    run_sql(f"ALTER DATABASE {database} SET synchronous_commit = {setting}")
    run_sql("CREATE TABLE seen (setting text)")
    run_sql(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$"
    )
    run_sql("CREATE TRIGGER see AFTER INSERT OR UPDATE ON tingting_sends FOR EACH STATEMENT EXECUTE FUNCTION see()")
    async with connect(ledger=ledger) as tingting:
        await send_otp(tingting, idempotency_key="a")
    assert [(expected,)] == run_sql("SELECT DISTINCT setting FROM seen")


async def test_work_on_one_claim_that_shares_a_transaction(ledger_place: Any, database: str) -> None:
    """A claim and its outcome, or two outcomes of it, that wait together are recorded in their order."""
    storage = ledger_place.open()._storage
    claims = [Claim(name, "http://a", "things.call", name, None, "") for name in "abcd"]
    creation = Claim("creation", "http://a", "things.create", "k", "thing", "", seen=frozenset())
    outcomes = [("a", Verdict.NOT_DONE), ("b", Verdict.UNKNOWN), ("b", Verdict.DONE), ("creation", Verdict.NOT_DONE)]
    await storage.claim(Claim("work", "http://a", "things.call", "work", None, ""))
    await asyncio.gather(
        storage.find(claims[0]),  # The rest waits until this has ended.
        *map(storage.claim, [*claims, creation]),
        storage.record("work", Decision(Verdict.NOT_DONE, is_owner=True, mark=("d", Verdict.NOT_DONE))),
        *(storage.record(id_, Decision(verdict, is_owner=True)) for id_, verdict in outcomes),
    )
    states = {each.id: each.state for each in await storage.sends()}
    assert {"b": SendState.DONE, "c": SendState.IN_PROGRESS} == states
    await storage.aclose()


async def test_mark_of_a_claim_that_waits(ledger_place: Any, database: str) -> None:
    """The mark of a job that waits together with the end of the job's work is deleted."""
    storage = ledger_place.open()._storage
    await storage.claim(Claim("work", "http://a", "things.call", "work", None, ""))
    await asyncio.gather(
        storage.sends(),  # The rest waits until this has ended.
        storage.claim(Claim("mark", "http://a", "things.call", "mark", None, "")),
        storage.record("work", Decision(Verdict.NOT_DONE, is_owner=True, mark=("mark", Verdict.NOT_DONE))),
    )
    assert [] == await storage.sends()
    await storage.aclose()


async def test_decisions_that_are_blocked(shared_postgres: PostgresServer, database: str) -> None:
    """Storing and recording does not wait for people's decisions about other sends, nor fail with them."""
    import psycopg

    storage = PostgresStorage(Postgres(shared_postgres.dsn(database), timeout=1))
    for name in ("first", "second", "own"):
        await storage.claim(Claim(name, "http://a", "things.call", name, None, ""))
        if name != "own":
            await storage.record(name, Decision(Verdict.UNKNOWN, is_owner=True))
    with psycopg.connect(shared_postgres.dsn(database)) as other:
        other.execute("SELECT 1 FROM tingting_sends WHERE id <> 'own' FOR UPDATE")
        found = await asyncio.gather(
            storage.sends(),  # The rest waits until this has ended.
            *(storage.record(name, Decision(Verdict.DONE, SendState.UNKNOWN)) for name in ("first", "second")),
            storage.record("own", Decision(Verdict.DONE, is_owner=True)),
            storage.claim(Claim("new", "http://a", "things.call", "new", None, "")),
            return_exceptions=True,
        )
    assert [LedgerError] * 2 == [type(each) for each in found[1:3]]
    states = {each.id: each.state for each in await storage.sends()}
    assert (SendState.DONE, SendState.IN_PROGRESS) == (states["own"], states["new"])
    await storage.aclose()


async def test_plans_made_while_the_table_was_empty(
    shared_postgres: PostgresServer, database: str, run_sql: Any
) -> None:
    """Statements whose plans were made while the table was empty read few of its rows, however many are unfinished."""
    sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    rows = """
        INSERT INTO tingting_sends (id, service, operation, key, target, is_done, owner, started_at, digest)
        SELECT 'id ' || n, 'http://a', 'things.call', 'key ' || n, 'thing ' || n, n <= 5000, 0, now(), ''
        FROM generate_series(%s::int, %s::int) AS n
    """
    storage = PostgresLedger(shared_postgres.dsn(database))._storage

    async def work(name: str) -> None:
        for verdict in Verdict:
            id_ = f"{name} {verdict}"
            claim = Claim(id_, "http://a", "things.call", id_, name, "", evidence="{}", seen=frozenset())
            await storage.claim(claim)
            await storage.renew(id_)
            await storage.find(claim)
            await storage.unfinished(claim)
            await storage.results(claim)
            await storage.has_others(claim)
            await storage.has_others(claim, later=True)
            await storage.record(id_, Decision(verdict, is_owner=True))
            await storage.claim(Claim(f"{id_} again", "http://a", "things.call", f"{id_} again", None, ""))
            await storage.record(f"{id_} again", Decision(verdict, is_owner=True, mark=(id_, verdict)))
            await storage.record(id_, Decision(verdict, has_waited=True))

    for number in range(10):  # The server keeps the plan of a statement that was executed often enough.
        await work(f"thing -{number}")
    run_sql(rows, 1, 5000)
    run_sql("ANALYZE tingting_sends")  # The server takes it for known that none is unfinished.
    await storage.sends(is_unfinished=True)  # Its plan is now older than the statistics.
    run_sql(rows, 5001, 10_000)
    await work("thing 10001")
    await storage.aclose()
    while run_sql(sessions):  # The session counts what it has read when it ends.
        await asyncio.sleep(0.01)
    ((read,),) = run_sql(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'tingting_sends'"
    )
    assert 100 < read < 5000


async def test_replica(shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any, posts: Any) -> None:
    """A read replica cannot hold a ledger, and the error says what to do."""
    with shared_postgres.standby() as replica:
        async with connect(ledger=PostgresLedger(replica.dsn(database))) as tingting:
            with pytest.raises(LedgerError, match=r"it is a read replica\. It is read-only\. Connect to the primary"):
                await send_otp(tingting, idempotency_key="a")
    assert 0 == posts()


FAULTS = {
    "read-only": (
        ["ALTER DATABASE {database} SET default_transaction_read_only = on"],
        "read-only transaction.*Connect to the primary",
    ),
    "no permission": (
        ["CREATE ROLE {database} LOGIN PASSWORD 'p'", "GRANT SELECT ON tingting_ledger, tingting_sends TO {database}"],
        "permission denied.*Grant the role SELECT",
    ),
    "full disk": (
        [
            """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END$$""",
            "CREATE TRIGGER fail BEFORE INSERT ON tingting_sends FOR EACH ROW EXECUTE FUNCTION fail()",
        ],
        "could not extend file.*Free space",
    ),
    "too many connections": (
        ["ALTER DATABASE {database} CONNECTION LIMIT 0", "CREATE ROLE {database} LOGIN PASSWORD 'p'"],
        "too many connections",
    ),
    "newer version": (["UPDATE tingting_ledger SET version = 99"], "a newer version of tingting_async"),
    "slow": (
        [
            """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$""",
            "CREATE TRIGGER wait BEFORE INSERT ON tingting_sends FOR EACH ROW EXECUTE FUNCTION wait()",
        ],
        "statement timeout.*too slow",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_faults(
    shared_postgres: PostgresServer,
    connect: Any,
    ledger: Ledger,
    database: str,
    send_otp: Any,
    posts: Any,
    run_sql: Any,
    name: str,
) -> None:
    """What the server refuses is a LedgerError that says what to do; nothing is sent, and no claim stays."""
    await ledger.unresolved()
    statements, expected = FAULTS[name]
    for statement in statements:
        run_sql(statement.format(database=database))
    other = "CREATE ROLE" in "".join(statements)
    dsn = shared_postgres.dsn(database, **({"user": database, "password": "p"} if other else {}))
    async with connect(ledger=Ledger(PostgresStorage(Postgres(dsn, timeout=1)))) as tingting:
        with pytest.raises(LedgerError, match=expected) as caught:
            await send_otp(tingting, idempotency_key="a")
        assert "otp.send: nothing was sent, because the ledger failed. The ledger in database" in str(caught.value)
    assert 0 == posts()
    assert [(0,)] == run_sql("SELECT count(*) FROM tingting_sends")
    if other:
        run_sql(f"DROP OWNED BY {database}")
        run_sql(f"DROP ROLE {database}")


async def test_tables_that_cannot_be_made(
    shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any, run_sql: Any
) -> None:
    """A role that may not make the tables gets an error that says so; once they are there, it can use them."""
    run_sql(f"CREATE ROLE {database} LOGIN PASSWORD 'p'")
    run_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        ledger = PostgresLedger(shared_postgres.dsn(database, user=database, password="p"))
        async with connect(ledger=ledger) as tingting:
            with pytest.raises(LedgerError, match=r"permission denied for schema public.*needs CREATE on their schema"):
                await send_otp(tingting, idempotency_key="a")
            async with PostgresLedger(shared_postgres.dsn(database)) as administrator:
                await administrator.unresolved()
            run_sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON tingting_ledger, tingting_sends TO {database}")
            await send_otp(tingting, idempotency_key="a")
        await ledger.aclose()
    finally:
        run_sql(f"DROP OWNED BY {database}")
        run_sql(f"DROP ROLE {database}")


LOSSES = {
    "emptied": (["TRUNCATE tingting_sends"], "lacks a send"),
    "deleted": (["DELETE FROM tingting_sends"], "lacks a send"),
    "an older copy": (["DELETE FROM tingting_sends WHERE key = 'last'"], "lacks a send"),
    "all emptied": (["TRUNCATE tingting_sends, tingting_ledger"], "has an empty table tingting_ledger"),
    "dropped": (["DROP TABLE tingting_sends, tingting_ledger"], "lacks"),
    "sends dropped": (["DROP TABLE tingting_sends"], "lacks"),
    "id dropped": (["DROP TABLE tingting_ledger"], "lacks"),
    "another ledger": (["UPDATE tingting_ledger SET id = 'other'"], "is another ledger"),
}


@pytest.mark.parametrize("is_reconnected", [False, True])
@pytest.mark.parametrize("name", LOSSES)
async def test_tables_that_are_lost(
    connect: Any,
    ledger: Ledger,
    database: str,
    send_otp: Any,
    posts: Any,
    run_sql: Any,
    end_sessions: Any,
    name: str,
    *,
    is_reconnected: bool,
) -> None:
    """If the tables have lost content, every call is refused until it is restored, and no table is created."""
    statements, expected = LOSSES[name]
    async with connect(ledger=ledger) as tingting:
        for key in ("first", "last"):
            await send_otp(tingting, idempotency_key=key)
        run_sql("CREATE TABLE kept AS SELECT * FROM tingting_sends")
        run_sql("CREATE TABLE kept_id AS SELECT * FROM tingting_ledger")
        for statement in statements:
            run_sql(statement)
        if is_reconnected:
            end_sessions()
        for call in (
            lambda: send_otp(tingting, idempotency_key="first"),
            lambda: send_otp(tingting, idempotency_key="new"),
            ledger.unresolved,
        ):
            with pytest.raises(LedgerError, match=rf"{expected}.*Restore it\..*drop the tables"):
                await call()
        assert 2 == posts()
        if name == "emptied":
            run_sql("INSERT INTO tingting_sends OVERRIDING SYSTEM VALUE SELECT * FROM kept")
            with pytest.raises(DuplicateSendError):
                await send_otp(tingting, idempotency_key="first")
            await send_otp(tingting, idempotency_key="new")


async def test_sends_that_are_deleted_on_purpose(
    connect: Any, ledger: Ledger, ledger_place: Any, database: str, send_otp: Any, posts: Any
) -> None:
    """A send that another process pruned or freed is not taken for lost."""
    async with connect(ledger=ledger) as tingting, connect() as other, ledger_place.open() as elsewhere:
        await send_otp(tingting, idempotency_key="pruned")
        await elsewhere.prune(datetime.now(UTC) + timedelta(seconds=1))
        await send_otp(tingting, idempotency_key="freed")
        with pytest.raises(DuplicateSendError) as caught:
            await send_otp(other, idempotency_key="freed")
        await elsewhere.mark_not_sent(caught.value.send)
        await send_otp(tingting, idempotency_key="freed")
        await send_otp(tingting, idempotency_key="pruned")
    assert 4 == posts()


def test_first_use_by_many(shared_postgres: PostgresServer, database: str) -> None:
    """Many processes that use a new database at once make one ledger."""
    barrier, errors = threading.Barrier(12), list[BaseException]()

    def use(number: int) -> None:
        async def claim() -> None:
            storage = PostgresStorage(Postgres(shared_postgres.dsn(database)))
            barrier.wait()
            await storage.claim(Claim(f"{number}", "http://a", "things.call", f"{number}", None, ""))
            await storage.aclose()

        try:
            asyncio.run(claim())
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == errors
    assert [(12, 1)] == shared_postgres.run(
        "SELECT count(*), (SELECT count(*) FROM tingting_ledger) FROM tingting_sends", database=database
    )


async def test_secrets(connect: Any, shared_postgres: PostgresServer, database: str, send_otp: Any) -> None:
    """No error, no repr and no frame of a ledger that cannot be used shows the password, and none masks too little."""
    for options in ({"user": "nobody"}, {"port": closed_port()}):
        ledger = PostgresLedger(shared_postgres.dsn(database, **options))
        async with connect(ledger=ledger) as tingting:
            with pytest.raises(LedgerError, match="connection failed") as caught:
                await send_otp(tingting, idempotency_key=NUMBER)
        texts = [f"{each} {each!r}" for each in chain(caught.value)] + [repr(ledger), *frame_locals(caught.value)]
        assert [] == [text for text in texts if PASSWORD in text or NUMBER in text]


@pytest.mark.parametrize("given", ["postgresql+psycopg://me:canary@host/name", "canary", None, 5, b"host=canary"])
def test_invalid_arguments(given: Any) -> None:
    """Anything but a connection string or a pool is a UsageError that names the argument, and quotes nothing."""
    with pytest.raises(UsageError, match="`dsn_or_pool`: the ") as caught:
        PostgresLedger(given)
    assert not any("canary" in f"{each}" for each in chain(caught.value))


def test_without_psycopg(tmp_path: Any) -> None:
    """Without psycopg, the package and the class can be imported; making a ledger says how to install the extra."""
    (tmp_path / "psycopg.py").write_text("raise ImportError")
    program = """
import sys; sys.path.insert(0, sys.argv[1])
from tingting_async import PostgresLedger, UsageError
try:
    PostgresLedger("postgresql://host/name")
except UsageError as error:
    sys.stdout.write(str(error))
"""
    command = [sys.executable, "-P", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "PostgresLedger: `psycopg` 3 cannot be imported" in done.stdout
    assert "`pip install 'tingting-async[postgres]'`" in done.stdout


async def test_pool(shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any) -> None:
    """A pool's parameters are used, and none of its connections is."""
    from psycopg_pool import AsyncConnectionPool

    async with AsyncConnectionPool(shared_postgres.dsn(database), open=False, min_size=1, max_size=1) as pool:
        async with pool.connection(), PostgresLedger(pool) as ledger, connect(ledger=ledger) as tingting:
            await send_otp(tingting, idempotency_key="a")
            with pytest.raises(DuplicateSendError):
                await send_otp(tingting, idempotency_key="a")


async def test_unknown_after_the_process_is_closed(
    sandbox: Sandbox, connect: Any, ledger: Ledger, ledger_place: Any, database: str, send_otp: Any
) -> None:
    """Closing a ledger ends its session, and using it again begins another."""
    async with ledger, connect(ledger=ledger) as tingting:
        with (
            sandbox.faults.during([Fault("reset_after", method="POST", times=1)]),
            pytest.raises(OutcomeUnknownError),
        ):
            await send_otp(tingting, idempotency_key="lost")
    async with ledger:
        assert ["lost"] == [send.key for send in await ledger.unresolved()]


@pytest.mark.parametrize("manner", [{}, {"takes_turns": True}, {"is_late": True}])
async def test_pooler(
    shared_postgres: PostgresServer, connect: Any, database: str, send_otp: Any, posts: Any, manner: dict[str, bool]
) -> None:
    """A pooler that gives each transaction another session is noticed before anything is sent."""
    async with transaction_pooler(shared_postgres.dsn(database), **manner) as port:
        async with connect(ledger=PostgresLedger(shared_postgres.dsn(database, port=port))) as tingting:
            for _ in range(3):
                with pytest.raises(LedgerError, match="as behind PgBouncer in transaction mode; give"):
                    await send_otp(tingting, idempotency_key="a")
    assert 0 == posts()
