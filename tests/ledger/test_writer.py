"""The thread that runs the ledger's work: what waits shares a transaction, and nobody suffers from others."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tingting_async import LedgerError
from tingting_async.ledger.file import LedgerFile
from tingting_async.ledger.writer import MAX_ITERATIONS, Writer, _Piece

pytestmark = pytest.mark.anyio

INSERT = (
    "INSERT INTO sends (id, service, operation, old_key, is_done, owner, started_at, digest) "
    "VALUES (?, 'http://a', 'otp.send', ?, 0, '', 0, '')"
)


@pytest.fixture
async def writer(path: Path) -> Writer[sqlite3.Connection]:
    """Return a writer on a new ledger."""
    writer = Writer(LedgerFile(path))
    await writer.run(lambda _: None)
    return writer


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Lock the file, as another process that writes does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield database
        if database.in_transaction:
            database.execute("ROLLBACK")


def insert(name: str, database: sqlite3.Connection) -> str:
    """Store a row, and return its id."""
    database.execute(INSERT, (name, name))
    return name


def insert_and_fail(name: str, database: sqlite3.Connection) -> str:
    """Store a row, and fail."""
    insert(name, database)
    raise LookupError(name)


def read(path: Path, statement: str) -> list[Any]:
    """Return the first column of all rows."""
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute(statement)]


async def test_one_transaction(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """All work that waits is committed in one transaction, in the order in which it came."""
    with locked(path):
        runs = [asyncio.create_task(writer.run(partial(insert, str(number)))) for number in range(50)]
        await asyncio.sleep(0)
        assert [0] == read(path, "SELECT changes FROM ledger")
    assert [str(number) for number in range(50)] == await asyncio.gather(*runs)
    assert [str(number) for number in range(50)] == read(path, "SELECT id FROM sends ORDER BY rowid")
    # The first may have had a transaction to itself, before the others came.
    assert read(path, "SELECT changes FROM ledger") in ([1], [2])


@pytest.fixture
async def patient(path: Path) -> AsyncIterator[Writer[sqlite3.Connection]]:
    """Return a writer that waits long for more work, and for the end of iterations."""
    writer = Writer(LedgerFile(path), patience=60)
    yield writer
    await writer.aclose()


async def share(writer: Writer[sqlite3.Connection]) -> None:
    """Let work share a transaction, so that the next one waits for the end of an iteration."""
    await asyncio.gather(*(writer.run(lambda _: None) for _ in range(3)))


def join_threads() -> None:
    """Wait for the end of the ledgers' threads, blocking the event loop."""
    for thread in threading.enumerate():
        if thread.name == "tingting_async ledger":
            thread.join(20)
            assert not thread.is_alive()


async def test_one_iteration(path: Path, patient: Writer[sqlite3.Connection]) -> None:
    """Once work has shared a transaction, that of tasks that wake up in the same iteration of the event loop does."""
    await share(patient)
    for iteration in range(1, 6):
        await asyncio.gather(*(patient.run(partial(insert, f"{iteration}.{number}")) for number in range(50)))
        assert [iteration] == read(path, "SELECT changes FROM ledger")


async def test_following_iterations(path: Path, patient: Writer[sqlite3.Connection]) -> None:
    """Work that comes in the next iterations shares the transaction, too, if some comes in each of them."""
    await share(patient)
    has_begun = threading.Event()
    runs: list[asyncio.Task[Any]] = [asyncio.create_task(patient.run(lambda _: has_begun.set()))]
    for number in range(MAX_ITERATIONS - 2):
        await asyncio.sleep(0)
        runs.append(asyncio.create_task(patient.run(partial(insert, str(number)))))
        assert not has_begun.wait(0.02)  # Meanwhile, the thread can run.
    await asyncio.gather(*runs)
    assert [1] == read(path, "SELECT changes FROM ledger")


async def test_work_in_every_iteration(patient: Writer[sqlite3.Connection]) -> None:
    """Work is done even if more comes in every iteration of the event loop."""
    await share(patient)
    runs = [asyncio.create_task(patient.run(lambda _: None))]
    while not runs[0].done():
        assert len(runs) < 50_000
        runs.append(asyncio.create_task(patient.run(lambda _: None)))
        await asyncio.sleep(0)
    await asyncio.gather(*runs)


async def test_work_that_comes_alone(patient: Writer[sqlite3.Connection]) -> None:
    """Work that comes alone does not wait for the end of its iteration, also after some that shared a transaction."""
    await patient.run(lambda _: None)
    for has_shared in (False, True):
        if has_shared:
            await share(patient)
            await patient.run(lambda _: None)
        has_run, is_in_time = threading.Event(), []
        run = asyncio.create_task(patient.run(lambda _, has_run=has_run: has_run.set()))
        # In the same iteration.
        asyncio.get_running_loop().call_soon(lambda event, found: found.append(event.wait(20)), has_run, is_in_time)
        await run
        assert [True] == is_in_time


async def test_the_thread_lingers(patient: Writer[sqlite3.Connection]) -> None:
    """Work that comes soon after other work is done in the same thread, which ends when the ledger is closed."""
    ran_in = [await patient.run(lambda _: threading.current_thread()) for _ in range(3)]
    assert 1 == len(set(ran_in))
    assert ran_in[0].is_alive()
    await patient.aclose()
    ran_in[0].join(20)
    assert not ran_in[0].is_alive()
    assert ran_in[0] is not await patient.run(lambda _: threading.current_thread())


async def test_loop_that_is_blocked(patient: Writer[sqlite3.Connection]) -> None:
    """Work of an event loop that is blocked in its iteration does not keep that of another one waiting."""
    await share(patient)
    run = asyncio.create_task(patient.run(lambda _: "ours"))
    others: list[str] = []

    def block() -> None:
        thread = threading.Thread(target=lambda: others.append(asyncio.run(patient.run(lambda _: "theirs"))))
        thread.start()
        thread.join(20)

    asyncio.get_running_loop().call_soon(block)
    assert ("ours", ["theirs"]) == (await run, others)


async def test_loop_that_stops(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """Work is done even if its event loop stops in the iteration in which it came, and nobody uses the ledger again."""

    def run() -> str:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(share(writer))
        task = loop.create_task(writer.run(partial(insert, "0")))  # Its thread waits for the end of the iteration.
        loop.call_soon(loop.stop)
        loop.run_forever()
        join_threads()
        assert not task.done()
        assert ["0"] == read(path, "SELECT id FROM sends")
        with closing(loop):
            return loop.run_until_complete(task)

    assert "0" == await asyncio.to_thread(run)


class Interruption(BaseException):
    """What a signal handler raises."""


async def is_interrupted(writer: Writer[sqlite3.Connection], line: int) -> bool:
    """Hand work over. At one of its lines, other work comes and is to be done, and a signal handler raises.

    Args:
        writer: The writer.
        line: The number of the line. No handler runs at the end of a `with`, which is the same line as its start.

    Returns:
        Whether there is such a line.
    """
    own, other = (_Piece[sqlite3.Connection, None](lambda _: None, asyncio.get_running_loop()) for _ in range(2))
    codes = {each.__code__ for each in (Writer._enqueue, Writer._begin)}
    seen: set[int] = set()

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code in codes and event == "line" and frame.f_lineno not in seen:
            seen.add(frame.f_lineno)
            if len(seen) == line:
                writer._enqueue(other)
                raise Interruption
        return trace if frame.f_code in codes else None

    sys.settrace(trace)
    try:
        writer._enqueue(own)
    except Interruption:
        await asyncio.wait_for(other.ended, 20)
        return True
    finally:
        sys.settrace(None)
    await asyncio.wait_for(own.ended, 20)
    return False


@pytest.mark.parametrize("before", ["nothing", "work", "shared work"])
async def test_signal_handler_that_raises_at_any_line(path: Path, before: str) -> None:
    """If a signal handler raises while work is handed over, other work that came at that moment is done."""
    for line in range(1, 50):
        writer = Writer(LedgerFile(path), patience=0.05)
        if before != "nothing":
            await (share(writer) if before == "shared work" else writer.run(lambda _: None))
        if not await is_interrupted(writer, line):
            break
    assert 10 < line < 49


class PoorLoop(asyncio.SelectorEventLoop):
    """An event loop that cannot be told that work has ended."""

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> Any:
        """Fail for lack of memory."""
        raise MemoryError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_thread_that_fails(writer: Writer[sqlite3.Connection]) -> None:
    """If the thread ends because of an error, later work starts another one."""
    with closing(PoorLoop()) as loop:
        left: Any = loop.create_task(writer.run(lambda _: None))

        def run() -> None:
            loop.call_soon(loop.stop)
            loop.run_forever()
            join_threads()

        await asyncio.to_thread(run)
        assert "ours" == await asyncio.wait_for(writer.run(lambda _: "ours"), 20)
        left._log_destroy_pending = False  # It is meant to be left behind.


async def test_file_that_is_lost_after_work_has_failed(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """If no transaction can begin any more while work that fails is sorted out, what was committed has its result."""
    failures = 0

    def fail(database: sqlite3.Connection) -> None:
        nonlocal failures
        failures += 1
        if failures == 3:  # By itself: the work before it is committed, and what comes after it cannot be.
            path.rename(path.with_suffix(".away"))
        insert_and_fail("1", database)

    with locked(path):
        runs = [
            asyncio.create_task(writer.run(each))
            for each in (partial(insert, "0"), fail, *(partial(insert, str(number)) for number in range(2, 6)))
        ]
        await asyncio.sleep(0)
    found = await asyncio.gather(*runs, return_exceptions=True)
    assert "0" == found[0]
    assert [LedgerError] * 5 == [type(each) for each in found[1:]]
    path.with_suffix(".away").rename(path)
    assert "6" == await writer.run(partial(insert, "6"))
    assert ["0", "6"] == read(path, "SELECT id FROM sends ORDER BY rowid")


async def test_cancelled_when_it_has_ended(writer: Writer[sqlite3.Connection]) -> None:
    """A caller that is cancelled just as its work ends does not hang."""
    for turns in range(4):
        await share(writer)
        runs = [asyncio.create_task(writer.run(lambda _: None)) for _ in range(3)]
        await asyncio.sleep(0)
        join_threads()  # They have ended, and the callers are told in the next iteration.
        for _ in range(turns):
            await asyncio.sleep(0)
        is_done = runs[1].done()
        runs[1].cancel()
        found = await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 20)
        assert [None, None if is_done else asyncio.CancelledError, None] == [each and type(each) for each in found]


async def test_work_that_fails(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """Work that raises leaves nothing, and the work that shares its transaction is done."""
    with locked(path):
        runs = [
            asyncio.create_task(writer.run(partial(insert_and_fail if number % 3 else insert, str(number))))
            for number in range(9)
        ]
        await asyncio.sleep(0)
    found = await asyncio.gather(*runs, return_exceptions=True)
    for number, each in enumerate(found):
        if number % 3:
            assert isinstance(each, LedgerError)
            assert str(LookupError(str(number))) == str(each.__cause__)
        else:
            assert str(number) == each
    assert ["0", "3", "6"] == read(path, "SELECT id FROM sends ORDER BY rowid")


async def test_transaction_that_cannot_be_committed(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """If the transaction cannot be committed, each caller gets an error of its own, and nothing is stored."""
    with locked(path) as other:
        runs = [asyncio.create_task(writer.run(partial(insert, str(number)))) for number in range(9)]
        await asyncio.sleep(0)
        other.execute("CREATE TRIGGER fails BEFORE UPDATE ON ledger BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
        other.execute("COMMIT")
    found = await asyncio.gather(*runs, return_exceptions=True)
    assert [LedgerError] * 9 == [type(each) for each in found]
    assert 9 == len({id(each) for each in found})
    assert all("disk is full" in str(each) and each.__cause__ is not None for each in found)  # type: ignore[union-attr]
    assert [] == read(path, "SELECT id FROM sends")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TRIGGER fails")
    assert "9" == await writer.run(partial(insert, "9"))


async def test_cancelled(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """The cancellation of a caller is raised only when its work has ended, and others get their results."""
    with locked(path):
        runs = [asyncio.create_task(writer.run(partial(insert, str(number)))) for number in range(3)]
        await asyncio.sleep(0)
        for _ in range(3):
            runs[1].cancel()
            await asyncio.sleep(0)
        assert [False] * 3 == [run.done() for run in runs]
    with pytest.raises(asyncio.CancelledError):
        await runs[1]
    assert ["0", "1", "2"] == read(path, "SELECT id FROM sends ORDER BY rowid")
    assert ["0", "2"] == [await runs[0], await runs[2]]


async def test_closed(path: Path, writer: Writer[sqlite3.Connection]) -> None:
    """Closing waits for the work that was there before, and the next use opens the file again."""
    with locked(path):
        run = asyncio.create_task(writer.run(partial(insert, "0")))
        await asyncio.sleep(0)
        closing_ = asyncio.create_task(writer.aclose())
        await asyncio.sleep(0)
        assert not closing_.done()
    await closing_
    assert "0" == await run
    assert "1" == await writer.run(partial(insert, "1"))
    await writer.aclose()
    await writer.aclose()
    assert ["0", "1"] == read(path, "SELECT id FROM sends ORDER BY rowid")


def test_event_loop_that_is_closed(path: Path) -> None:
    """If an event loop is closed while its work waits, the work is done, and callers in other loops are served."""
    writer = Writer(LedgerFile(path))
    asyncio.run(writer.run(lambda _: None))
    closed = asyncio.new_event_loop()
    with locked(path):
        left: Any = closed.create_task(writer.run(partial(insert, "left")))
        closed.run_until_complete(asyncio.sleep(0))
        closed.close()
        left._log_destroy_pending = False  # It is meant to be left behind.
        while writer._queue:  # Until its transaction waits for the file.
            pass
        thread = threading.Thread(target=lambda: asyncio.run(writer.run(partial(insert, "other"))))
        thread.start()
        while len(writer._queue) == 0 and thread.is_alive():
            pass
    thread.join()
    assert ["left", "other"] == read(path, "SELECT id FROM sends ORDER BY rowid")


@pytest.mark.parametrize("seed", range(6))
def test_many_event_loops(path: Path, seed: int) -> None:
    """Whatever fails or is cancelled in several event loops, what returned is stored, and what raised is not."""
    random, writer = Random(seed), Writer(LedgerFile(path))
    stored: list[str] = []
    refused: list[str] = []

    async def one(name: str, what: str, steps: int) -> None:
        work: Callable[[sqlite3.Connection], str] = partial(insert_and_fail if what == "fail" else insert, name)
        run = asyncio.create_task(writer.run(work))
        for _ in range(steps):
            await asyncio.sleep(0)
        if what == "cancel":
            run.cancel()
        try:
            stored.append(await run)
        except LedgerError:
            refused.append(name)
        except asyncio.CancelledError:
            if steps:
                stored.append(name)  # The work had begun to wait, so it was done.

    async def many(loop: int) -> None:
        kinds = [(random.choice(["insert", "insert", "fail", "cancel"]), random.randrange(6)) for _ in range(60)]
        await asyncio.gather(*(one(f"{loop}.{n}", what, steps) for n, (what, steps) in enumerate(kinds)))
        if random.random() < 0.5:
            await writer.aclose()

    threads = [threading.Thread(target=lambda loop=loop: asyncio.run(many(loop))) for loop in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == sorted(str(each) for each in read(path, "SELECT id FROM sends"))
    assert refused


def run_script(script: str, path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a script for a ledger's file in a process of its own."""
    command = [sys.executable, *options, "-P", "-c", script, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


FORKS = """
import asyncio, os, sqlite3, sys, threading
from functools import partial
from pathlib import Path
from tingting_async.ledger.file import LedgerFile
from tingting_async.ledger.writer import Writer

path, children = Path(sys.argv[1]), []
writer = Writer(LedgerFile(path))
statement = (
    "INSERT INTO sends (id, service, operation, old_key, is_done, owner, started_at, digest) "
    "VALUES (?, 'http://a', 'otp.send', ?, 0, '', 0, '')"
)
is_ended = False

async def insert(prefix, number):
    await writer.run(lambda database: database.execute(statement, [f"{prefix}{number}"] * 2))

async def stream(prefix, count):
    number = 0
    while number < count or not (count or is_ended):
        await asyncio.gather(*(insert(prefix, number + each) for each in range(8)))
        number += 8

async def streams():
    await asyncio.gather(*(stream(f"parent {each} ", 0) for each in range(4)))

thread = threading.Thread(target=lambda: asyncio.run(streams()))
thread.start()
for number in range(12):
    child = os.fork()
    if child == 0:
        asyncio.run(stream(f"child {number} ", 16))
        os._exit(0)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
is_ended = True
thread.join()
print(codes)
"""


def test_forks(path: Path) -> None:
    """Children that are forked in the middle of transactions use the ledger, and so does the parent."""
    done = run_script(FORKS, path, "-W", "ignore")
    assert ("", f"{[0] * 12}\n") == (done.stderr, done.stdout)
    assert 12 * 16 == len(read(path, "SELECT id FROM sends WHERE id LIKE 'child %'"))
    assert ["ok"] == read(path, "PRAGMA integrity_check")


FORK_OF_ONE = """
import asyncio, os, sys, threading
from pathlib import Path
from tingting_async.ledger.file import LedgerFile
from tingting_async.ledger.writer import Writer

writer = Writer(LedgerFile(Path(sys.argv[1])), patience=60)
asyncio.run(writer.run(lambda _: None))
print(threading.active_count())
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print(threading.active_count(), asyncio.run(writer.run(lambda _: "done")))
asyncio.run(writer.aclose())
"""


def test_fork_while_the_thread_waits(path: Path) -> None:
    """The thread ends before a fork, of which Python would warn otherwise, and later work starts another one."""
    done = run_script(FORK_OF_ONE, path, "-W", "error")
    assert ("", "2\n1 done\n") == (done.stderr, done.stdout)
