"""Reads the clocks: this machine's, and the service's by the `Date` of its latest response."""

import functools
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tingting_async.outcomes import Clocks

Dated = tuple[Mapping[str, str], float, float, float]
"""A response: its headers; when its request started and when it was received, in seconds of the monotonic clock; and
when it was received in Unix seconds. A tuple, because each response makes one."""


def read_clocks(latest: Dated | None) -> Clocks:
    """Read the clocks now.

    Args:
        latest: The latest response of the service; None if there was none.
    """
    return _clocks_at(latest, time.time(), time.monotonic())


def note_clocks(latest: Dated | None) -> Callable[[], Clocks]:
    """Return a function that returns the present times of the clocks, whenever it is called.

    Every send notes the clocks, and few ever need them: computing the service's time takes a twentieth of a send.
    """
    return functools.partial(_clocks_at, latest, time.time(), time.monotonic())


def _clocks_at(latest: Dated | None, wall: float, monotonic: float) -> Clocks:
    local = datetime.fromtimestamp(wall, UTC)
    service = None if latest is None else _service_time(latest, wall, monotonic)
    return Clocks(local, None if service is None else datetime.fromtimestamp(service, UTC), monotonic)


def _service_time(latest: Dated, wall: float, monotonic: float) -> float | None:
    headers, requested, received, received_at = latest
    date, passed = _date(headers), monotonic - received
    if date is None or abs(wall - received_at - passed) > 1:  # The clock was set since, or the machine slept.
        return None
    # The service wrote the date, without fractions of a second, at some time while the request was under way.
    last = date + 1 + max(passed, monotonic - requested)
    return wall if date + passed <= wall <= last else last


def _date(headers: Mapping[str, str]) -> float | None:
    if "Age" in headers:  # The response is from a cache, and its date is old.
        return None
    return _parse(headers.get("Date", ""))


@functools.lru_cache(maxsize=16)  # Parsing takes most of the time, and all responses of a second have the same date.
def _parse(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.timestamp() if date.tzinfo is not None and 2000 < date.year < 9000 else None
