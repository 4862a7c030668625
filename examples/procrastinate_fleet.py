"""A fleet of workers with procrastinate: jobs, ledger, tokens and rate limit are in one PostgreSQL database.

    python procrastinate_fleet.py setup            # once: creates procrastinate's tables
    python procrastinate_fleet.py add bills-*.csv  # adds a job for each file
    python procrastinate_fleet.py work             # on each machine, as often as you like

Reads DATABASE_URL, TINGTING_EMAIL and TINGTING_PASSWORD. Reads TINGTING_BASE_URL if you do not use the real service.
"""

import logging
import sys
from pathlib import Path

import anyio
from procrastinate_tasks import DATABASE, DEAD_AFTER, app, process

from tingting_async import PostgresLedger, PostgresRateLimit, PostgresTokenStore
from tingting_async.v1 import TingTing


async def work() -> None:
    """Process jobs until the process is stopped. All jobs share one session."""
    async with (
        app.open_async(),
        PostgresLedger(DATABASE) as ledger,
        PostgresRateLimit(DATABASE, per_second=50) as rate,
        TingTing.from_env(ledger=ledger, token_store=PostgresTokenStore(DATABASE), rate=rate) as tingting,
    ):
        await app.run_worker_async(
            concurrency=10,
            update_heartbeat_interval=DEAD_AFTER / 4,
            stalled_worker_timeout=DEAD_AFTER,
            additional_context={"tingting": tingting},
        )


async def main(command: str, *sources: Path) -> None:
    """Run a command."""
    logging.basicConfig(level=logging.INFO)  # Shows why a job will be retried.
    if command == "work":
        await work()
        return
    async with app.open_async():
        if command == "setup":
            await app.schema_manager.apply_schema_async()
        for source in sources:
            await process.defer_async(source=str(source))


if __name__ == "__main__":
    command, *files = sys.argv[1:]
    anyio.run(main, command, *(Path(file).resolve() for file in files))
