"""Workers that are killed with `kill -9` again and again."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from support import killed

from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).parent / "worker.py"
SENDS = 200
"""The number of campaigns, and of codes."""
KILLS = 8
"""How often each of the two workers is killed, at most."""


async def until_done(sandbox: Sandbox, job: Path, seed: int) -> int:
    """Kill a worker at a random point, and start it again, until it has done the job; return how often."""
    random = Random(seed)

    def make_fault() -> Fault:
        # Before a request is carried out, after it was carried out, or at another time.
        return Fault(random.choice(["stall", "stall_after"]), method="POST", nth=random.randint(1, 25))

    return await killed.until_done(
        sandbox, WORKER, job, seed, kills=KILLS, make_fault=make_fault, patience=lambda: random.uniform(1.0, 4.0)
    )


@pytest.mark.timeout(200)
async def test_two_workers(tmp_path: Path) -> None:
    """Two workers that are killed at any point and started again send everything once and resolve everything."""
    async with Sandbox() as sandbox:
        world, random = sandbox.world, Random(4)
        account = world.add_account("pool@example.com", "password")
        account.credits = 10_000
        campaigns = [world.add_campaign(account, f"Campaign {n}", "PHONE", "") for n in range(SENDS)]
        for n, campaign in enumerate(campaigns):
            campaign.user_phone = [1]
            campaign.scheduled_at = sandbox.clock.now() + 86_400  # So that no run is completed before a worker looks.
            world.add_contact(campaign, f"981{n:07d}", {})
        numbers = [f"980{n:07d}" for n in range(SENDS)]
        job, ledger = tmp_path / "job.json", tmp_path / "sends.sqlite"
        settings = {"url": sandbox.url, "token": account.api_token, "ledger": str(ledger)}
        codes = [(number, f"{random.randrange(10**6):06d}") for number in numbers]
        job.write_text(json.dumps({**settings, "campaigns": [each.id for each in campaigns], "codes": codes}))

        kills = await asyncio.gather(*(until_done(sandbox, job, seed) for seed in (1, 2)))

        assert min(kills) >= KILLS // 2
        tally = sandbox.tally()
        assert {number: tally["otp", number] for number in numbers} == dict.fromkeys(numbers, 1)
        ran = {campaign.id: tally["run", str(campaign.id)] for campaign in campaigns}
        assert ran == dict.fromkeys(ran, 1)
        # And no second run reached the service, which would have refused it.
        statuses = Counter(each.status for each in sandbox.requests if each.path.startswith("/api/v1/run-campaign/"))
        assert statuses[400] == 0
        assert await SqliteLedger(ledger).unresolved() == []
