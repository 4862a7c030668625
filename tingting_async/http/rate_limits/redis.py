"""A rate limit in Redis, for the processes of several machines."""

import math
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from tingting_async.errors import NotSentError, UsageError
from tingting_async.http.rate_limits.local import seconds_between
from tingting_async.redis import RedisBacked, RedisFailedError
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from redis.asyncio import Redis

_RESERVE = """
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local interval, own = tonumber(ARGV[1]), tonumber(ARGV[2])
local free, seen = string.match(redis.call("GET", KEYS[1]) or "", "^(%d+) (%d+)$")
free, seen = tonumber(free or now), tonumber(seen or now)
if now < seen then free = free - (seen - now) end
if free > now then own = own - 100000 end
free = math.max(free, now + own)
local waits = {}
for index = 3, #ARGV do
  local wait = math.ceil(free - now)
  if wait <= tonumber(ARGV[index]) then free = free + interval else wait = -1 end
  waits[index - 2] = wait
end
local expiry = string.format("%.0f", (free - now) / 1000 + 60000)
redis.call("SET", KEYS[1], string.format("%.0f %.0f", free, now), "PX", expiry)
return waits
"""
"""Reserves a moment for each request whose limit it keeps; all times are in microseconds, by the clock of the server.

The key holds the next free moment, and when that was written. If the clock was set back since then, the moment moves
back with it. `own` is the time until the next free moment that the caller knows of: if the key was lost, or the clock
was set forward, it takes the place of the key. Otherwise both agree, apart from the time that commands need to arrive,
and `own` counts only if it is later by more than a tenth of a second.
"""

_LONGEST = 10**9
"""The longest limit of a request that is sent to Redis, in seconds."""


class RedisRateLimit(RedisBacked):
    """The number of requests per second of all sessions that share a Redis server, on any number of machines.

    ::

        async with RedisRateLimit("redis://localhost:6379/0", per_second=20) as limit:
            async with TingTing(email="…", password="…", rate=limit) as tingting: ...

    This needs `redis` (the extra `redis`). Requests are evenly spaced by the clock of the server, first come first
    served. A reservation is one round trip, which all requests of a session share that wait at the same time. If a
    process ends, the moments that were reserved for its waiting requests are lost.

    If Redis does not respond or refuses, the requests that wait raise a `NotSentError` whose `phase` is `"rate"`.

    With a URL, the limit may be used in several event loops, threads and forked processes. A client of your own belongs
    to one event loop.

    Args:
        client: A `redis.asyncio.Redis` of your own, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        per_second: The number of requests per second, the same for all that share the limit.
        name: The name of the limit. Sessions with the same name share it; use one for each account.
        timeout: Seconds after which a reservation fails if Redis does not respond.

    Raises:
        UsageError: An argument is not valid, or `redis` is not installed.
    """

    @short_traceback
    def __init__(
        self, client: "Redis | str", *, per_second: float, name: str = "default", timeout: float = 5.0
    ) -> None:
        if not isinstance(name, str) or not name:
            raise UsageError(f"`name` must be the name of the limit: a string that is not empty, not {name!r}.")
        if type(timeout) not in (int, float) or not 0 < timeout < math.inf:
            raise UsageError(f"`timeout` must be a number of seconds above 0, not {timeout!r}.")
        self._interval = seconds_between(per_second, "per_second")
        self._name = name
        try:
            super().__init__(client, timeout=timeout)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._free_at = 0.0
        """The next free moment that this object knows of, by the monotonic clock of this machine."""

    def __repr__(self) -> str:  # Without the URL, which may contain a password.
        return f"<{type(self).__name__} name={self._name!r} per_second={1 / self._interval:g}>"

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Reserve a moment for each of several requests, as `RateLimit.reserve` says.

        Raises:
            NotSentError: Redis does not respond, or refuses.
        """
        started = sent = monotonic()

        async def reserve(client: "Redis") -> list[int]:
            nonlocal sent
            sent = monotonic()
            patience = [_microseconds(min(limit - (sent - started), _LONGEST)) for limit in limits]
            own = _microseconds(max(self._free_at - sent, 0.0))
            arguments = (f"tingting:rate:{self._name}", self._interval * 1e6, own, *patience)
            waits: list[int] = await cast("Any", client).eval(_RESERVE, 1, *arguments)
            return waits

        try:
            waits = [None if wait < 0 else wait / 1e6 for wait in await self._execute(reserve)]
        except RedisFailedError as error:
            text, cause = str(error), error.__cause__
        else:
            # Counted from the request, not from the response: a slow connection must not slow down all others.
            self._free_at = max([self._free_at, *(sent + wait + self._interval for wait in waits if wait is not None)])
            return waits
        raise NotSentError(f"the limit {self._name!r} in Redis could not be reserved: {text}", phase="rate") from cause


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
