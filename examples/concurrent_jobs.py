"""Ten jobs list the campaigns of a classic account at the same time, on one session: one sign-in, one pool, one limit.

Reads TINGTING_EMAIL and TINGTING_PASSWORD. Reads TINGTING_BASE_URL if you do not use the real service.
"""

import anyio

from tingting_async import TingTing


async def count_services(tingting: TingTing, job: int) -> None:
    """Count all campaigns by service."""
    counts: dict[str, int] = {}
    async for campaign in tingting.campaigns.list():
        counts[campaign.services.value] = counts.get(campaign.services.value, 0) + 1
    print(f"Job {job}: {dict(sorted(counts.items()))}")


async def main() -> None:
    """Run ten jobs and print how many requests they sent together."""
    async with TingTing.from_env(max_in_flight=16) as tingting:
        async with anyio.create_task_group() as jobs:
            for job in range(1, 11):
                jobs.start_soon(count_services, tingting, job)
        print(f"{tingting.requests_sent} requests")


if __name__ == "__main__":
    anyio.run(main)
