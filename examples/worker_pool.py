"""Three processes share one sign-in: the first to need a token gets it, the others find it in the file.

Reads TINGTING_EMAIL and TINGTING_PASSWORD, and TINGTING_BASE_URL if it is not the real service.
"""

import multiprocessing
import tempfile
from pathlib import Path

import anyio

from tingting_async import TingTing
from tingting_async import FileTokenStore


async def count_campaigns(tokens: Path) -> int:
    """Count the account's campaigns, with the tokens that the processes share."""
    async with TingTing.from_env(token_store=FileTokenStore(tokens)) as tingting:
        return len(await tingting.campaigns.list().collect())


def work(tokens: Path) -> int:
    """Do what a worker process does."""
    return anyio.run(count_campaigns, tokens)


def main() -> None:
    """Start the processes. A service would keep the file where it finds it again after a restart."""
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(3) as pool:
        for worker, campaigns in enumerate(pool.map(work, [Path(folder) / "tokens.json"] * 3), start=1):
            print(f"Worker {worker}: {campaigns} campaigns")


if __name__ == "__main__":
    main()
