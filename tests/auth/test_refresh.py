"""Refreshing tokens: a refresh token that can be used only once is never lost."""

import asyncio
import random
from typing import Any

import anyio
import pytest
from support.rotation import (
    ACCOUNT,
    EXPIRED,
    REFRESH,
    FailingStore,
    RotatingService,
    assert_signed_in,
    connect,
    turns,
)
from support.servers import Received

from tingting_async import (
    AuthenticationError,
    MemoryTokenStore,
    NotSentError,
    TingTing,
    TingTingError,
    Tokens,
)

pytestmark = pytest.mark.anyio


async def test_deadline_during_a_refresh(url: str, service: RotatingService) -> None:
    """A refresh goes on after the calls that wait for it, even if the session's own limits are shorter."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    service.gate.clear()
    async with connect(url, store, timeout=0.1) as tingting:
        with pytest.raises(NotSentError):
            await tingting.accounts.user_details()
        await service.replaced.wait()
        service.gate.set()
        with anyio.fail_after(20):
            while service.tokens != await store.load():
                await asyncio.sleep(0.01)
    assert 1 == service.count(REFRESH)


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("refresh", "deadline"),
        *((what, how) for what in ("refresh", "implicit", "explicit") for how in ("cancel", "close", "fail")),
    ],
)
async def test_never_signed_out(serve: Any, what: str, how: str) -> None:
    """After any disturbance at any step of a refresh or a sign-in, a new session on the store can still refresh."""
    seeds = random.Random(f"{what} {how}")
    for step in range(40):
        service = RotatingService()
        server = await serve(service.script)
        error = seeds.choice([OSError("disk full"), KeyError("a bug"), asyncio.CancelledError(), TimeoutError()])
        failing = (step % 10,) if how == "fail" else ()
        store = FailingStore(EXPIRED, error, *failing)
        options: dict[str, Any] = {} if what == "refresh" else dict(ACCOUNT)
        if what == "implicit":  # Its refresh token is dead, so that the session has to sign in.
            await MemoryTokenStore.save(store, Tokens("access-0", "refresh-dead", refresh_at=0.0))
        if how == "deadline":
            options["timeout"] = 0.001 * (step + 1)
        tingting = connect(server.url, store, **options)
        called = tingting.accounts.login if what == "explicit" else tingting.accounts.user_details
        calls = [asyncio.ensure_future(called()) for _ in range(seeds.randrange(1, 3))]
        if how in ("cancel", "close"):
            await turns(step * 3)
        if how == "cancel":
            calls[0].cancel()
        if how == "close":
            await tingting.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [] == [
            end
            for end in ends
            if isinstance(end, BaseException)
            and not isinstance(end, TingTingError)
            and not (how == "cancel" and isinstance(end, asyncio.CancelledError))
        ]
        await tingting.aclose()
        store.error = None
        if service.number or what != "implicit":
            await assert_signed_in(server.url, store)


async def test_lost_refresh_is_tried_again(service: RotatingService, serve: Any) -> None:
    """A refresh whose response is lost is tried again by the next call: there is no cooldown without a refusal."""

    async def script(received: Received) -> None:
        if not received.number:
            received.reset()
        else:
            await service.script(received)

    server = await serve(script)
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    async with TingTing(base_url=server.url, token_store=store, retries=1) as tingting:
        with pytest.raises(AuthenticationError, match="not refreshed"):
            await tingting.accounts.user_details()
        await tingting.accounts.user_details()
