"""Workers that are killed with `kill -9`, and started again."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tingting_async.sandbox import Fault, Sandbox


async def start(worker: Path, seed: int, job: Path) -> asyncio.subprocess.Process:
    """Start a worker."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(worker), str(seed), str(job), stderr=asyncio.subprocess.PIPE
    )


async def until_done(
    sandbox: Sandbox,
    worker: Path,
    job: Path,
    seed: int,
    *,
    kills: int,
    make_fault: Callable[[], Fault],
    patience: Callable[[], float | None] = lambda: None,
) -> int:
    """Start a worker, kill it when a fault stops its request, and start it again, until it has done the whole job.

    Args:
        sandbox: The service.
        worker: The program.
        job: The file that tells it what to do.
        seed: Makes its random numbers differ from those of other workers.
        kills: How often it is killed, at most.
        make_fault: Returns the fault of an attempt: before a request is carried out, or after it was.
        patience: Returns the seconds after which an attempt is killed anyway; None if it is not.

    Returns:
        How often the worker was killed.
    """
    killed = 0
    for attempt in range(kills):
        fault = make_fault()
        process = await start(worker, seed * 100 + attempt, job)
        sandbox.faults.add(fault)
        ended, hit = asyncio.ensure_future(process.wait()), asyncio.ensure_future(fault.stalled.wait())
        await asyncio.wait([ended, hit], timeout=patience(), return_when=asyncio.FIRST_COMPLETED)
        hit.cancel()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        killed += await ended == -signal.SIGKILL
        fault.release()
    process = await start(worker, seed, job)
    _, output = await process.communicate()
    assert process.returncode == 0, output.decode()
    return killed
