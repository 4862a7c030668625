"""Type-checked, never run: the settings of a session, its events, and where tokens are kept."""

from collections.abc import Callable, Sequence
from datetime import time
from decimal import Decimal
from typing import assert_type

from tingting_async import (
    Effect,
    FileLike,
    FileTokenStore,
    GuardError,
    Guards,
    Listener,
    MemoryTokenStore,
    OpenTelemetryListener,
    PostgresRateLimit,
    PostgresTokenStore,
    Prices,
    RateLimit,
    RedisRateLimit,
    RedisTokenStore,
    RequestEvent,
    RequestFailed,
    RequestRetried,
    RequestStarted,
    ResponseReceived,
    RetryPolicy,
    Session,
    Timeout,
    TimeoutLike,
    TingTing,
    Tokens,
    TokenStore,
)
from tingting_async.v1 import TingTing as V1TingTing


class Own:
    async def reserve(self, limits: Sequence[float]) -> list[float]:
        return [0.0 for _ in limits]


async def sessions() -> None:
    async with TingTing.from_env(window=2) as tingting:
        assert_type(tingting, TingTing)
        assert_type(tingting.base_url, str)
        assert_type(tingting.requests_sent, int)
    async with V1TingTing.from_env() as v1:
        assert_type(v1, V1TingTing)
    either: list[Session] = [tingting, v1]
    assert_type(await either[0].aclose(), None)
    TingTing(api_token="…", timeout=Timeout(pool=None, connect=5, attempt=10, total=30), retries=1)
    TingTing(email="a@example.com", password="…", timeout=30, retries=RetryPolicy(attempts=2), rate=5, max_in_flight=4)
    async with RedisRateLimit("redis://localhost", per_second=5) as limit:
        TingTing(api_token="…", rate=limit)
        rates: list[RateLimit] = [limit, Own(), PostgresRateLimit("postgresql://localhost/jobs", per_second=5)]
        TingTing(api_token="…", rate=rates[0])


async def options(tingting: TingTing, timeout: TimeoutLike, file: FileLike) -> None:
    await tingting.campaigns.create("a", "SMS", file=file, timeout=timeout)


async def numbers() -> list[str]:
    return ["9800000001"]


def guards(error: GuardError) -> None:
    prices = Prices(per_sms_part=1.5, per_call_minute=Decimal(2), minutes_per_call=1)
    assert_type(prices.estimate(sms_parts=3, calls=1), Decimal)
    TingTing(api_token="…", guards=Guards(max_recipients=5, max_credits=10, prices=prices))
    V1TingTing(api_token="…", guards=Guards(quiet_hours=(time(20), time(8)), suppressed=["9800000001", 9800000002]))
    TingTing(api_token="…", guards=Guards(suppressed=numbers))
    assert_type((error.guard, error.operation), tuple[str, str])


def listener(event: RequestEvent) -> None:
    assert_type(event.operation, str)
    assert_type(event.effect, Effect)
    if isinstance(event, RequestStarted):
        assert_type(event.attempt, int)
    if isinstance(event, ResponseReceived):
        assert_type((event.status, event.duration, event.size), tuple[int, float, int])
    if isinstance(event, RequestFailed):
        assert_type((event.error, event.phase, event.duration), tuple[str, str, float])
    if isinstance(event, RequestRetried):
        assert_type((event.error, event.delay), tuple[str, float])


def listeners(tingting: TingTing) -> None:
    each: list[Listener] = [listener, OpenTelemetryListener()]
    unsubscribe = tingting.subscribe(each[0])
    assert_type(unsubscribe, Callable[[], None])


async def token_stores() -> None:
    stores: list[TokenStore] = [
        MemoryTokenStore(),
        FileTokenStore("tokens.json"),
        RedisTokenStore("redis://localhost", key="tingting"),
        PostgresTokenStore("postgresql://localhost/jobs", key="tingting"),
    ]
    assert_type(await stores[0].load(), Tokens | None)
    TingTing(token_store=stores[0])
