"""How long to wait."""

from typing import Any

import attrs

from tingting_async.errors import UsageError


@attrs.frozen
class Timeout:
    """How long to wait, all in seconds. None means for ever, but for the whole call.

    One attempt ends after `connect` if it could not connect by then, and after `attempt` at the latest.
    """

    pool: float | None = 60.0
    """For a place among the requests in flight (`max_in_flight`)."""
    connect: float | None = 10.0
    """For name look-up, TCP and TLS."""
    attempt: float | None = 30.0
    """For one attempt, from its start to the last byte of the answer."""
    total: float = 120.0
    """For the whole call: signing in, repeats and their pauses included."""

    @classmethod
    def of(cls, value: "Timeout | float") -> "Timeout":
        """Read a number as the limit of the whole call.

        Raises:
            UsageError: It is no number, or no time at all.
        """
        if isinstance(value, Timeout):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"`timeout` has to be a Timeout or a number of seconds, not {type(value).__name__}.")
        return cls(total=float(value))

    def __attrs_post_init__(self) -> None:
        """Refuse limits that no call can keep."""
        for name in ("pool", "connect", "attempt", "total"):
            seconds: Any = getattr(self, name)
            if seconds is None and name != "total":
                continue
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
                raise UsageError(f"`timeout`: {name}={seconds!r}; it has to be more than 0 seconds.")
