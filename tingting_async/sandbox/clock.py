"""A clock that tests can move."""

import math
import time
from datetime import datetime, timedelta, timezone
from threading import Lock

from tingting_async.sandbox.changes import Changes
from tingting_async.sandbox.events import Event

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")


class Clock:
    """The sandbox's time. It starts with the time of this machine; tests move it forward and set its speed.

    Args:
        speed: See `Clock.speed`.
        changes: Counts the changes of the clock.
    """

    def __init__(self, speed: float = 1.0, *, changes: Changes | None = None) -> None:
        self.wake: Event = Event()
        """Set when the clock was moved, or when there is a new timer: the next timer may be due earlier than before."""
        self._changes = changes or Changes()
        self._lock = Lock()
        self._speed = _checked_speed(speed)
        self._state = (0.0, time.time())
        """How far the clock is ahead of this machine's, and since when it has run at its present speed."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        ahead, since = self._state
        machine = time.time()
        return machine + ahead + (machine - since) * (self._rate - 1)

    @property
    def _rate(self) -> float:
        """How many seconds pass in a second."""
        return 1.0 if self._speed == math.inf else self._speed

    @property
    def speed(self) -> float:
        """How many seconds pass in a second of this machine: 1.0 is real time, 60.0 a minute in a second.

        With `math.inf`, a served sandbox moves the clock from one timer to the next as long as there is one, so that
        campaigns run to their end, scheduled ones too, as fast as the machine can. Otherwise the clock runs in real
        time.
        """
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        _checked_speed(speed)
        with self._lock:
            self._settle(0.0)
            self._speed = float(speed)
        self._note()

    def advance(self, seconds: float) -> None:
        """Move the clock forward: campaigns progress, schedules come due, tokens expire.

        Args:
            seconds: How far to move the clock; at least 0.
        """
        if not 0 <= seconds < math.inf:
            problem = "the clock cannot go back" if seconds < 0 else "that is no time"
            raise ValueError(f"advance(seconds={seconds}): {problem}; give at least 0.")
        with self._lock:
            self._settle(seconds)
        self._note()

    def advance_to(self, at: float) -> None:
        """Move the clock forward to a time in Unix seconds. If it has passed, the clock stays as it is."""
        with self._lock:
            self._settle(max(0.0, at - self.now()))
        self._changes.note()

    def reset(self, ahead: float = 0.0) -> None:
        """Set the clock to the time of this machine, or so many seconds ahead of it. Its speed stays."""
        with self._lock:
            self._state = (ahead, time.time())
        self._note()

    def seconds_until(self, at: float) -> float:
        """Return how many seconds of this machine pass until the clock shows a time."""
        return (at - self.now()) / self._rate

    def _settle(self, seconds: float) -> None:
        """Move the clock, and count its speed from now on."""
        ahead, since = self._state
        machine = time.time()
        self._state = (ahead + (machine - since) * (self._rate - 1) + seconds, machine)

    def _note(self) -> None:
        self._changes.note()
        self.wake.set()

    def iso(self, at: float | None = None) -> str:
        """Return a time as the service writes it: ISO 8601 with Nepal's UTC offset.

        Args:
            at: Unix seconds; None for now.
        """
        return datetime.fromtimestamp(self.now() if at is None else at, KATHMANDU).isoformat()


def _checked_speed(speed: float) -> float:
    if not speed > 0:
        raise ValueError(f"speed={speed} is not valid: it must be greater than 0; math.inf is as fast as possible.")
    return float(speed)
