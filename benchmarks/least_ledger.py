"""What a ledger costs at least, for scale: `python benchmarks/least_ledger.py` prints how much it slows sends down.

The sends are written by hand with aiohttp: no models, no timeouts, no checks. The ledger has one thread with one open
SQLite file (WAL, `synchronous=FULL`). It commits in one transaction whatever waits. It refuses nothing, notices neither
a lost file nor another process, and renews no claim.
"""

import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import orjson
from processes import client, service

from tingting_async.ledger.claims import new_id

TASKS, SENDS = 64, 10
INSERT, UPDATE = "INSERT INTO sends VALUES (?, ?, ?, ?, 0)", "UPDATE sends SET is_done = 1 WHERE id = ?"


class LeastLedger:
    """One thread that commits all rows that wait.

    Args:
        path: A file that does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[str, tuple[object, ...], asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._serve, args=(path,), daemon=True).start()

    def execute(self, statement: str, *values: object) -> "asyncio.Future[None]":
        """Return a future that ends when the statement is on the disk."""
        ended = self._loop.create_future()
        with self._changed:
            self._waiting.append((statement, values, ended))
            self._changed.notify()
        return ended

    def _serve(self, path: Path) -> None:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE sends (id TEXT PRIMARY KEY, service TEXT, operation TEXT, at REAL, is_done INT)")
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                batch, self._waiting = self._waiting, []
            database.execute("BEGIN IMMEDIATE")
            for statement, values, _ in batch:
                database.execute(statement, values)
            database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_end, [ended for *_, ended in batch])


def _end(futures: "list[asyncio.Future[None]]") -> None:
    for ended in futures:
        ended.set_result(None)


async def measure(url: str, rounds: int) -> dict[str, float]:
    """Return the seconds of a send, 64 at a time, without a ledger and with this one: medians over the rounds."""
    times: dict[str, list[float]] = {"without": [], "with": []}
    connector = aiohttp.TCPConnector(limit=TASKS)
    with TemporaryDirectory(dir=Path.cwd()) as folder:  # The temporary directory may be in memory.
        ledger = LeastLedger(Path(folder, "ledger.sqlite"))
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": "Bearer key"}) as session:
            body = orjson.dumps({"number": "9800000001", "message": "{otp}", "sms_send_options": "text"})
            options = {"data": body, "headers": {"Content-Type": "application/json"}}

            async def send() -> None:
                async with session.post(f"{url}/api/v1/auths/send/otp/", **options) as response:
                    orjson.loads(await response.read())

            async def send_with_ledger() -> None:
                id_ = new_id()
                await ledger.execute(INSERT, id_, url, "otp.send", time.time())
                await send()
                await ledger.execute(UPDATE, id_)

            async def stream(send: Callable[[], Awaitable[None]], sends: int) -> None:
                for _ in range(sends):
                    await send()

            for _ in range(rounds + 1):
                for name, each in (("without", send), ("with", send_with_ledger)):
                    await asyncio.gather(*(stream(each, 1) for _ in range(TASKS)))
                    gc.collect()
                    start = time.perf_counter()
                    await asyncio.gather(*(stream(each, SENDS) for _ in range(TASKS)))
                    times[name].append((time.perf_counter() - start) / TASKS / SENDS)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def compare(*, quick: bool = False) -> dict[str, float]:
    """Run `measure` in a process of its own, against a server of its own."""
    with service() as port:
        found: dict[str, float] = client("least_ledger.py", f"http://127.0.0.1:{port}", 3 if quick else 15)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))))
    else:
        found = compare()
        rate = {name: 1 / seconds for name, seconds in found.items()}
        print(f"{rate['without']:.0f} sends a second without, {rate['with']:.0f} with it:", end=" ")
        print(f"a ratio of {rate['with'] / rate['without']:.2f}")
