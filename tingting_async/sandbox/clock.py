"""A clock that tests can move."""

import time
from datetime import datetime, timedelta, timezone
from threading import Lock

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")


class Clock:
    """The sandbox's time: this machine's, plus whatever it was moved on by."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._lock = Lock()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move on: campaigns run, schedules come due, tokens expire.

        Args:
            seconds: How far; never back.
        """
        if seconds < 0:
            raise ValueError(f"seconds={seconds}: time does not go back.")
        with self._lock:
            self._offset += seconds

    def iso(self, at: float | None = None) -> str:
        """Return a time as the service writes it, in Nepal."""
        return datetime.fromtimestamp(self.now() if at is None else at, KATHMANDU).isoformat()
