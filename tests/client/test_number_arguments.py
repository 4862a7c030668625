"""Arguments that are a number of seconds or of things: what is refused, wherever they are."""

import inspect
import math
from typing import Any

import pytest
from support.servers import closed_port

from tingting_async import (
    OutcomeUnknownError,
    PostgresRateLimit,
    PostgresTokenStore,
    RedisRateLimit,
    RedisTokenStore,
    RetryPolicy,
    Timeout,
    TingTing as Classic,
    UsageError,
    ensure_sent,
)
from tingting_async.v1 import NewStep, TingTing

pytestmark = pytest.mark.anyio

ABOVE_0: dict[str, Any] = {
    "`timeout`": lambda to, value: TingTing(api_token="t", timeout=value),
    "`timeout`: pool": lambda to, value: Timeout(pool=value),
    "`timeout`: connect": lambda to, value: Timeout(connect=value),
    "`timeout`: attempt": lambda to, value: Timeout(attempt=value),
    "`timeout`: total": lambda to, value: Timeout(total=value),
    "`rate`": lambda to, value: TingTing(api_token="t", rate=value),
    "`window`": lambda to, value: Classic(api_token="t", window=value),
    "`max_in_flight`": lambda to, value: Classic(api_token="t", max_in_flight=value),
    "`retries`": lambda to, value: Classic(api_token="t", retries=value),
    "`attempts`": lambda to, value: RetryPolicy(attempts=value),
    "campaigns.wait: `timeout`": lambda to, value: to.campaigns.wait(1, timeout=value),
    "`poll_interval`": lambda to, value: to.campaigns.progress(1, poll_interval=value),
    "`max_poll_interval`": lambda to, value: to.campaigns.wait(1, max_poll_interval=value),
    "`timeout` (call)": lambda to, value: to.campaigns.get(1, timeout=value),
    "`timeout` (list)": lambda to, value: to.campaigns.list(timeout=value),
    "`window` (list)": lambda to, value: to.campaigns.list(window=value),
    "`max_cost`": lambda to, value: to.campaigns.list(exact=True, max_cost=value),
    "`page_size`": lambda to, value: to.survey_templates.list(page_size=value),
    "`chunk`": lambda to, value: to.contacts.add_many(1, ["9800000001"], chunk=value),
    "`concurrency`": lambda to, value: to.contacts.add_many(1, ["9800000001"], concurrency=value),
    "`days`": lambda to, value: to.dashboard.get(days=value),
    "`length`": lambda to, value: to.otp.send("9800000001", "{otp}", channel="text", length=value),
    "`length_factor`": lambda to, value: to.survey_templates.create("n", [NewStep()], length_factor=value),
    "`timeout` (redis)": lambda to, value: RedisRateLimit("redis://localhost", per_second=5, timeout=value),
    "`per_second`": lambda to, value: RedisRateLimit("redis://localhost", per_second=value),
    "`timeout` (postgres)": lambda to, value: PostgresRateLimit("host=localhost", per_second=5, timeout=value),
    "`ttl`": lambda to, value: RedisTokenStore("redis://localhost", key="k", ttl=value),
    "`lease`": lambda to, value: RedisTokenStore("redis://localhost", key="k", lease=value),
    "`timeout` (tokens)": lambda to, value: PostgresTokenStore("host=localhost", timeout=value),
}
FROM_0: dict[str, Any] = {
    "`initial_backoff`": lambda to, value: RetryPolicy(initial_backoff=value),
    "`max_backoff`": lambda to, value: RetryPolicy(max_backoff=value),
    "`max_retry_after`": lambda to, value: RetryPolicy(max_retry_after=value),
    "`budget`": lambda to, value: RetryPolicy(budget=value),
    "ensure_sent: `timeout`": lambda to, value: ensure_sent(lambda: to.campaigns.run(1), timeout=value),
    "ensure_sent: `wait`": lambda to, value: ensure_sent(lambda: to.campaigns.run(1), wait=value),
    "reconcile: `wait`": lambda to, value: OutcomeUnknownError().reconcile(wait=value),
    "`limit`": lambda to, value: to.campaigns.list().collect(limit=value),
    "`credit_limit`": lambda to, value: to.campaigns.create("n", "PHONE", credit_limit=value),
}
REFUSED = (-1, -0.5, math.nan, -math.inf, True, False, "5", 10**400, -(10**5000), 1e300, [])


@pytest.mark.parametrize("name", [*ABOVE_0, *FROM_0])
async def test_refused(name: str) -> None:
    """A negative number, NaN, a truth value, a huge number and, where it makes no sense, 0 are refused by name."""
    argument = name.partition(" (")[0].rpartition(": ")[2].strip("`")
    async with TingTing(base_url=f"http://127.0.0.1:{closed_port()}", api_token="t") as tingting:

        async def call(value: Any) -> None:
            result = (ABOVE_0 | FROM_0)[name](tingting, value)
            if inspect.isawaitable(result):
                await result

        for value in (*REFUSED, *[0] * (name in ABOVE_0)):
            with pytest.raises(UsageError, match=argument) as caught:
                await call(value)
            assert len(str(caught.value)) < 300
        assert 0 == tingting.requests_sent


def test_accepted() -> None:
    """Long times are accepted, and so is infinity for what has no other way to have no limit."""
    assert 1e9 == Timeout.of(10**9).total
    assert math.inf == Timeout.of(math.inf).total
    assert math.inf == RetryPolicy(max_retry_after=math.inf).max_retry_after
