"""How the templates show times, numbers, addresses and faults."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from tingting_async.sandbox.clock import KATHMANDU
from tingting_async.sandbox.faults import Fault

_DEVANAGARI = re.compile(r"[\u0900-\u097f]")


def grouped(number: int) -> str:
    """Return a number with separators between thousands."""
    return f"{number:,}"


def iso(at: float) -> str:
    """Return a time in ISO 8601, in whole seconds."""
    return _local(at).isoformat(timespec="seconds")


def long_time(at: float) -> str:
    """Return a time with its date."""
    return f"{_local(at):%d %b %Y, %H:%M:%S}"


def short_time(at: float, now: float) -> str:
    """Return a time, with its date if that is not the date of `now`."""
    local = _local(at)
    return f"{local:%H:%M:%S}" if local.date() == _local(now).date() else f"{local:%d %b, %H:%M}"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, KATHMANDU)


def is_nepali(text: str) -> bool:
    """Return whether a text has a Devanagari letter."""
    return _DEVANAGARI.search(text) is not None


def address(query: Mapping[str, object]) -> str:
    """Return the page's address with a query, without the parameters that are empty."""
    given = {name: value for name, value in query.items() if value not in ("", None)}
    return f"/?{urlencode(given, errors='replace')}" if given else "/"


def strikes(fault: Fault) -> str:
    """Return when a fault strikes, in words."""
    left = None if fault.times is None else fault.times - fault.count
    which = "every request" if left is None else "the next request" if left == 1 else f"the next {left} requests"
    if fault.nth is not None:
        which = f"matching request {fault.nth}"
    target = " ".join(part for part in (fault.method, fault.path) if part != "*")
    limits = [
        *([f"to {target}"] if target else []),
        *([f"with the query {fault.query!r}"] if fault.query is not None else []),
        *(["with a condition of its own"] if fault.where is not None else []),
    ]
    return " ".join((which, *limits))


def took(seconds: float | None) -> str:
    """Return how long a request took; nothing while it is being served."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
