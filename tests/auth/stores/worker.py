"""A process that shares a token store: `worker.py KIND WHERE ACTION [BASE_URL]`."""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from tingting_async import FileTokenStore, PostgresTokenStore, RedisTokenStore, TingTing, Tokens, TokenStoreError

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


class ReportingPostgresStore(PostgresTokenStore):
    """Prints a line before its lock is acquired."""

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Print the line, and return the lock."""
        show("at the lock")
        return super().lock()


def open_store(lease: float) -> Any:
    """Return a store of the kind."""
    if KIND == "file":
        return ReportingFileStore(WHERE)
    if KIND == "postgres":
        return ReportingPostgresStore(WHERE)
    return ReportingRedisStore(WHERE, key="tokens", lease=lease)


async def main() -> None:
    """Do the action."""
    lease = 2 if ACTION == "hold" else 15  # The holder is killed, and the test waits for the lease.
    store = open_store(lease)
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
        case "save without permission":
            if os.getuid() == 0:
                async with store.lock():  # Imports what this process may not read any more afterwards.
                    await store.load()
                os.setuid(65534)
            for access in (store.load, lambda: store.save(Tokens("new")), store.lock().__aenter__):
                try:
                    await access()
                except TokenStoreError as error:
                    show(str(error))
            show("done")
            os._exit(0)  # At its end, a measurement of coverage could not write its file.
    if KIND != "file":
        await store.aclose()
    show("done")


async def save(store: Any, access: str) -> None:
    """Save tokens under the lock, and leave the connections open."""
    async with store.lock():
        await store.save(Tokens(access))


def fork() -> None:
    """Use a store before a fork, and afterwards in the child and in the parent, each in an event loop of its own."""
    stores: dict[str, Callable[[], Any]] = {
        "file": lambda: FileTokenStore(WHERE),
        "postgres": lambda: PostgresTokenStore(WHERE),
        "redis": lambda: RedisTokenStore(WHERE, key="tokens", lease=3600),
    }
    store = stores[KIND]()
    parent = asyncio.Runner()
    holding = store.lock()
    parent.run(save(store, "of the parent"))
    parent.run(holding.__aenter__())
    if (child := os.fork()) == 0:
        asyncio.run(asyncio.wait_for(store.load(), 20))
        parent_is_done.wait()
        asyncio.run(asyncio.wait_for(save(store, "of the child"), 20))
        os._exit(0)
    parent.run(holding.__aexit__(None, None, None))
    parent.run(save(store, "of the parent again"))
    parent_is_done.set()
    _, status = os.waitpid(child, 0)
    show(f"child {status}: {parent.run(store.load()).access}")
    if KIND != "file":
        parent.run(store.aclose())
    parent.close()


if ACTION == "fork":
    parent_is_done = multiprocessing.get_context("fork").Event()
    fork()
else:
    asyncio.run(main())
