"""Measure what a ledger costs: `python benchmarks/ledger.py sqlite`, or `postgres`, for which a server is started.

It compares, in one run: one durable commit with the ledger's settings; sends one at a time and 64 at a time, with the
ledger, without it, and with one that stores nothing, which shows what all but the storage costs; and claims in eight
processes of 32 tasks. A send is a one-time password over a kept-alive connection, without TLS, to a server in a process
of its own.
"""

import argparse
import asyncio
import gc
import itertools
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast
from uuid import uuid4

from processes import client, service, show_progress

from tingting_async import PostgresLedger, SqliteLedger, TingTingError, Verdict
from tingting_async.ledger.claims import Claim, Decision, Elapsed, StoredClaim
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.postgres_statements import new_claim
from tingting_async.v1 import TingTing

TASKS = 64
PROCESSES, TASKS_OF_PROCESS = 8, 32


class Backend(NamedTuple):
    """A kind of ledger.

    Attributes:
        place: Starts what it needs, and yields the address of a new ledger.
        ledger: Returns a ledger at an address.
        commits: Prepares a table like the ledger's at an address, and returns a function that commits one row durably
            over an open connection, with the ledger's settings.
    """

    place: Callable[[], Any]
    ledger: Callable[[str], Any]
    commits: Callable[[str], Any]


@contextmanager
def _sqlite_place() -> Iterator[str]:
    with TemporaryDirectory(dir=Path.cwd()) as folder:  # The temporary directory may be in memory.
        yield str(Path(folder, "ledger.sqlite"))


@contextmanager
def _sqlite_commits(place: str) -> Iterator[Callable[[], None]]:
    with closing(sqlite3.connect(f"{place}.commits", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = PERSIST")
        database.execute("PRAGMA synchronous = EXTRA")
        database.execute("CREATE TABLE sends (id TEXT PRIMARY KEY, service TEXT, operation TEXT, started_at REAL)")

        def commit() -> None:
            database.execute("BEGIN IMMEDIATE")
            row = (uuid4().hex, "http://127.0.0.1:1", "otp.send", time.time())
            database.execute("INSERT INTO sends VALUES (?, ?, ?, ?)", row)
            database.execute("COMMIT")

        yield commit


@contextmanager
def _postgres_place() -> Iterator[str]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.postgres_servers import postgres_server  # noqa: PLC0415 - found only now

    with postgres_server() as server:
        yield server.dsn()


@contextmanager
def _postgres_commits(place: str) -> Iterator[Callable[[], None]]:
    import psycopg  # noqa: PLC0415 - only this backend needs it

    with psycopg.connect(place, autocommit=True) as database:
        database.execute("CREATE TABLE commits (id text PRIMARY KEY, service text, operation text, started_at float8)")

        def commit() -> None:
            row = (uuid4().hex, "http://127.0.0.1:1", "otp.send", time.time())
            database.execute("INSERT INTO commits VALUES (%s, %s, %s, %s)", row)

        yield commit


BACKENDS = {
    "sqlite": Backend(_sqlite_place, SqliteLedger, _sqlite_commits),
    "postgres": Backend(_postgres_place, PostgresLedger, _postgres_commits),
}


def measure(backend: str, *, quick: bool = False) -> dict[str, Any]:
    """Return all figures of a backend: times in milliseconds, rates per second."""
    with BACKENDS[backend].place() as place:
        show_progress(f"ledger, {backend}: sends")
        with service() as port:
            found: dict[str, Any] = client(
                "ledger.py", "--sends", backend, place, f"http://127.0.0.1:{port}", 3 if quick else 15
            )
        show_progress(f"ledger, {backend}: claims in {PROCESSES} processes")
        found["claims"] = claims(backend, place, 6 if quick else 37)
    if backend == "sqlite":
        import least_ledger  # noqa: PLC0415 - it needs orjson, which only the benchmark installs

        show_progress("ledger, written by hand")
        found["by hand"] = least_ledger.compare(quick=quick)
    return found


# ... of one process


class Nothing:
    """A storage that stores nothing."""

    async def claim(self, claim: Claim) -> StoredClaim:
        return new_claim(claim)

    async def renew(self, _: str) -> Elapsed:
        return Elapsed.start()

    async def record(self, *_: object) -> float:
        return 0.0

    async def aclose(self) -> None: ...


async def measure_sends(backend: Backend, place: str, url: str, rounds: int) -> dict[str, float]:
    """Return the time of a commit, and the times and rates of sends, each a median over the rounds."""
    times: dict[str, list[float]] = {}
    keys = map(str, itertools.count())

    async def send(tingting: TingTing, *, keyed: bool) -> None:
        key = next(keys) if keyed else None
        await tingting.otp.send("9800000001", "{otp}", channel="text", idempotency_key=key)

    async def one_at_a_time(tingting: TingTing, name: str, *, keyed: bool = False) -> None:
        for _ in range(20):
            start = time.perf_counter()
            await send(tingting, keyed=keyed)
            times.setdefault(name, []).append(time.perf_counter() - start)

    async def together(tingting: TingTing, name: str, *, keyed: bool = False) -> None:
        async def stream(sends: int) -> None:
            for _ in range(sends):
                await send(tingting, keyed=keyed)

        await asyncio.gather(*(stream(1) for _ in range(TASKS)))  # Opens the connections.
        gc.collect()
        start, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(stream(10) for _ in range(TASKS)))
        end = resource.getrusage(resource.RUSAGE_SELF)
        times.setdefault(name, []).append((time.perf_counter() - start) / TASKS / 10)
        used = end.ru_utime + end.ru_stime - cpu.ru_utime - cpu.ru_stime
        times.setdefault(f"{name}, cpu", []).append(used / TASKS / 10)

    ledger, nothing = backend.ledger(place), Ledger(cast("Any", Nothing()))
    async with (
        TingTing(base_url=url, api_token="key", max_in_flight=TASKS) as without,
        TingTing(base_url=url, api_token="key", max_in_flight=TASKS, ledger=ledger) as with_ledger,
        TingTing(base_url=url, api_token="key", max_in_flight=TASKS, ledger=nothing) as with_nothing,
    ):
        with backend.commits(place) as commit:
            for number in range(rounds + 1):
                if number == 1:
                    times.clear()  # The first round opened connections and imported what sends need.
                await one_at_a_time(without, "send")
                # Each after a send, as a ledger's: a commit right after another one finds everything in the caches.
                for _ in range(20):
                    await send(without, keyed=False)
                    start = time.perf_counter()
                    commit()
                    times.setdefault("commit", []).append(time.perf_counter() - start)
                await one_at_a_time(with_ledger, "send, ledger")
                await one_at_a_time(with_ledger, "send, ledger, key", keyed=True)
                await together(without, "together")
                await together(with_nothing, "together, nothing")
                await together(with_ledger, "together, ledger")
                await together(with_ledger, "together, ledger, key", keyed=True)
    return {name: statistics.median(each) * 1000 for name, each in times.items()}


# ... of many processes


def claims(backend: str, place: str, rounds: int) -> dict[str, float]:
    """Claim and settle in many processes at once; return percentiles of the time of a claim, and what failed."""
    command = [sys.executable, __file__, "--claims", backend, place, str(rounds)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # It is ready.
    start = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    results = [json.loads(worker.communicate()[0]) for worker in workers]
    wall = time.perf_counter() - start
    times = sorted(each * 1000 for result in results for each in result["times"])
    return {
        "count": len(times),
        "errors": sum(result["errors"] for result in results),
        "median": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "max": times[-1],
        "per second": len(times) / wall,
    }


async def claim(backend: Backend, place: str, rounds: int) -> dict[str, Any]:
    """Claim and settle in 32 tasks; return the times of the claims in seconds, and the number of errors."""
    ledger: Ledger = backend.ledger(place)
    storage = ledger._storage  # noqa: SLF001 - to measure the claim alone
    times: list[float] = []
    errors = 0

    async def stream(rounds: int) -> None:
        nonlocal errors
        for _ in range(rounds):
            new = Claim(uuid4().hex, "http://127.0.0.1:1", "otp.send", None, None, "")
            start = time.perf_counter()
            try:
                await storage.claim(new)
                times.append(time.perf_counter() - start)
                await storage.record(new.id, Decision(Verdict.DONE, is_owner=True))
            except TingTingError as error:
                errors += 1
                print(error, file=sys.stderr)

    await stream(1)
    print("ready", flush=True)
    sys.stdin.readline()
    times.clear()
    await asyncio.gather(*(stream(rounds) for _ in range(TASKS_OF_PROCESS)))
    return {"times": times, "errors": errors}


def show(backend: str, found: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    added = found["send, ledger"] - found["send"]
    keyed = found["send, ledger, key"] - found["send"]
    ratio = found["together"] / found["together, ledger"]
    ratio_keyed = found["together"] / found["together, ledger, key"]
    cpu = found["together, ledger, cpu"] - found["together, cpu"]
    all_claims = found["claims"]
    together, together_keyed = found["together, ledger"], found["together, ledger, key"]
    ratio_nothing = found["together"] / found["together, nothing"]
    cpu_nothing = found["together, nothing, cpu"] - found["together, cpu"]
    return f"""{backend}
    one durable commit: {found["commit"]:.2f} ms
    a send, one at a time: {found["send"]:.2f} ms
        the ledger adds {added:.2f} ms, which are {added / found["commit"]:.2f} commits; with a key {keyed:.2f} ms
    {TASKS} at a time: {1000 / found["together"]:.0f} sends a second, {found["together, cpu"] * 1000:.0f} µs of CPU each
        with the ledger {1000 / together:.0f}, a ratio of {ratio:.2f}; {cpu * 1000:.0f} µs of CPU more
        with one that stores nothing, a ratio of {ratio_nothing:.2f}; {cpu_nothing * 1000:.0f} µs of CPU more
        with a key {1000 / together_keyed:.0f}, a ratio of {ratio_keyed:.2f}
    {PROCESSES} processes of {TASKS_OF_PROCESS} tasks, {all_claims["count"]} claims: {all_claims["errors"]} errors
        median {all_claims["median"]:.1f} ms, 99 % {all_claims["p99"]:.1f} ms, longest {all_claims["max"]:.1f} ms
        {all_claims["per second"]:.0f} claims and settlements a second"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend", choices=BACKENDS, help="the kind of ledger")
    parser.add_argument("place", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--sends", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--claims", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    backend = BACKENDS[options.backend]
    if options.sends:
        place, url, rounds = options.place
        print(json.dumps(asyncio.run(measure_sends(backend, place, url, int(rounds)))))
    elif options.claims:
        place, rounds = options.place
        print(json.dumps(asyncio.run(claim(backend, place, int(rounds)))))
    else:
        print(show(options.backend, measure(options.backend, quick=options.quick)))


if __name__ == "__main__":
    main()
