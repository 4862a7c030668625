"""What became of a request whose answer was lost: what `OutcomeUnknownError.reconcile` finds out."""

import enum
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import attrs


class Verdict(enum.Enum):
    """Whether something happened."""

    DONE = "done"
    """It happened: do not do it again."""
    NOT_DONE = "not done"
    """It did not happen: it is safe to do it again."""
    UNKNOWN = "unknown"
    """The service has nothing from which that can be told."""


@attrs.frozen
class Finding:
    """What was found out."""

    verdict: Verdict
    why: str
    """From what it was told, in words."""
    result: Any = attrs.field(default=None, repr=False)
    """What was found: the campaign, the contact, the one-time password, the line; None where nothing was."""


Find = Callable[[datetime | None], Awaitable[Finding]]
"""Finds out whether something happened since then; None for since the request was made."""


def by_presence(found: Any, what: str) -> Finding:
    """Tell by whether the thing is there."""
    if found is None:
        return Finding(Verdict.NOT_DONE, f"{what} is not there.")
    return Finding(Verdict.DONE, f"{what} is there.", found)
