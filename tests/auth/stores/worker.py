"""A process that shares a token store: `worker.py KIND WHERE DEED [BASE_URL]`."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

from tingting_async import TingTing, Tokens, TokenStoreError
from tingting_async.auth.stores import FileTokenStore, RedisTokenStore

KIND, WHERE, DEED = sys.argv[1:4]


def tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - what the test reads


class ToldFileStore(FileTokenStore):
    """Tells when its lock is asked for."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Tell, and lock."""
        tell("at the lock")
        return super().lock()


class ToldRedisStore(RedisTokenStore):
    """Tells when its lock is asked for."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Tell, and lock."""
        tell("at the lock")
        return super().lock()


async def main() -> None:
    """Do the deed."""
    lease = 2 if DEED == "hold" else 15  # Whoever holds it is killed, and the test waits.
    store: Any = ToldFileStore(WHERE) if KIND == "file" else ToldRedisStore(WHERE, key="tokens", lease=lease)
    match DEED:
        case "use":
            async with TingTing(base_url=sys.argv[4], token_store=store) as tingting:
                await tingting.accounts.user_details()
        case "hold":
            async with store.lock():
                tell("inside")
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
                tell(str(error))
    if KIND == "redis":
        await store.aclose()
    tell("done")


asyncio.run(main())
