"""What runs the timers of a sandbox that serves, so that campaigns progress without requests."""

import asyncio
import contextlib
from math import inf

from tingting_async.sandbox.running import next_timer, run_due
from tingting_async.sandbox.service import Service

CHUNK = 200
"""How many timers to run before others have a turn: one or two milliseconds."""
_SHORTEST, _LONGEST = 0.01, 60.0  # Seconds. The machine's clock may be set, so a long wait is divided.


async def drive(service: Service) -> None:
    """Run each timer when it is due; at the speed `math.inf`, run all of them now."""
    clock = service.clock
    while True:
        clock.wake.clear()
        if run_due(service.world, ahead=clock.speed == inf, most=CHUNK):
            await asyncio.sleep(0)
            continue
        at = next_timer(service.world)
        wait = _LONGEST if at is None else min(_LONGEST, max(_SHORTEST, clock.seconds_until(at)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await clock.wake.wait()
