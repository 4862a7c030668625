"""A fleet of workers with Taskiq: jobs, tokens and rate limit are in Redis, the ledger is in PostgreSQL.

    python taskiq_fleet.py add bills-*.csv  # adds a job for each file
    python taskiq_fleet.py work             # on each machine, as often as you like

Reads REDIS_URL, DATABASE_URL, TINGTING_EMAIL and TINGTING_PASSWORD. Reads TINGTING_BASE_URL if you do not use the real
service.
"""

import logging
import os
import sys
from pathlib import Path

import anyio
from fleet_job import text_everybody
from taskiq import SmartRetryMiddleware
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from tingting_async import PostgresLedger, RedisRateLimit, RedisTokenStore
from tingting_async.v1 import TingTing

REDIS = os.environ["REDIS_URL"]
DEAD_AFTER = float(os.environ.get("DEAD_AFTER", "30"))
"""Seconds after which a job that was not confirmed goes to another worker, even if it still runs."""

broker = RedisStreamBroker(
    REDIS,
    queue_name="campaigns",
    consumer_id="0",  # Jobs that were added before the first worker started count, too.
    xread_count=1,  # A worker takes no jobs in advance.
    idle_timeout=round(DEAD_AFTER * 1000),
    unacknowledged_lock_timeout=5,
).with_middlewares(SmartRetryMiddleware(default_retry_count=20, default_retry_label=True, default_delay=5))


@broker.task
async def process(source: str) -> None:
    """Process one file. Whatever went wrong, a later attempt goes on where this one ended."""
    await text_everybody(broker.state.tingting, Path(source))


@broker.task
async def redeliver() -> None:
    """Do nothing. A worker looks for the jobs of dead workers only when it gets a job, so there must be one."""


async def keep_redelivering() -> None:
    """Add such a job regularly."""
    while True:
        await anyio.sleep(DEAD_AFTER)
        await redeliver.kiq()


async def work() -> None:
    """Process jobs until the process is stopped. All jobs share one session."""
    async with (
        anyio.create_task_group() as tasks,
        PostgresLedger(os.environ["DATABASE_URL"]) as ledger,
        RedisRateLimit(REDIS, per_second=50) as rate,
        TingTing.from_env(
            ledger=ledger,
            token_store=RedisTokenStore(REDIS, key="tingting tokens"),
            rate=rate,
        ) as tingting,
    ):
        broker.state.tingting = tingting
        broker.is_worker_process = True
        await broker.startup()
        tasks.start_soon(keep_redelivering)
        await run_receiver_task(broker, max_async_tasks=10)


async def add(sources: list[Path]) -> None:
    """Add a job for each file."""
    await broker.startup()
    for source in sources:
        await process.kiq(str(source))
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # Shows why a job will be retried.
    command, *files = sys.argv[1:]
    if command == "work":
        anyio.run(work)
    else:
        anyio.run(add, [Path(file).resolve() for file in files])
