"""Jobs that are killed with `kill -9` at random moments, while responses are lost, are done once.

The tests are small, as CI runs them. `make jobs` kills fifty times with each kind of ledger.
"""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support import killed
from support.fleet import LOST, count_effects

from tingting_async import PostgresLedger, SqliteLedger
from tingting_async.sandbox import Fault, Sandbox

KILLS = int(os.environ.get("JOB_KILLS", "2"))
"""How often workers are killed, at most, with each kind of ledger."""
KILLS_EACH = 5
PEOPLE = 6
LOST_SHARE = 0.05
"""The share of responses that are lost."""
WORKER = Path(__file__).parent / "worker.py"

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120 + 30 * KILLS)]


def write_list(path: Path, job: int) -> list[str]:
    """Write a list with a row that is left out, and return the numbers of the others."""
    numbers = [f"98{job:02}41{person:04}" for person in range(PEOPLE)]
    lines = ["name,mobile,amount", *(f"P{row},{number},{row}" for row, number in enumerate(numbers)), "X,98410,5"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return numbers


async def until_done(sandbox: Sandbox, settings: dict[str, Any], folder: Path, job: int, kills: int) -> int:
    """Do a job by workers that are killed; return how often one was."""
    random, file = Random(job), folder / f"{job}.json"
    account = sandbox.world.add_account(f"job{job}@example.com", "password")
    account.credits = 10_000
    own = {
        "token": account.api_token,
        "key": f"Fees {job}",
        "file": str(folder / f"{job}.csv"),
        "outcomes": str(folder / f"{job}.jsonl"),
    }
    file.write_text(json.dumps({**settings, **own}))

    def make_fault() -> Fault:
        method = random.choice(["POST", "*"])
        # Of this job alone: a request that another job's fault delays by seconds is carried out after the verdict.
        return Fault(
            random.choice(["stall", "stall_after"]),
            method=method,
            where=lambda request: account.api_token in request.headers.get("Authorization", ""),
            nth=random.randint(1, 4),
            times=1,
        )

    return await killed.until_done(
        sandbox, WORKER, file, job, kills=kills, make_fault=make_fault, patience=lambda: random.uniform(0.5, 8.0)
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_killed(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """One campaign for each job, everybody texted once, and a complete file of outcomes, whatever is killed."""
    if kind == "sqlite":
        where, ledger_class = str(tmp_path / "sends.sqlite"), SqliteLedger
    else:
        server, database = (request.getfixturevalue(name) for name in ("shared_postgres", "database"))
        where, ledger_class = server.dsn(database), PostgresLedger
    kills = [min(KILLS_EACH, KILLS - first) for first in range(0, KILLS, KILLS_EACH)]
    async with Sandbox(campaigns=0, keep_requests=False) as sandbox:
        random = Random(kind)
        for fault in LOST:
            sandbox.faults.add(Fault(fault, where=lambda _: random.random() < LOST_SHARE / len(LOST)))
        settings = {"kind": kind, "ledger": where, "url": sandbox.url}
        numbers = [write_list(tmp_path / f"{job}.csv", job) for job in range(len(kills))]
        slots = asyncio.Semaphore(4)

        async def one(job: int) -> int:
            async with slots:
                return await until_done(sandbox, settings, tmp_path, job, kills[job])

        done = await asyncio.gather(*map(one, range(len(kills))))

        assert sum(done) >= KILLS // 2
        assert {f"Fees {job}": 1 for job in range(len(kills))} == count_effects(sandbox, "created")
        assert [1] * len(kills) == [*count_effects(sandbox, "run").values()]
        assert Counter(number for each in numbers for number in each) == count_effects(sandbox, "sms")
    for job in range(len(kills)):
        lines = [json.loads(line) for line in (tmp_path / f"{job}.jsonl").read_text().splitlines()]
        found = [(line["row"], line["number"], line["outcome"]) for line in lines]
        reached = [(row, number, "reached") for row, number in enumerate(numbers[job], 2)]
        assert [*reached, (PEOPLE + 2, None, "left out")] == found
    async with ledger_class(where) as ledger:
        assert [] == await ledger.unresolved()
