"""The sandbox's clock."""

import pytest

from tingting_async.sandbox import Clock


def test_advance() -> None:
    """The clock moves forward by the given seconds."""
    clock = Clock()
    before = clock.now()
    clock.advance(3600)
    assert clock.now() >= before + 3600


def test_never_back() -> None:
    """The clock cannot be moved back."""
    with pytest.raises(ValueError, match="back"):
        Clock().advance(-1)


def test_iso_is_nepals_time() -> None:
    """Times are written with Nepal's UTC offset."""
    assert Clock().iso(0) == "1970-01-01T05:45:00+05:45"
