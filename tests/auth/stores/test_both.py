"""What all stores guarantee: in a file, in Redis and in PostgreSQL."""

import asyncio
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tingting_async import (
    FileTokenStore,
    MemoryTokenStore,
    PostgresTokenStore,
    RedisTokenStore,
    TingTing,
    Tokens,
    TokenStoreError,
)
from tingting_async.auth.tokens import Credentials
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

LOGIN = "/api/accounts/login/"
REFRESH = "/api/accounts/token/refresh/"
CANARY = "canary-of-tokens"

Make = Callable[..., Any]


async def put(place: Any, content: bytes) -> None:
    """Write content that no store wrote."""
    if place.kind == "file":
        path = Path(place.where)
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
    elif place.kind == "postgres":
        import psycopg

        try:
            text = content.decode()
        except UnicodeDecodeError:
            pytest.skip("a column of text holds no bytes that are not UTF-8")
        await make_table(place)
        with psycopg.connect(place.where, autocommit=True) as connection:
            connection.execute("INSERT INTO tingting_tokens (key, version, tokens) VALUES ('default', 1, %s)", (text,))
    else:
        from redis.asyncio import Redis

        async with Redis.from_url(place.where) as client:
            await client.set("tokens", content)


async def make_table(place: Any) -> None:
    """Let a store create its table."""
    async with place.open().lock():
        pass


async def expired(sandbox: Sandbox, store: Any) -> None:
    """Save tokens of the sandbox's account that need a refresh."""
    async with TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting:
        token = (await tingting.accounts.login()).token
    sandbox.requests.clear()
    await store.save(Tokens(token.access, token.refresh, refresh_at=0))


@pytest.mark.parametrize(
    "tokens",
    [
        Tokens("access", "refresh", refresh_at=1_700_000_000 + 1 / 3),
        Tokens("access"),
        Tokens('é\n"\\\udc80', "", refresh_at=7),
        Tokens("a" * 100_000, refresh_at=math.inf),
    ],
)
async def test_load_and_save(make: Make, tokens: Tokens) -> None:
    """A store loads exactly the tokens that any store of the same location saved last, until they are deleted."""
    store, other = make(), make()
    assert await other.load() is None
    await store.save(Tokens("before"))
    await store.save(tokens)
    assert await other.load() == tokens
    await other.save(None)
    await other.save(None)
    assert await store.load() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"access": "canary-of-tok',
        b'{"access": "canary-of-tokens\xff"}',
        b'{"access": ["canary-of-tokens"]}',
        b'{"access": ""}',
        b'{"access": "canary-of-tokens", "refresh": 5}',
        b'{"access": "canary-of-tokens", "refresh_at": "5"}',
        b'{"access": "canary-of-tokens", "refresh_at": true}',
        b'{"access": "canary-of-tokens", "renew_at": "5"}',
        b"[" * 100_000,
    ],
)
async def test_invalid_content(place: Any, make: Make, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    """Invalid content counts as no tokens, is not quoted in the warning, and can be replaced."""
    await put(place, content)
    store = make()
    assert await store.load() is None
    assert [record.levelname for record in caplog.records if record.name.startswith("tingting")] == ["WARNING"]
    assert "canary" not in caplog.text
    await store.save(Tokens("new"))
    assert await store.load() == Tokens("new")


async def test_content_of_the_old_form(place: Any, make: Make) -> None:
    """Tokens that were stored when `refresh_at` was named `renew_at` keep the time of their refresh."""
    await put(place, b'{"access": "access", "refresh": "refresh", "renew_at": 1700000000.5}')
    store = make()
    assert Tokens("access", "refresh", refresh_at=1_700_000_000.5) == await store.load()
    await store.save(Tokens("access"))  # In the new form, None is no reason to look for the old name.
    assert Tokens("access") == await store.load()


@pytest.mark.parametrize("stores", [1, 2])
async def test_one_at_a_time(make: Make, stores: int) -> None:
    """One task at a time holds the lock, across all stores of the same location, and each task gets it."""
    shared = [make() for _ in range(stores)]
    inside = entered = 0

    async def enter(number: int) -> None:
        nonlocal inside, entered
        async with shared[number % stores].lock():
            inside += 1
            entered += 1
            await asyncio.sleep(0.001)
            assert inside == 1
            inside -= 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(enter(number))
    assert entered == 8


async def test_cancelled(make: Make) -> None:
    """A holder that is cancelled releases the lock; a waiter that is cancelled, at any step, does not disturb it."""
    store, inside = make(), asyncio.Event()

    async def hold() -> None:
        async with store.lock():
            inside.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await inside.wait()
    for turns in range(20):
        waiter = asyncio.create_task(hold())
        for _ in range(turns):
            await asyncio.sleep(0)
        waiter.cancel()
        assert await asyncio.gather(waiter, return_exceptions=True) != [None]
    holder.cancel()
    await asyncio.wait([holder])
    for turns in range(40):  # Also while the lock is granted.
        waiter = asyncio.create_task(hold())
        for _ in range(turns):
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
    with anyio.fail_after(30):
        async with store.lock():
            pass


@pytest.mark.parametrize("turns", range(1, 6))
async def test_cancelled_while_saving(make: Make, turns: int) -> None:
    """A save completes even if its caller is cancelled: a refresh token may be usable only once."""
    store = make()
    saving = asyncio.create_task(store.save(Tokens("new", "refresh")))
    for _ in range(turns):
        await asyncio.sleep(0)
    if saving.cancel():  # On a busy machine, the save may have ended by now.
        with pytest.raises(asyncio.CancelledError):
            await saving
    assert await store.load() == Tokens("new", "refresh")


async def test_two_sessions(make: Make) -> None:
    """Two sessions of one process with an empty store sign in once, and a later third session not at all."""
    async with Sandbox() as sandbox:
        account = {"base_url": sandbox.url, "email": sandbox.email, "password": sandbox.password}
        async with TingTing(**account, token_store=make()) as one, TingTing(**account, token_store=make()) as two:
            await asyncio.gather(*(session.accounts.user_details() for session in (one, two) for _ in range(5)))
        async with TingTing(base_url=sandbox.url, token_store=make()) as third:
            await third.accounts.user_details()
        assert sum(received.path == LOGIN for received in sandbox.requests) == 1


async def test_two_processes(place: Any, make: Make) -> None:
    """Two processes with one expired token make one refresh, even if a refresh token is usable only once."""
    store = make()
    with Sandbox(rotate_refresh=True).in_thread() as sandbox:
        await expired(sandbox, store)
        fault = Fault("stall", path=REFRESH)
        sandbox.faults.add(fault)
        with place.worker("use", sandbox.url) as first, place.worker("use", sandbox.url) as second:
            for worker in (first, second):
                assert await asyncio.to_thread(worker.stdout.readline) == "at the lock\n"
            await fault.stalled.wait()
            fault.release()
            results = [await asyncio.to_thread(worker.communicate) for worker in (first, second)]
        assert results == [("done\n", "")] * 2
        assert sum(received.path == REFRESH for received in sandbox.requests) == 1
    stored = await store.load()
    assert stored is not None
    assert stored.refresh_at > time.time()


async def test_killed(place: Any, make: Make) -> None:
    """The lock of a process that is killed is released."""
    with place.worker("hold") as worker:
        assert await asyncio.to_thread(worker.stdout.readline) == "at the lock\n"
        assert await asyncio.to_thread(worker.stdout.readline) == "inside\n"
        worker.kill()
        with anyio.fail_after(30):
            async with make().lock():
                pass


def test_fork(place: Any) -> None:
    """A store that is used before a fork, and whose lock is held meanwhile, works afterwards in both processes."""
    with place.worker("fork") as worker:
        assert ("child 0: of the child\n", "") == worker.communicate(timeout=50)


def test_threads(place: Any) -> None:
    """A store may be shared by threads, each with an event loop of its own: one at a time holds the lock."""
    assert_excludes(place.open())


def test_memory_store_in_threads() -> None:
    """The store in memory may be shared by threads as well."""
    assert_excludes(MemoryTokenStore())


def assert_excludes(store: Any) -> None:
    """Check that a counter under the lock misses no step of many threads."""

    async def count() -> None:
        for _ in range(5):
            async with store.lock():
                stored = await store.load()
                await asyncio.sleep(0.001)
                await store.save(Tokens(str(int(stored.access if stored else 0) + 1)))
        if hasattr(store, "aclose"):
            await store.aclose()

    threads = [threading.Thread(target=lambda: asyncio.run(count())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def result() -> Tokens | None:
        loaded: Tokens | None = await store.load()
        if hasattr(store, "aclose"):
            await store.aclose()
        return loaded

    assert Tokens("20") == asyncio.run(result())


async def test_held_by_another_process(place: Any, make: Make) -> None:
    """A call whose sign-in waits for another process ends by its own timeout, and the session can be closed."""
    with place.worker("hold") as worker:
        for _ in range(2):
            await asyncio.to_thread(worker.stdout.readline)
        async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, token_store=make(), timeout=1) as tingting:
            with pytest.raises(Exception, match="Nothing was sent") as caught:
                await tingting.accounts.user_details()
            assert caught.value.phase == "sign-in"  # type: ignore[attr-defined]
            assert sandbox.requests == []


async def test_secrets_of_frames(place: Any, make: Make, tmp_path: Path) -> None:
    """No local variable of a frame that the error of a failed save passes through holds a token."""
    broken: dict[str, Any] = {
        "file": lambda: FileTokenStore(tmp_path),
        "redis": lambda: RedisTokenStore("redis://127.0.0.1:1", key="k"),
        "postgres": lambda: PostgresTokenStore("postgresql://127.0.0.1:1/jobs"),
    }
    store = broken[place.kind]()
    with pytest.raises(TokenStoreError) as caught:
        await store.save(Tokens(CANARY, CANARY))
    seen: BaseException | None = caught.value
    while seen is not None:
        frames = [frame for frame, _ in traceback.walk_tb(seen.__traceback__) if frame.f_code.co_filename != __file__]
        assert [] == [frame.f_code.co_name for frame in frames if CANARY in repr(frame.f_locals)]
        seen = seen.__cause__ or seen.__context__


async def test_secrets(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """No token is shown in the repr of a store or in the log."""
    caplog.set_level(logging.DEBUG)
    store = make()
    async with store.lock():
        await store.save(Tokens(CANARY, CANARY))
        assert await store.load() == Tokens(CANARY, CANARY)
    assert "canary" not in caplog.text + repr(store) + repr(vars(store)) + str(store)


async def test_tokens_of_another_account(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A session does not use tokens that were saved for another e-mail address, but signs in, with a warning."""
    seen = []
    async with Sandbox() as sandbox:
        emails = sandbox.email, sandbox.world.add_account("gita@example.com", sandbox.password).email
        for email in (emails[0], emails[0], emails[1], emails[1], emails[0]):
            options = {"base_url": sandbox.url, "email": email, "password": sandbox.password}
            async with TingTing(**options, token_store=make()) as tingting:
                seen.append((await tingting.accounts.user_details()).email)
        assert [emails[0], emails[0], emails[1], emails[1], emails[0]] == seen
        assert 3 == sum(received.path == LOGIN for received in sandbox.requests)
    assert 2 == len([record for record in caplog.records if "tokens of another account" in record.getMessage()])
    assert "@" not in caplog.text


async def test_tokens_of_any_account(make: Make) -> None:
    """A session without an e-mail address uses the tokens of any account, and keeps them that account's."""
    async with Sandbox(rotate_refresh=True) as sandbox:
        account = {"base_url": sandbox.url, "email": sandbox.email, "password": sandbox.password}
        async with TingTing(**account, token_store=make()) as first:
            await first.accounts.user_details()
        saved = await make().load()
        async with TingTing(base_url=sandbox.url, token_store=make()) as second:
            await second.accounts.user_details()
            await second.accounts.refresh()
        renewed = await make().load()
    assert saved != renewed
    assert saved.account
    assert saved.account == renewed.account
    assert sandbox.email not in saved.account


def test_account_of_an_address() -> None:
    """The case of an e-mail address and the space around it do not make another account."""
    spellings = ("sita@example.com", " Sita@Example.com\n", "gita@example.com")
    one, same, other = (Credentials(email, "password").account for email in spellings)
    assert (True, False) == (one == same, one == other)
