"""The time limits of a call."""

import asyncio
from typing import Any

import attrs

from tingting_async.errors import MisuseError, UsageError
from tingting_async.quantities import SECONDS, is_seconds, shown


@attrs.frozen
class Timeout:
    """The time limits of a call, in seconds; None means no limit but `total`.

    Attributes:
        pool: The wait for a free slot (`max_in_flight`), and for the rate limit (`rate`).
        connect: Name lookup, TCP and TLS.
        attempt: One attempt, from its start to the last byte of the response.
        total: The whole call, including signing in, retries and backoff.
    """

    pool: float | None = 60.0
    connect: float | None = 10.0
    attempt: float | None = 30.0
    total: float = 120.0

    @classmethod
    def of(cls, value: "Timeout | float") -> "Timeout":
        """Convert a number to a `Timeout` with that `total`.

        Raises:
            UsageError: The value is neither a `Timeout` nor a number above 0.
        """
        if isinstance(value, Timeout):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"`timeout` must be a Timeout or a number of seconds, not {type(value).__name__}.")
        if not is_seconds(value, endless=True):
            raise UsageError(f"`timeout` is {shown(value)}; it must be {SECONDS}.")
        return cls(total=float(value))

    def at_least(self, seconds: float) -> "Timeout":
        """Return the same limits, with at least this many seconds for `attempt` and `total`."""
        attempt = None if self.attempt is None else max(self.attempt, seconds)
        return attrs.evolve(self, attempt=attempt, total=max(self.total, seconds))

    def __attrs_post_init__(self) -> None:
        """Refuse limits that no call can keep."""
        for name in ("pool", "connect", "attempt", "total"):
            seconds: Any = getattr(self, name)
            if seconds is None and name != "total":
                continue
            if not is_seconds(seconds, endless=True):
                raise UsageError(f"`timeout`: {name}={shown(seconds)} is invalid: it must be {SECONDS}.")


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        MisuseError: There is none: the caller runs under trio, or outside an event loop.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise MisuseError(
            "No asyncio event loop is running here. TingTing sessions work on asyncio and uvloop, not on trio: "
            "start your program with `asyncio.run(main())` or `anyio.run(main)`."
        ) from None
