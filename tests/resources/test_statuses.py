"""What the statuses of recipients say."""

from typing import Any

import pytest

import tingting_async
import tingting_async.v1

STATUSES = {
    "not started": (False, False),
    "dialing": (False, False),
    "ringing": (False, False),
    "answered": (False, True),
    "hungup": (True, True),
    "unanswered": (True, False),
    "failed": (True, False),
    "terminated": (True, False),
    "completed": (True, True),
}
"""Whether each status is final, and whether the recipient was reached."""


@pytest.mark.parametrize("kind", [tingting_async.NumberStatus, tingting_async.Outcome, tingting_async.v1.ContactStatus])
def test_every_status(kind: Any) -> None:
    """Every status says whether it is final, and whether the recipient was reached."""
    assert STATUSES == {status.value: (status.is_final, status.was_reached) for status in kind}


@pytest.mark.parametrize("value", ["queued", "Completed", "", "completed "])
def test_unknown_statuses(value: str) -> None:
    """An unknown status is neither final nor reached."""
    status = tingting_async.v1.ContactStatus(value)
    assert (value, False, False) == (status, status.is_final, status.was_reached)
