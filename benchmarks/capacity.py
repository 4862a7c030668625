"""How far a fleet scales: `make capacity`. It measures constants, computes what a day needs, and simulates a busy hour.

The model goes up to ten million recipients a day, for campaigns and for one-time passwords. The simulation lets several
processes with a `PostgresLedger` send one-time passwords as people ask for them, and compares what it measures with the
model. Like the other benchmarks, it needs an idle machine. `docs/scaling.md` explains the tables.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import capacity_model
from capacity_model import CAMPAIGN, DAYS, LOAD, PEAK, Constants, commits, keeps_up
from ledger import BACKENDS
from processes import client, distant_service, service, show_progress
from run import ROOT, write

from tingting_async import TingTingError, Verdict
from tingting_async.ledger.claims import Claim, Decision
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewContact, Services, TingTing
from tingting_async.v1.report_rows import read_rows

# Measuring the constants


async def measure_ledger(backend: str, place: str, rows: int) -> dict[str, float]:
    """Claim and settle so many rows, 64 at a time; weigh them, and prune them."""
    async with BACKENDS[backend].ledger(place) as ledger:
        storage = ledger._storage  # noqa: SLF001 - to measure it alone

        async def stream(count: int) -> list[float]:
            times = [time.perf_counter()]
            for _ in range(count):
                key, digest = f"login {uuid4()}", uuid4().hex * 2
                claim = Claim(uuid4().hex, "https://app.tingting.io", "otp.send", key, None, digest)
                await storage.claim(claim)
                await storage.record(claim.id, Decision(Verdict.DONE, is_owner=True))
                times.append(time.perf_counter())
            return [after - before for before, after in itertools.pairwise(times)]

        async def streams() -> None:
            await asyncio.gather(*(stream(rows // 64) for _ in range(64)))

        alone = statistics.median(await stream(200)) / 2
        await streams()
        if backend == "postgres":  # So that the next rows take the place of dead ones, as in a table that is in use.
            _query(place, "VACUUM tingting_sends")
        before, start = _size(backend, place), time.perf_counter()
        await streams()
        took, added = time.perf_counter() - start, _size(backend, place) - before
        start, stored = time.perf_counter(), rows // 64 * 64
        pruned = await ledger.prune(before=datetime.now(UTC))
        return {
            "row_bytes": added / stored,
            "pruned": pruned / (time.perf_counter() - start),
            "claims": stored / took,
            "transaction": alone,
        }


def _size(backend: str, place: str) -> int:
    if backend == "sqlite":
        return Path(place).stat().st_size
    return int(_query(place, "SELECT pg_total_relation_size('tingting_sends')"))


def _query(place: str, query: str) -> Any:
    import psycopg  # noqa: PLC0415 - only PostgreSQL needs it

    with psycopg.connect(place, autocommit=True) as database:
        found = database.execute(query.encode())
        return next(found)[0] if found.description else None


async def measure_sends(backend: str, place: str, url: str, count: int) -> dict[str, float]:
    """Send one at a time, with pauses as between calls of people: without a ledger, and with it and a key."""
    found: dict[str, float] = {}
    async with BACKENDS[backend].ledger(place) as ledger:
        for name, given in (("bare", None), ("send", ledger)):
            async with sender(url, given) as send:
                times, cpu = list[float](), time.process_time()
                for _ in range(count):
                    start = time.perf_counter()
                    await send()
                    times.append(time.perf_counter() - start)
                    await asyncio.sleep(0.01)
                cpu = time.process_time() - cpu
            found |= {name: statistics.median(times), f"{name}_cpu": cpu / count}
    del found["bare"]
    return found


@asynccontextmanager
async def sender(url: str, ledger: Any) -> AsyncGenerator[Callable[[], Awaitable[object]]]:
    """Yield a function that sends a one-time password, with a new key if there is a ledger."""
    async with TingTing(base_url=url, api_token="key", ledger=ledger, max_in_flight=256) as tingting:

        async def send() -> None:
            key = f"login {uuid4()}" if ledger is not None else None
            await tingting.otp.send("9800000001", "{otp}", channel="text", idempotency_key=key)

        await send()  # Opens the connections, and imports what sends need.
        yield send


async def measure_campaign() -> dict[str, float]:
    """Run a campaign in a sandbox, whose thread is not counted; poll it, and read its report."""
    with TemporaryDirectory() as folder, Sandbox(campaigns=0, keep_requests=False).in_thread() as sandbox:
        sandbox.world.owner.credits = CAMPAIGN
        async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            made = await tingting.campaigns.create("July", Services.SMS, sms_message="{name}, your bill is ready.")
            people = (NewContact(str(9_800_000_000 + row), {"name": "सीता"}) for row in range(CAMPAIGN))
            await tingting.contacts.add_many(made.id, people)
            await tingting.campaigns.run(made.id)
            sandbox.clock.advance(CAMPAIGN)
            await tingting.campaigns.wait(made.id)
            start = time.thread_time()
            for _ in range(50):
                await tingting.campaigns.get(made.id)
            request = (time.thread_time() - start) / 50
            await tingting.reports.download(made.id, path := Path(folder, "report.csv"))
            return {"request_cpu": request, **measure_rows(path)}


def measure_rows(path: Path) -> dict[str, float]:
    """Read the rows of a report, which `reports.rows` does in another thread."""
    start = time.thread_time()
    rows = [*read_rows(path.open("rb"))]
    read = time.thread_time() - start
    return {"report_row_cpu": read / len(rows), "report_row_bytes": path.stat().st_size / len(rows)}


def measure_constants(places: dict[str, str], *, quick: bool) -> dict[str, dict[str, float]]:
    """Return the constants with each kind of ledger."""
    show_progress("capacity: contacts and reports")
    shared, contacts = _client("campaign"), 10_000 if quick else 50_000
    with distant_service(40) as (url, trusted):
        shared["contact_cpu"] = client("adds.py", "--add", "list", contacts, url, trusted)["cpu"] / contacts
    found: dict[str, dict[str, float]] = {}
    for backend, place in places.items():
        show_progress(f"capacity: the ledger, {backend}")
        found[backend] = _client("ledger", backend, place, 2_000 if quick else 20_000)
        with service() as port:
            sends = _client("sends", backend, place, f"http://127.0.0.1:{port}", 40 if quick else 500)
        found[backend] |= sends | shared
    return found


def _client(step: str, *arguments: object) -> Any:
    return client("capacity.py", "--step", step, json.dumps(arguments))


# The simulation


def simulate(place: str, rate: float, measured: Constants, seconds: float) -> dict[str, float]:
    """Send one-time passwords at random moments in several processes, and return what was measured and predicted."""
    processes = max(2, math.ceil(rate * measured.send_cpu / LOAD))
    show_progress(f"capacity: {rate:.0f} sends a second in {processes} processes")
    with service() as port:
        url = f"http://127.0.0.1:{port}"
        given = [json.dumps([place, url, rate / processes, seconds, number]) for number in range(processes)]
        command = [sys.executable, __file__, "--step", "work"]
        workers = [
            subprocess.Popen([*command, each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for each in given
        ]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()  # It is ready.
        transactions = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        before, idle = _query(place, transactions), _idle()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        results = [json.loads(worker.communicate()[0]) for worker in workers]
        committed, idle = _query(place, transactions) - before, _idle() - idle
    took = max(result["took"] for result in results)
    times = sorted(each for result in results for each in result["times"])
    work = 2 * rate / processes
    expected = commits(work, measured.transaction)
    return {
        "rate": rate,
        "processes": processes,
        "in_time": seconds / took,
        "errors": sum(result["errors"] for result in results),
        "cpu": statistics.mean(result["cpu"] / result["took"] for result in results),
        "cpu_predicted": rate / processes * measured.send_cpu,
        "busy": 1 - idle / took / (os.cpu_count() or 1),
        "commits": committed / took,
        "commits_predicted": processes * expected,
        "median": statistics.median(times),
        # A piece of work that comes during a transaction waits for half of it, on average.
        "median_predicted": measured.send + expected * measured.transaction**2,
        "p95": times[int(len(times) * 0.95)],
        "p99": times[int(len(times) * 0.99)],
    }


def _idle() -> float:
    """Return how many seconds the processors of this machine had nothing to do; nan where that is not known."""
    try:
        counters = Path("/proc/stat").read_text(encoding="ascii").split()
    except OSError:
        return math.nan
    return (int(counters[4]) + int(counters[5])) / os.sysconf("SC_CLK_TCK")  # Idle, and waiting for the disk.


async def work(place: str, url: str, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """Send at random moments; the time of a send counts from its moment, even if it begins later."""
    times, errors = list[float](), 0
    async with BACKENDS["postgres"].ledger(place) as ledger, sender(url, ledger) as send:

        async def send_at(moment: float) -> None:
            nonlocal errors
            try:
                await send()
            except TingTingError as error:
                errors += 1
                print(error, file=sys.stderr)
            times.append(time.perf_counter() - moment)

        print("ready", flush=True)
        sys.stdin.readline()
        chance, cpu, start = random.Random(seed), time.process_time(), time.perf_counter()
        moment = start
        async with asyncio.TaskGroup() as tasks:
            while (moment := moment + chance.expovariate(rate)) < start + seconds:
                await asyncio.sleep(moment - time.perf_counter())
                tasks.create_task(send_at(moment))
            await asyncio.sleep(start + seconds - time.perf_counter())
        took = max(time.perf_counter() - start, seconds)
        return {"times": times, "errors": errors, "cpu": time.process_time() - cpu, "took": took}


def simulate_all(place: str, measured: Constants, *, quick: bool) -> list[dict[str, float]]:
    """Simulate the busiest hours of the largest days, and then ever more, until this machine cannot keep up."""
    found: list[dict[str, float]] = []
    rate = DAYS[-2] * PEAK
    while len(found) < (2 if quick else 8):
        found.append(simulate(place, rate, measured, 3 if quick else 15))
        if not keeps_up(found[-1]):
            break
        rate *= 10 if rate < DAYS[-1] * PEAK / 2 else 1.5
    return found


STEPS: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "ledger": measure_ledger,
    "sends": measure_sends,
    "campaign": measure_campaign,
    "work": work,
}
"""What runs in processes of its own."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Return the constants, and what the simulation measured."""
    about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version()}
    about |= {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    with BACKENDS["postgres"].place() as dsn, BACKENDS["sqlite"].place() as file:
        constants = measure_constants({"sqlite": file, "postgres": dsn}, quick=quick)
        simulation = simulate_all(dsn, Constants(**constants["postgres"]), quick=quick)
    show_progress("")
    return {**about, "quick": quick, "constants": constants, "simulation": simulation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rows and sends: takes half a minute, less exact")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/scaling.md")
    parser.add_argument("--json", type=Path, default=Path("bench-capacity.json"), help="the file for the figures")
    parser.add_argument("--read", type=Path, help="measure nothing, and take the figures from this file")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write and options.quick:
        parser.error("--write needs a whole run: without --quick.")
    if options.step:
        name, arguments = options.step
        print(json.dumps(asyncio.run(STEPS[name](*json.loads(arguments)))))
        return
    if options.read is None:
        found = measure(quick=options.quick)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        found = json.loads(options.read.read_text(encoding="utf-8"))
    print(capacity_model.show(found))
    if options.write:
        if found["quick"]:
            sys.exit(f"Nothing was written: {options.read} has the figures of a quick run.")
        write(ROOT / "docs" / "scaling.md", capacity_model.show(found), by="make capacity")


if __name__ == "__main__":
    main()
