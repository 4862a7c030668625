"""The sandbox's clock."""

import math
import sys
import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from support.sandboxes import make, run

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
    """The clock can be moved only by a number of seconds."""
    with pytest.raises(ValueError, match="not a time"):
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


YEAR = 365.25 * 86_400


def test_the_range() -> None:
    """The clock can be moved up to 100 years ahead of this machine's; more is refused, and changes nothing."""
    clock = Clock()
    clock.advance(60 * YEAR)
    for seconds in (41 * YEAR, 1e300):
        with pytest.raises(ValueError, match=r"advance\(seconds=.* more than 100 years ahead"):
            clock.advance(seconds)
    assert 60 == round((clock.now() - time.time()) / YEAR)
    clock.advance_to(1e300)
    assert 100 == round((clock.now() - time.time()) / YEAR)
    assert clock.now() <= clock.end
    clock.reset()
    clock.advance(1)


def test_the_range_at_a_high_speed() -> None:
    """A clock that runs fast stops running ahead at 100 years, and can be shown."""
    clock = Clock()
    clock.advance(100 * YEAR - 10)
    clock.speed = 1_000_000
    machine = time.time()
    while time.time() < machine + 0.001:  # At this speed, a quarter of an hour.
        pass
    assert clock.now() <= clock.end
    clock.speed = 1
    assert clock.now() <= clock.end
    assert clock.iso()


@pytest.mark.parametrize("speed", [1_000_001, 1e308, "fast", None, True, [1]])
def test_a_speed_that_is_too_high_or_no_number(speed: object) -> None:
    """A speed is a number up to 1,000,000, or infinite, in code and as an option."""
    clock = Clock()
    for refused in (lambda: Clock(speed), lambda: Sandbox(speed=speed), lambda: setattr(clock, "speed", speed)):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^speed=.* is not valid: it must be"):
            refused()
    assert 1.0 == clock.speed


def test_scheduled_beyond_the_range() -> None:
    """A campaign that is scheduled later than the clock can show waits, and the others run to their end."""
    sandbox = Sandbox(campaigns=0)
    soon, never = make(sandbox, "SMS", 1), make(sandbox, "SMS", 1)
    run(sandbox, soon, at=sandbox.clock.now() + 90 * YEAR)
    run(sandbox, never, at=sandbox.clock.now() + 1000 * YEAR)
    sandbox.run_to_end()
    assert ("Completed", "Scheduled") == (soon.status, never.status)


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads switch as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_speed_is_set_by_another_thread() -> None:
    """While another thread sets the speed, the clock never goes back."""
    clock, stop = Clock(), Event()

    def change() -> None:
        while not stop.is_set():
            clock.speed = 1_000_000
            clock.speed = 1

    thread = Thread(target=change)
    thread.start()
    try:
        times = [clock.now() for _ in range(100_000)]
    finally:
        stop.set()
        thread.join()
    assert sorted(times) == times
