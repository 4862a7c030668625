"""Ask a service that fails now and then for very long, and account for everything: `make soak`.

Some workers read, add, send and change through one session, while one request in a hundred meets a fault: every kind
that the sandbox has. The sandbox runs in a process of its own, so that this one's memory is the client's. At the end
each call has to be accounted for: what returned happened once, what was refused did not happen, what is unknown
happened at most once; memory, tasks and sockets are back where they were.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from tingting_async import ApiError, NotSentError, OutcomeUnknownError, RetryPolicy, Timeout, TingTing, TingTingError
from tingting_async.sandbox import Fault, Faults, ReceivedRequest, Sandbox, fault_script

WORKERS = 48
SLACK = 16.0  # MiB that memory may grow by behind the first tenth: of 200,000 calls some 90 bytes each.
RETURNED, REFUSED, UNKNOWN, OTHER = range(1, 5)
NAMES = {RETURNED: "returned", REFUSED: "refused", UNKNOWN: "unknown", OTHER: "other errors"}


class Rain(Faults):
    """Faults by chance: of every kind, on a share of all requests."""

    def __init__(self, share: float, seed: int) -> None:
        super().__init__()
        self.share = share
        self.random = Random(seed)
        self.struck: Counter[str] = Counter()

    def trigger(self, request: ReceivedRequest) -> Fault | None:  # noqa: ARG002 - whoever asks
        if self.random.random() >= self.share:
            return None
        (fault,) = fault_script(f"rain {self.random.random()}", length=1)
        self.struck[fault.kind] += 1
        return fault


async def serve(pipe: Connection, share: float, seed: int) -> None:
    async with Sandbox(campaigns=20, keep_requests=False) as sandbox:
        sandbox.world.owner.credits = 10**9
        sandbox.faults = rain = Rain(share, seed)
        pipe.send((sandbox.url, sandbox.email, sandbox.password, list(sandbox.world.campaigns)))
        await asyncio.to_thread(pipe.recv)
        await sandbox.wait_idle()
        pipe.send((sandbox.tally(), rain.struck))


@contextmanager
def sandbox(share: float, seed: int):
    """Serve in a process of its own; gives the end of the pipe that the sandbox talks on."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_sandbox, args=(theirs, share, seed), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.join(10)
        process.terminate()


def run_sandbox(pipe: Connection, share: float, seed: int) -> None:
    asyncio.run(serve(pipe, share, seed))


def memory() -> float:
    """Return how much memory this process has now, in MiB; where the system does not say, how much it had at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Bytes on macOS.


def left_open() -> tuple[int, int]:
    """Return how many tasks there are, and how many files and sockets."""
    return len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))  # noqa: PTH208 - names are enough


def number_of(index: int) -> str:
    return f"98{index:08d}"


def effect_of(index: int) -> str | None:
    """Return what a call does to the world: of twenty two add a number, four send a code."""
    return {0: "contact", 10: "contact", 3: "otp", 8: "otp", 13: "otp", 18: "otp"}.get(index % 20)


async def ask(tingting: TingTing, campaigns: list[int], index: int) -> None:
    """Make a call; which one, and to whom, follows from its index alone."""
    campaign = campaigns[index % len(campaigns)]
    match effect_of(index), index % 20:
        case "contact", _:
            await tingting.numbers.add(campaign, number_of(index))
        case "otp", _:
            await tingting.otp.send(number_of(index), "Code {otp}", channel="text")
        case _, 1 | 2:
            await tingting.campaigns.list(window=1).first()
        case _, 4:
            await tingting.campaigns.update(campaign, description=f"Changed by {index}")
        case _, 5 | 6:
            await tingting.accounts.user_details()
        case _:
            await tingting.campaigns.get(campaign)


async def soak(pipe: Connection, calls: int) -> tuple[bytearray, list[float], list[str], int]:
    """Make the calls; return what became of each, the memory on the way, what is wrong, and the requests made."""
    url, email, password, campaigns = pipe.recv()
    outcomes = bytearray(calls)  # Made beforehand, so that the books are no leak.
    memories: list[float] = []
    wrong: list[str] = []
    todo = iter(range(calls))

    async def work() -> None:
        for index in todo:
            if index * 10 % calls < 10 and index:
                memories.append(memory())
            try:
                await ask(tingting, campaigns, index)
                outcomes[index] = RETURNED
            except OutcomeUnknownError:
                outcomes[index] = UNKNOWN
            except (ApiError, NotSentError):
                outcomes[index] = REFUSED
            except TingTingError as error:
                outcomes[index] = OTHER
                # A sign-in whose answer cannot be read says so; of what adds or sends nothing else may come out.
                if effect_of(index) and not getattr(error, "operation", "").startswith("accounts."):
                    wrong.append(f"call {index}: {error!r}")
            except Exception as error:  # noqa: BLE001 - the point
                wrong.append(f"call {index}: {error!r} is none of ours")

    before = left_open()
    session = TingTing(
        base_url=url,
        email=email,
        password=password,
        max_in_flight=WORKERS,
        timeout=Timeout(attempt=1, total=10),
        retries=RetryPolicy(initial_backoff=0.01, max_retry_after=0),
    )
    async with session as tingting, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    for _ in range(2000):  # What is closing may take the loop some turns.
        if left_open() == before:
            break
        await asyncio.sleep(0.001)
    else:
        wrong.append(f"tasks and sockets: {before} before, {left_open()} after")
    memories.append(memory())
    return outcomes, memories, wrong, session.requests_sent


def audit(outcomes: bytearray, tally: Counter[tuple[str, str]]) -> tuple[list[str], int]:
    """Hold what callers were told against what happened; return what is wrong, and the unknowns that happened."""
    wrong: list[str] = []
    happened_unknown = 0
    may_be = {RETURNED: (1,), REFUSED: (0,), UNKNOWN: (0, 1), OTHER: (0,)}
    for index, outcome in enumerate(outcomes):
        if (effect := effect_of(index)) is None:
            if not outcome:
                wrong.append(f"call {index} is not accounted for")
            continue
        happened = tally.pop((effect, number_of(index)), 0)
        if happened not in may_be.get(outcome, ()):
            wrong.append(f"call {index}: {effect} happened {happened} times, told {NAMES.get(outcome)}")
        happened_unknown += outcome == UNKNOWN and happened
    wrong += [f"nobody asked for {effect}" for effect, _ in tally if effect in ("contact", "otp")]
    return wrong, happened_unknown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--faults", type=float, default=0.01, help="the share of requests that meet one")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    with sandbox(options.faults, options.seed) as pipe:
        outcomes, memories, wrong, sent = asyncio.run(soak(pipe, options.calls))
        seconds = time.perf_counter() - started
        pipe.send("end")
        tally, struck = pipe.recv()
    found, happened_unknown = audit(outcomes, tally)
    wrong += found
    if memories[-1] - memories[0] > SLACK:
        wrong.append("memory grows")
    effects = Counter(outcomes[index] for index in range(options.calls) if effect_of(index))
    print(f"{options.calls} calls, {sent} requests, {struck.total()} of them with a fault, in {seconds:.0f} s")
    print("faults:", ", ".join(f"{kind} {times}" for kind, times in struck.most_common()))
    print("calls:", ", ".join(f"{NAMES[outcome]} {times}" for outcome, times in Counter(outcomes).most_common()))
    undone = effects[REFUSED] + effects[OTHER]
    print(
        f"of {effects.total()} that add or send: {effects[RETURNED]} returned, {effects[UNKNOWN]} are unknown "
        f"({happened_unknown} of these happened), {undone} did not happen"
    )
    print("memory, tenth by tenth:", " ".join(f"{each:.1f}" for each in memories), "MiB")
    print("wrong:", "\n".join(wrong[:20]) or "nothing")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
