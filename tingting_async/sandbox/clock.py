"""A clock that tests can move."""

import time
from datetime import datetime, timedelta, timezone
from threading import Lock

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")


class Clock:
    """The sandbox's time: the time of this machine plus an offset that tests increase."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._lock = Lock()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward: campaigns progress, schedules come due, tokens expire.

        Args:
            seconds: How far to move the clock; at least 0.
        """
        if seconds < 0:
            raise ValueError(f"advance(seconds={seconds}): the clock cannot go back; give at least 0.")
        with self._lock:
            self._offset += seconds

    def iso(self, at: float | None = None) -> str:
        """Return a time as the service writes it: ISO 8601 with Nepal's UTC offset.

        Args:
            at: Unix seconds; None for now.
        """
        return datetime.fromtimestamp(self.now() if at is None else at, KATHMANDU).isoformat()
