"""The rate limit of one session."""

import math
from collections.abc import Sequence
from time import monotonic
from typing import Any

from tingting_async.errors import UsageError
from tingting_async.quantities import shown

_LEAST = 1e-9
"""The lowest rate, one request in thirty years; its inverse is the highest. Spacings then stay finite, and above 0."""


def seconds_between(per_second: Any, argument: str) -> float:
    """Return the seconds between two requests at a rate.

    Args:
        per_second: The number of requests per second.
        argument: The name of the argument that gave the rate, for the error.

    Raises:
        UsageError: The rate is not a number above 0, or is out of range.
    """
    if type(per_second) not in (int, float) or not 0 < per_second < math.inf:
        raise UsageError(f"`{argument}` must be a number of requests per second above 0, not {shown(per_second)}.")
    if not _LEAST <= per_second <= 1 / _LEAST:
        raise UsageError(f"`{argument}` must be a number of requests per second from {_LEAST:g} to {1 / _LEAST:g}.")
    return float(1 / per_second)


class LocalRateLimit:
    """Spaces requests evenly, so that no second contains more of them than any other.

    This is the generic cell rate algorithm (GCRA) without a burst: each reservation moves the next free moment on.

    Args:
        interval: The seconds between two requests.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._free_at = 0.0

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Reserve a moment for each of several requests, as `RateLimit.reserve` says."""
        now = monotonic()
        waits: list[float | None] = []
        for limit in limits:
            wait = max(self._free_at - now, 0.0)
            if wait <= limit:
                self._free_at = now + wait + self._interval
            waits.append(wait if wait <= limit else None)
        return waits
