"""Values that no option of a session or of its parts accepts: the error is ours, and shows no secret."""

from decimal import Decimal
from typing import Any

import pytest

from tingting_async import (
    Guards,
    OpenTelemetryListener,
    PostgresRateLimit,
    PostgresTokenStore,
    Prices,
    RedisRateLimit,
    RedisTokenStore,
    RetryPolicy,
    Timeout,
    TingTing,
    UsageError,
)
from tingting_async.v1 import TingTing as TingTingV1

HUGE = 10**5000
"""A number whose `repr` is a ValueError in Python."""


@pytest.mark.parametrize("session", [TingTing, TingTingV1])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ledger", "postgresql://jobs:hunter2@db/jobs"),
        ("ledger", {"dsn": "hunter2"}),
        pytest.param("ledger", HUGE, id="ledger-huge"),
        ("token_store", "redis://:hunter2@host/0"),
        ("token_store", {"access": "hunter2"}),
        pytest.param("token_store", HUGE, id="token_store-huge"),
        ("guards", ["9841234567"]),
        ("guards", "hunter2"),
        pytest.param("guards", HUGE, id="guards-huge"),
    ],
)
def test_an_object_of_another_type(session: Any, name: str, value: Any) -> None:
    """An option that must be an object names the type of what is given instead, and never its value."""
    said = rf"`{name}` must be an object such as `.*`, not {type(value).__name__}\.$"
    with pytest.raises(UsageError, match=said) as caught:
        session(email="e", password="p", **{name: value})
    assert "hunter2" not in str(caught.value)
    assert "4567" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Guards(max_recipients=-HUGE), "`max_recipients` is a number of about 5001 digits"),
        (lambda: Guards(max_recipients=HUGE), "`max_recipients` is a number of about 5001 digits"),
        (lambda: Guards(max_credits=HUGE, prices=Prices(per_call=1)), "`max_credits` is a number of about"),
        (lambda: Guards(max_credits=[HUGE], prices=Prices(per_call=1)), "`max_credits` is a value of the type list"),  # type: ignore[arg-type]
        (lambda: Prices(per_call=HUGE), "`per_call` is a number of about 5001 digits"),
        (lambda: Prices(per_call=Decimal("1e999999")), "`per_call` is Decimal"),
        (lambda: Prices(per_call=Decimal("sNaN")), "`per_call` is Decimal"),
        (lambda: Prices(per_sms_part=float("nan")), "`per_sms_part` is nan"),
        (lambda: RedisRateLimit("redis://h", per_second=1, name=HUGE), "`name` must be .* not a number of"),  # type: ignore[arg-type]
        (lambda: RedisRateLimit("redis://h", per_second=1, name="\ud800"), "`name` must be"),
        (lambda: PostgresRateLimit("host=h", per_second=1, name="\ud800"), "`name` must be"),
        (lambda: PostgresTokenStore("host=h", key="\ud800"), "`key` must be"),
        (lambda: RedisTokenStore("redis://h", key="\ud800"), "`key` must be"),
        (lambda: Timeout(total=Decimal("sNaN")), "total=Decimal"),  # type: ignore[arg-type]
        (lambda: RetryPolicy(max_retry_after=Decimal("sNaN")), "`max_retry_after` must be"),  # type: ignore[arg-type]
        (lambda: OpenTelemetryListener(5), "`provider` must be a tracer provider, not int"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_cannot_be_shown(make: Any, said: str) -> None:
    """A number too large to show, a signalling NaN and half a character are refused by name, as any other value."""
    with pytest.raises(UsageError, match=said):
        make()


@pytest.mark.parametrize("rate", ["host=db password=hunter2", ["hunter2"], {"dsn": "hunter2"}])
def test_what_is_no_rate(rate: Any) -> None:
    """A rate that is neither a number nor a limit is named by its type: it may hold a password."""
    with pytest.raises(UsageError, match=rf"`rate` must be .*, not {type(rate).__name__}\.$"):
        TingTing(api_token="t", rate=rate)


@pytest.mark.parametrize("listener", [None, 5, "x", ["print"]])
def test_what_is_no_listener(listener: Any) -> None:
    """`subscribe` refuses what cannot be called, and names its type."""
    tingting = TingTing(api_token="t")
    with pytest.raises(UsageError, match=f"`listener` must be a function .*, not {type(listener).__name__}"):
        tingting.subscribe(listener)


@pytest.mark.parametrize("index", [pytest.param(HUGE, id="huge"), pytest.param(slice(HUGE), id="slice"), 0])
def test_an_item_of_a_list(index: Any) -> None:
    """A paginator says that it has no items by index, whatever the index is."""
    pages: Any = TingTing(api_token="t").campaigns.list()
    with pytest.raises(TypeError, match="A paginator has no item"):
        pages[index]
