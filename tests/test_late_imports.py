"""What is imported on first use, and cannot be imported."""

import pytest

from tingting_async import NotSentError, TingTingError
from tingting_async.late_imports import loading


def fail() -> None:
    raise OSError(24, "Too many open files")


def test_import_before_a_send() -> None:
    """If an operation cannot be imported, the error says that nothing was sent."""
    with pytest.raises(NotSentError, match=r"`contacts` cannot be loaded .* so nothing was sent") as caught:
        with loading("contacts"):
            fail()
    assert caught.value.operation == "contacts"


def test_import_that_may_follow_a_send() -> None:
    """If something else cannot be imported, a send may have come before it, so the error does not speak of sends."""
    with pytest.raises(TingTingError, match=r"`JobResult\.write` cannot be loaded") as caught:
        with loading("JobResult.write", is_before_send=False):
            fail()
    assert type(caught.value) is TingTingError
    assert "sent" not in str(caught.value)
