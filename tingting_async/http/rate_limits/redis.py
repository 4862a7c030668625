"""A rate limit in Redis, for the processes of several machines."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from tingting_async.errors import NotSentError, UsageError
from tingting_async.http.rate_limits.local import seconds_between
from tingting_async.http.rate_limits.shared import KEPT, SharedRate
from tingting_async.quantities import NAME, SECONDS, is_name, is_seconds, shown
from tingting_async.redis import RedisBacked, RedisFailedError
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from redis.asyncio import Redis

_RESERVE = """
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local spacing, own, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local free, seen = string.match(redis.call("GET", KEYS[1]) or "", "^(%d+) (%d+)$")
free, seen = tonumber(free or now), tonumber(seen or now)
if now < seen then free = free - (seen - now) end
if free > now then own = own - 100000 end
free = math.max(free, now + own)
local slowest = math.max(tonumber(redis.call("GET", KEYS[2]) or "") or 0, spacing)
local waits = {}
for index = 4, #ARGV do
  local wait = math.ceil(free - now)
  if wait <= tonumber(ARGV[index]) then free = free + slowest else wait = -1 end
  waits[index - 3] = wait
end
local expiry = string.format("%.0f", (free - now + kept) / 1000)
redis.call("SET", KEYS[1], string.format("%.0f %.0f", free, now), "PX", expiry)
if slowest == spacing then redis.call("SET", KEYS[2], ARGV[1], "PX", expiry) end
waits[#ARGV - 2] = string.format("%.17g", slowest)
return waits
"""
"""Reserves a moment for each request whose limit it keeps; all times are in microseconds, by the clock of the server.

The first key holds the next free moment, and when that was written. If the clock was set back since then, the moment
moves back with it. `own` is the time until the next free moment that the caller knows of: if the key was lost, or the
clock was set forward, it takes the place of the key. Otherwise both agree, apart from the time that commands need to
arrive, and `own` counts only if it is later by more than a tenth of a second.

The second key holds the spacing of the slowest process. It expires some time (`kept`) after the last moment that a
process of this spacing has reserved. The slowest spacing is returned after the waits.
"""

_LONGEST = 10**9
"""The longest limit of a request that is sent to Redis, in seconds."""


class RedisRateLimit(RedisBacked):
    """The number of requests per second of all sessions that share a Redis server, on any number of machines.

    ::

        async with RedisRateLimit("redis://localhost:6379/0", per_second=20) as limit:
            async with TingTing(email="…", password="…", rate=limit) as tingting: ...

    This needs `redis` (the extra `redis`). Requests are evenly spaced by the clock of the server, first come first
    served. A reservation is one round trip, which all waiting requests of a session share. If a process
    ends, the moments that were reserved for its waiting requests are lost.

    If Redis does not respond, or refuses, the requests that wait raise a `NotSentError` whose `phase` is `"rate"`.

    With a URL, the limit may be used in several event loops, threads and forked processes. Your own client belongs to
    one event loop.

    Args:
        client: Your own `redis.asyncio.Redis`, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        per_second: The number of requests per second. Give the same in all processes that share the limit: otherwise
            all use the slowest rate, and the other processes log a warning.
        name: The name of the limit. Sessions with the same name share it; use one for each account.
        timeout: Seconds after which a reservation fails if Redis does not respond.

    Raises:
        UsageError: An argument is not valid, or `redis` is not installed.
    """

    @short_traceback
    def __init__(
        self, client: "Redis | str", *, per_second: float, name: str = "default", timeout: float = 5.0
    ) -> None:
        if not is_name(name):
            raise UsageError(f"`name` must be the name of the limit: {NAME}; not {shown(name)}.")
        if not is_seconds(timeout):
            raise UsageError(f"`timeout` must be {SECONDS}, not {shown(timeout)}.")
        self._rate = SharedRate(f"{type(self).__name__} {name!r}", seconds_between(per_second, "per_second"))
        self._name = name
        try:
            super().__init__(client, timeout=timeout)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(str(error)) from None

    def __repr__(self) -> str:  # Without the URL, which may contain a password.
        return f"<{type(self).__name__} name={self._name!r} per_second={self._rate.per_second}>"

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Reserve a moment for each of several requests, as `RateLimit.reserve` says.

        Raises:
            NotSentError: Redis does not respond, or refuses.
        """
        started = sent = monotonic()

        async def reserve(client: "Redis") -> list[Any]:
            nonlocal sent
            sent = monotonic()
            patience = [_microseconds(min(limit - (sent - started), _LONGEST)) for limit in limits]
            own = _microseconds(self._rate.time_until_free(sent))
            key = f"tingting:rate:{self._name}"
            keys = (key, f"tingting:spacing:{{{key}}}")  # A cluster keeps both on the same server, for the braces.
            arguments = (self._rate.spacing * 1e6, own, _microseconds(KEPT), *patience)
            response: list[Any] = await cast("Any", client).eval(_RESERVE, len(keys), *keys, *arguments)
            return response

        try:
            *found, spacing = await self._execute(reserve)
        except RedisFailedError as error:
            text, cause = str(error), error.__cause__
        else:
            waits = [None if wait < 0 else wait / 1e6 for wait in found]
            self._rate.note(sent, waits, float(spacing) / 1e6)
            return waits
        raise NotSentError(f"the limit {self._name!r} in Redis could not be reserved: {text}", phase="rate") from cause


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
