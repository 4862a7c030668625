"""A process that shares a rate limit: `worker.py SERVER PER_SECOND BASE_URL REQUESTS`.

It prints a line when it is ready, and starts when it can read one.
"""

import asyncio
import sys
from time import monotonic

from tingting_async import PostgresRateLimit, RedisRateLimit, Timeout, TingTing

SERVER, PER_SECOND, BASE_URL, REQUESTS = sys.argv[1:]


async def main() -> None:
    """Send so many requests at once, and print for each reservation when it was made, and its waits."""
    kind = RedisRateLimit if SERVER.startswith("redis") else PostgresRateLimit
    async with kind(SERVER, per_second=float(PER_SECOND)) as limit:
        session = TingTing(base_url=BASE_URL, api_token="t", rate=limit, timeout=Timeout(total=60), max_in_flight=8)
        async with session as tingting:
            print("ready", flush=True)  # noqa: T201 - what the test reads
            await asyncio.to_thread(sys.stdin.readline)
            await asyncio.gather(*(tingting.accounts.user_details() for _ in range(int(REQUESTS))))
            print(tingting.requests_sent, monotonic())  # noqa: T201


asyncio.run(main())
