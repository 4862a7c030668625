"""A process that shares a token store: `worker.py KIND WHERE ACTION [BASE_URL]`."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

from tingting_async import FileTokenStore, RedisTokenStore, TingTing, Tokens, TokenStoreError

KIND, WHERE, ACTION = sys.argv[1:4]


def show(text: str) -> None:
    """Print a line and flush it."""
    print(text, flush=True)  # noqa: T201 - what the test reads


class ReportingFileStore(FileTokenStore):
    """Prints a line before its lock is acquired."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Print the line, and return the lock."""
        show("at the lock")
        return super().lock()


class ReportingRedisStore(RedisTokenStore):
    """Prints a line before its lock is acquired."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Print the line, and return the lock."""
        show("at the lock")
        return super().lock()


async def main() -> None:
    """Do the action."""
    lease = 2 if ACTION == "hold" else 15  # The holder is killed, and the test waits for the lease.
    store: Any = ReportingFileStore(WHERE) if KIND == "file" else ReportingRedisStore(WHERE, key="tokens", lease=lease)
    match ACTION:
        case "use":
            async with TingTing(base_url=sys.argv[4], token_store=store) as tingting:
                await tingting.accounts.user_details()
        case "hold":
            async with store.lock():
                show("inside")
                await asyncio.Event().wait()
        case "die while saving":

            def die(event: str, _: Any) -> None:
                if event == "os.rename":
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(die)
            await store.save(Tokens("new"))
        case "save on a full disk":
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
            try:
                await store.save(Tokens("new"))
            except TokenStoreError as error:
                show(str(error))
    if KIND == "redis":
        await store.aclose()
    show("done")


asyncio.run(main())
