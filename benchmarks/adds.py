"""Measure how fast many contacts are added over TLS with a round-trip time: `python benchmarks/adds.py`.

It prints the wall time, in relation to the ideal of one round trip for each eight requests, the CPU time, and how much
the process grows above its size before the call. `measure()` returns the figures.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import ssl
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from processes import client, distant_service, show_progress

from tingting_async.v1 import NewContact, TingTing

CHUNK, CONCURRENCY = 100, 8
ROUND_TRIP = 40
ROWS = 50_000
MANY_ROWS = 200_000
KINDS = ("list", "iterator", "async iterator")


def contacts(rows: int) -> Iterator[NewContact]:
    """Yield contacts with two variables each. The numbers are spread over the whole range, without order."""
    for row in range(rows):
        number = row * 7_919 % 99_999_989
        yield NewContact(str(9_800_000_000 + number), {"name": f"सीता {row}", "amount": "500"})


async def contacts_later(rows: int) -> AsyncIterator[NewContact]:
    """Yield the same from an async generator."""
    for contact in contacts(rows):
        yield contact


def resident() -> int:
    """Return the resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def reset_peak() -> None:
    """Forget the largest resident memory so far."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the largest resident memory since it was reset, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def add(kind: str, rows: int, url: str, trusted: str) -> dict[str, float]:
    """Add contacts once, and return the figures."""
    context = ssl.create_default_context(cafile=trusted)
    async with TingTing(base_url=url, api_token="key", ssl=context) as tingting:
        await tingting.contacts.add_many(1, list(contacts(CHUNK)))  # Imports what the first request needs.
        await asyncio.sleep(2)  # Its connection is not used again.
        given: Any = list(contacts(rows)) if kind == "list" else contacts(rows)
        if kind == "async iterator":
            given = contacts_later(rows)
        gc.collect()
        reset_peak()
        idle, before, start = resident(), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        done = await tingting.contacts.add_many(1, given, chunk=CHUNK, concurrency=CONCURRENCY, keep_contacts=False)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        assert done.created == rows
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ideal = -(-rows // CHUNK // CONCURRENCY) * ROUND_TRIP / 1000
    return {"wall": wall, "ideal": ideal, "ratio": wall / ideal, "cpu": cpu, "mib": (peak() - idle) / 2**20}


def measure(rounds: int = 5) -> dict[str, dict[str, float]]:
    """Return the medians for each kind of input, and for an iterator of 200,000 contacts."""
    cases = {kind: (kind, ROWS) for kind in KINDS} | {f"iterator of {MANY_ROWS:,}": ("iterator", MANY_ROWS)}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    with distant_service(ROUND_TRIP) as (url, trusted):
        for number in range(rounds):
            for name, (kind, rows) in cases.items():
                if number and rows == MANY_ROWS:
                    continue  # It is there for its memory, which does not vary.
                show_progress(f"adding contacts, round {number + 1} of {rounds}: {name}")
                runs[name].append(client("adds.py", "--add", kind, rows, url, trusted))
    show_progress("")
    return {name: {key: statistics.median(run[key] for run in each) for key in each[0]} for name, each in runs.items()}


def show(found: dict[str, dict[str, float]]) -> str:
    """Return the figures as a table."""
    lines = ["| contacts from | wall, s | ideal, s | ratio | CPU, s | peak memory, MiB |", "|---|---|---|---|---|---|"]
    for name, each in found.items():
        figures = f"{each['wall']:.2f} | {each['ideal']:.2f} | {each['ratio']:.2f} | {each['cpu']:.2f}"
        lines.append(f"| {name} | {figures} | {each['mib']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--add", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.add:
        kind, rows, url, trusted = options.add
        json.dump(asyncio.run(add(kind, int(rows), url, trusted)), sys.stdout)
    else:
        print(show(measure(options.rounds)))


if __name__ == "__main__":
    main()
