"""Iterators, which can be read only once: whoever reads one again gets only the rest of its rows, or none."""

from collections.abc import AsyncIterator, Iterator
from inspect import isasyncgen, isgenerator


def was_begun(given: object) -> bool:
    """Return whether a generator has yielded something or has ended, so that rows would be missing.

    Other iterators do not show that: for those, the answer is always False.
    """
    if isgenerator(given) or isasyncgen(given):
        kind = "gi" if isgenerator(given) else "ag"
        return getattr(given, f"{kind}_frame") is None or getattr(given, f"{kind}_suspended", False)
    return False


def hides_its_past(given: object) -> bool:
    """Return whether something is an iterator that does not show whether it was read: it may be, if it has no rows."""
    is_generator = isgenerator(given) or isasyncgen(given)
    return isinstance(given, Iterator | AsyncIterator) and not is_generator
