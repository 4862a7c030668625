"""Three processes share one sign-in to a classic account: one signs in, the others find its tokens in a file.

Reads TINGTING_EMAIL and TINGTING_PASSWORD. Reads TINGTING_BASE_URL if you do not use the real service.
"""

import multiprocessing
import tempfile
from pathlib import Path

import anyio

from tingting_async import FileTokenStore, TingTing


async def count_campaigns(tokens: Path) -> int:
    """Count the account's campaigns, using the shared tokens."""
    async with TingTing.from_env(token_store=FileTokenStore(tokens)) as tingting:
        return len(await tingting.campaigns.list().collect())


def work(tokens: Path) -> int:
    """Run one worker process."""
    return anyio.run(count_campaigns, tokens)


def main() -> None:
    """Start the processes. A real service would keep the file in a place where a restart finds it."""
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(3) as pool:
        for worker, campaigns in enumerate(pool.map(work, [Path(folder) / "tokens.json"] * 3), start=1):
            print(f"Worker {worker}: {campaigns} campaigns")


if __name__ == "__main__":
    main()
