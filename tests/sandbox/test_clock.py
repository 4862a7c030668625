"""The sandbox's clock."""

import math
import time

import pytest

from tingting_async.sandbox import Clock, Sandbox


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


def test_advance_to() -> None:
    """The clock can be moved forward to a time, and never back to one."""
    clock = Clock()
    clock.advance_to(clock.now() + 3600)
    before = clock.now()
    clock.advance_to(0)
    assert 3590 < before - time.time() <= 3600
    assert before <= clock.now()


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
def test_a_time_that_is_none(seconds: float) -> None:
    """The clock cannot be moved by what is no number of seconds."""
    with pytest.raises(ValueError, match="no time"):
        Clock().advance(seconds)


def test_speed() -> None:
    """At a speed of 10,000, ten thousand seconds pass in a second, whatever the clock showed before."""
    clock = Clock()
    clock.advance(50)
    start, machine = clock.now(), time.time()
    clock.speed = 10_000
    passed, real = clock.now() - start, time.time() - machine
    assert passed <= 10_000 * real
    while clock.now() - start < 100:
        pass
    assert 0.01 <= time.time() - machine + 0.001
    clock.speed = 1
    assert clock.now() >= start + 100


def test_reset() -> None:
    """A reset takes the clock back to the time of this machine, and leaves its speed."""
    clock = Clock(0.5)
    clock.advance(3600)
    clock.reset()
    assert abs(clock.now() - time.time()) < 60
    assert 0.5 == clock.speed


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_invalid_speed(speed: float) -> None:
    """A speed must be greater than 0, in code and as an option, and a refused one changes nothing."""
    clock = Clock()
    for refused in (lambda: Clock(speed), lambda: Sandbox(speed=speed), lambda: setattr(clock, "speed", speed)):
        with pytest.raises(ValueError, match="greater than 0"):
            refused()
    assert 1.0 == clock.speed


def test_fast_as_possible_is_real_time_without_timers() -> None:
    """At the speed `math.inf`, the clock itself runs in real time."""
    clock = Clock(math.inf)
    assert abs(clock.now() - time.time()) < 60
    assert math.inf == clock.speed
    assert 55 < clock.seconds_until(time.time() + 60) <= 60
