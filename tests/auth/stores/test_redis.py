"""Tokens in Redis."""

import logging
import socket
import traceback
from typing import Any

import pytest
from redis.asyncio import Redis

from tingting_async import RedisTokenStore, TingTing, Tokens, TokenStoreError, UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

TOKENS = Tokens("canary-of-tokens", "canary-of-tokens")


def shown(error: BaseException) -> str:
    """Return the text of the traceback."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("decodes", [False, True])
async def test_own_client(redis_place: Any, decodes: bool) -> None:
    """The user's own client is used with its settings and not closed, and each key holds its own tokens."""
    async with Redis.from_url(redis_place.where, decode_responses=decodes, max_connections=4) as client:
        async with RedisTokenStore(client, key="one") as one, RedisTokenStore(client, key="two") as two:
            async with one.lock(), two.lock():
                await one.save(TOKENS)
                await two.save(Tokens("other"))
            assert (await one.load(), await two.load()) == (TOKENS, Tokens("other"))
        assert await client.ping()
        assert await client.pttl("one") == -1


async def test_time_to_live(redis_place: Any) -> None:
    """With `ttl`, Redis deletes the tokens by itself."""
    async with redis_place.open(ttl=3600.5) as store, Redis.from_url(redis_place.where) as client:
        await store.save(TOKENS)
        assert 0 < await client.pttl("tokens") <= 3_600_500


async def test_lease_is_extended(redis_place: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The lease is extended while its holder lives, and the lock is free afterwards."""
    async with redis_place.open(lease=2) as store, Redis.from_url(redis_place.where) as client:
        async with store.lock():
            holder, left = await client.get("tokens:lock"), await client.pttl("tokens:lock")
            while (now := await client.pttl("tokens:lock")) <= left:  # It only falls, unless the lease is extended.
                left = now
            assert await client.get("tokens:lock") == holder
        assert await client.get("tokens:lock") is None
    assert caplog.records == []


async def test_lost_lease(redis_place: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A holder whose lease expired continues with a warning, and does not release the next holder's lock."""
    async with redis_place.open() as store, Redis.from_url(redis_place.where) as client:
        async with store.lock():
            await client.set("tokens:lock", "another's")
            await store.save(TOKENS)
        assert await client.get("tokens:lock") == b"another's"
        assert await store.load() == TOKENS
    assert [(record.levelname, "expired" in record.message) for record in caplog.records] == [("WARNING", True)]


async def test_lock_that_cannot_be_released(redis_place: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A lock that cannot be released does not fail the work that was done under it."""
    async with redis_place.open() as store, Redis.from_url(redis_place.where) as client:
        async with store.lock():
            await client.delete("tokens:lock")
            await client.lpush("tokens:lock", "no text")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_unknown_command(redis_place: Any) -> None:
    """The refusal of a server is not quoted, because it may quote the command with the tokens."""
    async with redis_place.open() as store, Redis.from_url(redis_place.where) as client:
        await client.lpush("tokens", "no text")
        with pytest.raises(TokenStoreError, match=r"'tokens' could not be read: the server refused with ResponseError"):
            await store.load()
    async with Echoing.from_url(redis_place.where) as client:
        store = RedisTokenStore(client, key="tokens")
        with pytest.raises(TokenStoreError, match="could not be written: the server refused") as caught:
            await store.save(TOKENS)
        assert "canary" not in shown(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)


class Echoing(Redis):  # type: ignore[type-arg, unused-ignore]
    """A client of a server that does not know SET."""

    async def set(self, name: Any, value: Any, **_: Any) -> Any:
        """Send an unknown command."""
        return await self.execute_command("ECHO", name, value)


async def test_wrong_password(redis_place: Any) -> None:
    """A wrong password is a TokenStoreError that does not show it, and nothing is sent to the service."""
    url = redis_place.where.replace("pass-of-redis", "canary-of-url")
    async with RedisTokenStore(url, key="tokens") as store, Sandbox() as sandbox:
        async with TingTing(base_url=sandbox.url, token_store=store) as tingting:
            with pytest.raises(TokenStoreError, match="could not be locked: AuthenticationError") as caught:
                await tingting.accounts.user_details()
        assert sandbox.requests == []
    assert "canary" not in shown(caught.value) + repr(store) + repr(caught.value)


async def test_no_server(caplog: pytest.LogCaptureFixture) -> None:
    """If no server listens, every access is a TokenStoreError with the reason and without the password."""
    caplog.set_level(logging.DEBUG)
    with socket.socket() as unused:  # Bound, but not listening.
        unused.bind(("127.0.0.1", 0))
        url = f"redis://:canary-of-url@127.0.0.1:{unused.getsockname()[1]}/0"
        async with RedisTokenStore(url, key="tokens") as store:
            for access in (store.load, lambda: store.save(TOKENS), lambda: store.save(None), store.lock().__aenter__):
                with pytest.raises(TokenStoreError, match=r"ConnectionError: .* Is the server") as caught:
                    await access()
                assert "canary" not in shown(caught.value)
    assert "canary" not in caplog.text


async def test_silent_server(deaf_port: int) -> None:
    """A command times out if the server does not respond within the lease."""
    async with RedisTokenStore(f"redis://127.0.0.1:{deaf_port}", key="tokens", lease=0.3) as store:
        with pytest.raises(TokenStoreError, match=r"TimeoutError: no response within 0\.3 s"):
            await store.load()


@pytest.mark.parametrize(
    "url", ["redis://:canary/x@host:1", "http://:canary@host", "", "canary", "redis://h:canary", "redis://h?db=canary"]
)
def test_invalid_url(url: str) -> None:
    """A value that is not the URL of a Redis server is a UsageError that does not quote it."""
    with pytest.raises(UsageError, match="URL of Redis") as caught:
        RedisTokenStore(url, key="tokens")
    assert "canary" not in shown(caught.value)


@pytest.mark.parametrize(
    "options", [{"key": ""}, {"key": None}, {"ttl": 0}, {"ttl": "5"}, {"ttl": float("nan")}, {"lease": 0.01}]
)
def test_invalid_arguments(options: dict[str, Any]) -> None:
    """An invalid argument is a UsageError that names it."""
    with pytest.raises(UsageError, match=f"`{next(iter(options))}`"):
        RedisTokenStore("redis://localhost", **{"key": "tokens", **options})
