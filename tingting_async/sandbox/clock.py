"""A clock that tests can move."""

import math
import time
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import cast

from tingting_async.sandbox.changes import Changes
from tingting_async.sandbox.events import Event

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")
_MOST_AHEAD = 100 * 365.25 * 86_400
"""How many seconds the clock can be ahead of this machine's: 100 years. A date has to be within the year 9999."""
_FASTEST = 1_000_000


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
        self._speed = checked_speed(speed)
        self._ahead, self._since = 0.0, time.time()
        """How far the clock was ahead of this machine's, and since when it has run at its present speed."""

    def now(self) -> float:
        """Return the time in Unix seconds. It is at most 100 years ahead of this machine's."""
        with self._lock:  # Otherwise, another thread could change the speed between reading it and the time.
            return self._now(time.time())

    def _now(self, machine: float) -> float:
        return machine + min(self._ahead + (machine - self._since) * (self._rate - 1), _MOST_AHEAD)

    @property
    def _rate(self) -> float:
        """How many seconds pass in a second."""
        return 1.0 if self._speed == math.inf else self._speed

    @property
    def end(self) -> float:
        """The latest time that the clock can be set to at present, in Unix seconds."""
        return time.time() + _MOST_AHEAD

    @property
    def speed(self) -> float:
        """How many seconds pass in a second of this machine: 1.0 is real time, 60.0 a minute in a second.

        With `math.inf`, a served sandbox moves the clock from one timer to the next as long as there is one, so that
        campaigns run to their end, scheduled ones too, as fast as the machine can. Otherwise the clock runs in real
        time. The highest speed apart from `math.inf` is 1,000,000.
        """
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        speed = checked_speed(speed)
        with self._lock:
            self._settle(0.0)
            self._speed = speed
        self._note()

    def advance(self, seconds: float) -> None:
        """Move the clock forward: campaigns progress, schedules come due, tokens expire.

        Args:
            seconds: How far to move the clock; at least 0. The clock can be up to 100 years ahead of this machine's.

        Raises:
            ValueError: `seconds` is not valid, or too much.
        """
        if not 0 <= seconds < math.inf:
            problem = "the clock cannot go back" if seconds < 0 else "that is not a time"
            raise ValueError(f"advance(seconds={seconds}): {problem}; give at least 0.")
        with self._lock:
            machine = time.time()
            if self._now(machine) + seconds > machine + _MOST_AHEAD:
                raise ValueError(
                    f"advance(seconds={seconds}): the clock would be more than 100 years ahead of this machine's; "
                    "give less, or reset the sandbox."
                )
            self._settle(seconds)
        self._note()

    def advance_to(self, at: float) -> None:
        """Move the clock forward to a time in Unix seconds. If it has passed, the clock stays as it is.

        Args:
            at: The time. After `end`, the clock is moved to `end`.
        """
        with self._lock:
            self._settle(max(0.0, at - self._now(time.time())))
        self._changes.note()

    def reset(self, ahead: float = 0.0) -> None:
        """Set the clock to the time of this machine, or this many seconds ahead of it. Its speed stays.

        Args:
            ahead: How many seconds; at most 100 years are taken.
        """
        with self._lock:
            self._ahead, self._since = max(-_MOST_AHEAD, min(ahead, _MOST_AHEAD)), time.time()
        self._note()

    def seconds_until(self, at: float) -> float:
        """Return how many seconds of this machine pass until the clock shows a time."""
        return (at - self.now()) / self._rate

    def _settle(self, seconds: float) -> None:
        """Move the clock, and count its speed from now on."""
        machine = time.time()
        self._ahead, self._since = min(self._now(machine) - machine + seconds, _MOST_AHEAD), machine

    def _note(self) -> None:
        self._changes.note()
        self.wake.set()

    def iso(self, at: float | None = None) -> str:
        """Return a time as the service writes it: ISO 8601 with Nepal's UTC offset.

        Args:
            at: Unix seconds; None for now.
        """
        return datetime.fromtimestamp(self.now() if at is None else at, KATHMANDU).isoformat()


def checked_speed(speed: float) -> float:
    """Return a speed of the clock.

    Raises:
        ValueError: It is not valid.
    """
    if not isinstance(cast("object", speed), int | float) or isinstance(speed, bool):
        problem = "it must be a number greater than 0, or math.inf"
        raise ValueError(f"speed={speed!r} is not valid: {problem}.")  # noqa: TRY004 - as all settings do
    if not (0 < speed <= _FASTEST or speed == math.inf):
        raise ValueError(
            f"speed={speed} is not valid: it must be greater than 0, up to {_FASTEST}; math.inf is as fast as possible."
        )
    return float(speed)
