"""What a process knows about a rate that it shares with others."""

import logging
from collections.abc import Sequence
from contextlib import suppress

from tingting_async.redaction import redact

_log = logging.getLogger("tingting_async")

KEPT = 600
"""Seconds for which the rate of a slower process is kept after its last reserved moment."""


class SharedRate:
    """What a process knows about a rate that it shares: what it has reserved itself, and the slowest rate of all.

    The server keeps the spacing of the slowest process, and all processes use it: two processes that state different
    rates would otherwise send at some rate between the two.

    Args:
        what: The limit, for the warning.
        spacing: The seconds between two requests that this process states.
    """

    def __init__(self, what: str, spacing: float) -> None:
        self.spacing: float = spacing
        self._what = what
        self._free_at = 0.0
        self._has_warned = False

    @property
    def per_second(self) -> str:
        """The rate that this process states, as a text."""
        return _rate(self.spacing)

    def time_until_free(self, now: float) -> float:
        """Return the seconds from now, by the monotonic clock, to the next free moment that this process knows of."""
        return max(self._free_at - now, 0.0)

    def note(self, sent: float, waits: Sequence[float | None], spacing: float) -> None:
        """Note a reservation, and log a warning if another process states a lower rate.

        Args:
            sent: When the reservation was sent, by the monotonic clock. The moments count from then, not from the
                response: a slow connection must not slow down all others.
            waits: The seconds until the moments that were reserved; None for those that were not.
            spacing: The seconds between two requests of the slowest process.
        """
        self._free_at = max([self._free_at, *(sent + wait + spacing for wait in waits if wait is not None)])
        if spacing > self.spacing and not self._has_warned and _rate(spacing) != self.per_second:
            self._has_warned = True
            with suppress(Exception):  # Log filters and handlers may raise; the request must get its moment.
                _log.warning(
                    "%s: this process states per_second=%s, but another one that shares the limit states "
                    "per_second=%s. All keep to %s requests per second, the slowest rate. State the same `per_second` "
                    "in all processes; if they send for different accounts, give each account's limit its own `name`. "
                    "The slower rate lapses %d minutes after its last request.",
                    redact(self._what),
                    self.per_second,
                    _rate(spacing),
                    _rate(spacing),
                    KEPT // 60,
                )


def _rate(spacing: float) -> str:
    return f"{1 / spacing:g}"
