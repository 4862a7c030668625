"""Make many calls to a service that sometimes fails, and account for each: `make soak`.

Several workers read, create, send and update through one session. One request in a hundred meets a fault; every kind of
fault of the sandbox occurs. The sandbox runs in its own process, so this process has only the client's memory. At the
end each call must be accounted for: a call that returned happened once, a refused one did not happen, and one whose
outcome is unknown happened at most once. Memory, tasks and sockets are back where they were. Every one-time password
has an idempotency key, and the SQLite ledger must know the same outcome.
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
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import idle

from tingting_async import (
    ApiError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SqliteLedger,
    Timeout,
    TingTing,
    TingTingError,
)
from tingting_async.sandbox import Fault, Faults, ReceivedRequest, Sandbox, fault_script

WORKERS = 48
MAX_GROWTH = 16.0  # MiB by which memory may grow after the first tenth: about 90 bytes for each of 200,000 calls.
RETURNED, REFUSED, UNKNOWN, OTHER = range(1, 5)
NAMES = {RETURNED: "returned", REFUSED: "refused", UNKNOWN: "unknown", OTHER: "other errors"}


class RandomFaults(Faults):
    """Faults of every kind, on a random share of all requests."""

    def __init__(self, share: float, seed: int) -> None:
        super().__init__()
        self.share = share
        self.random = Random(seed)
        self.triggered: Counter[str] = Counter()

    def trigger(self, request: ReceivedRequest) -> Fault | None:  # noqa: ARG002 - any request
        if self.random.random() >= self.share:
            return None
        (fault,) = fault_script(f"rain {self.random.random()}", length=1)
        self.triggered[fault.kind] += 1
        return fault


async def serve(pipe: Connection, share: float, seed: int) -> None:
    async with Sandbox(campaigns=20, keep_requests=False) as sandbox:
        sandbox.world.owner.credits = 10**9
        sandbox.faults = faults = RandomFaults(share, seed)
        pipe.send((sandbox.url, sandbox.email, sandbox.password, list(sandbox.world.campaigns)))
        await asyncio.to_thread(pipe.recv)
        await sandbox.wait_idle()
        pipe.send((sandbox.tally(), faults.triggered))


@contextmanager
def sandbox(share: float, seed: int):
    """Run a sandbox in its own process, and yield the client's end of the pipe to it."""
    client_end, sandbox_end = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=run_sandbox, args=(sandbox_end, share, seed), daemon=True
    )
    process.start()
    try:
        yield client_end
    finally:
        process.join(10)
        process.terminate()


def run_sandbox(pipe: Connection, share: float, seed: int) -> None:
    asyncio.run(serve(pipe, share, seed))


def memory() -> float:
    """Return the memory of this process in MiB: the current size, or the peak if the system shows only that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Bytes on macOS.


def open_resources() -> tuple[int, int]:
    """Return the number of tasks, and the number of open files and sockets."""
    return len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))  # noqa: PTH208 - names are enough


def number_of(index: int) -> str:
    return f"98{index:08d}"


def effect_of(index: int) -> str | None:
    """Return the effect of a call: of twenty calls, two add a number and four send a code."""
    return {0: "contact", 10: "contact", 3: "otp", 8: "otp", 13: "otp", 18: "otp"}.get(index % 20)


def key_of(index: int) -> str:
    """Return the idempotency key of a send."""
    return f"otp {index}"


async def make_call(tingting: TingTing, campaigns: list[int], index: int, *, has_ledger: bool) -> None:
    """Make one call; its index alone decides which one, and to whom."""
    campaign = campaigns[index % len(campaigns)]
    match effect_of(index), index % 20:
        case "contact", _:
            await tingting.numbers.add(campaign, number_of(index))
        case "otp", _:
            key = key_of(index) if has_ledger else None
            await tingting.otp.send(number_of(index), "Code {otp}", channel="text", idempotency_key=key)
        case _, 1 | 2:
            await tingting.campaigns.list(window=1).first()
        case _, 4:
            await tingting.campaigns.update(campaign, description=f"Changed by {index}")
        case _, 5 | 6:
            await tingting.accounts.user_details()
        case _:
            await tingting.campaigns.get(campaign)


async def soak(
    pipe: Connection, calls: int, ledger: SqliteLedger | None
) -> tuple[bytearray, list[float], list[str], int]:
    """Make the calls; return their outcomes, the memory over time, what is wrong, and the number of requests."""
    url, email, password, campaigns = pipe.recv()
    outcomes = bytearray(calls)  # Allocated beforehand, so that it does not count as growth.
    memories: list[float] = []
    wrong: list[str] = []
    remaining = iter(range(calls))

    async def work() -> None:
        for index in remaining:
            if index * 10 % calls < 10 and index:
                memories.append(memory())
            try:
                await make_call(tingting, campaigns, index, has_ledger=ledger is not None)
                outcomes[index] = RETURNED
            except OutcomeUnknownError:
                outcomes[index] = UNKNOWN
            except (ApiError, NotSentError):
                outcomes[index] = REFUSED
            except TingTingError as error:
                outcomes[index] = OTHER
                # Only a sign-in whose response cannot be decoded may end a creation or a send with another error.
                if effect_of(index) and not getattr(error, "operation", "").startswith("accounts."):
                    wrong.append(f"call {index}: {error!r}")
            except Exception as error:  # noqa: BLE001 - any other error is a failure
                wrong.append(f"call {index}: {error!r} is not a TingTingError")

    before = open_resources()
    session = TingTing(
        base_url=url,
        email=email,
        password=password,
        max_in_flight=WORKERS,
        ledger=ledger,
        timeout=Timeout(attempt=1, total=10),
        retries=RetryPolicy(initial_backoff=0.01, max_retry_after=0),
    )
    async with session as tingting, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    memories.append(memory())
    if ledger is not None:
        wrong += await audit_ledger(outcomes, ledger)
        await ledger.aclose()
    for _ in range(2000):  # Closing may take several iterations of the loop.
        if open_resources() == before:
            break
        await asyncio.sleep(0.001)
    else:
        wrong.append(f"tasks and sockets: {before} before, {open_resources()} after")
    return outcomes, memories, wrong, session.requests_sent


async def audit_ledger(outcomes: bytearray, ledger: SqliteLedger) -> list[str]:
    """Compare the outcomes with what the ledger knows; return what is wrong. It has no claim for what was not sent."""
    sends = {index: outcome for index, outcome in enumerate(outcomes) if effect_of(index) == "otp"}
    unknown = {key_of(index) for index, outcome in sends.items() if outcome == UNKNOWN}
    recorded = {send.key for send in await ledger.unresolved()}
    wrong = [f"{key}: the ledger and the call disagree on whether it is unknown" for key in sorted(unknown ^ recorded)]
    done, returned = await ledger.prune(datetime.now(UTC) + timedelta(days=1)), Counter(sends.values())[RETURNED]
    if done != returned:
        wrong.append(f"the ledger has {done} sends that are done, and {returned} returned")
    return wrong


def audit(outcomes: bytearray, tally: Counter[tuple[str, str]]) -> tuple[list[str], int]:
    """Compare the outcomes with the tally; return what is wrong, and how many unknown calls happened."""
    wrong: list[str] = []
    happened_unknown = 0
    allowed = {RETURNED: (1,), REFUSED: (0,), UNKNOWN: (0, 1), OTHER: (0,)}
    for index, outcome in enumerate(outcomes):
        if (effect := effect_of(index)) is None:
            if not outcome:
                wrong.append(f"call {index} is not accounted for")
            continue
        happened = tally.pop((effect, number_of(index)), 0)
        if happened not in allowed.get(outcome, ()):
            wrong.append(f"call {index}: {effect} happened {happened} times, outcome: {NAMES.get(outcome)}")
        happened_unknown += outcome == UNKNOWN and happened
    wrong += [f"{effect} happened without a call" for effect, _ in tally if effect in ("contact", "otp")]
    return wrong, happened_unknown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--faults", type=float, default=0.01, help="the share of requests that meet a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-ledger", action="store_true", help="send without a ledger")
    parser.add_argument("--idle", action="store_true", help="instead, meet servers that close idle connections")
    parser.add_argument("--seconds", type=float, default=120, help="how long to send with --idle")
    options = parser.parse_args()
    if options.idle:
        return asyncio.run(idle.main(options.seconds, options.seed))
    with TemporaryDirectory() as folder, sandbox(options.faults, options.seed) as pipe:
        ledger = None if options.no_ledger else SqliteLedger(Path(folder, "ledger"))
        started = time.perf_counter()
        outcomes, memories, wrong, sent = asyncio.run(soak(pipe, options.calls, ledger))
        seconds = time.perf_counter() - started
        pipe.send("end")
        tally, triggered = pipe.recv()
    found, happened_unknown = audit(outcomes, tally)
    wrong += found
    if memories[-1] - memories[0] > MAX_GROWTH:
        wrong.append("memory grows")
    effects = Counter(outcomes[index] for index in range(options.calls) if effect_of(index))
    print(f"{options.calls} calls, {sent} requests, {triggered.total()} of them with a fault, in {seconds:.0f} s")
    sends = sum(effect_of(index) == "otp" for index in range(options.calls))
    how = "without a ledger" if ledger is None else "with the SQLite ledger"
    rates = f"{sends / seconds:.0f} sends and {options.calls / seconds:.0f} calls a second"
    print(f"{sends} of the calls are sends, {how}: {rates}")
    print("faults:", ", ".join(f"{kind} {times}" for kind, times in triggered.most_common()))
    print("calls:", ", ".join(f"{NAMES[outcome]} {times}" for outcome, times in Counter(outcomes).most_common()))
    undone = effects[REFUSED] + effects[OTHER]
    print(
        f"of {effects.total()} that create or send: {effects[RETURNED]} returned, {effects[UNKNOWN]} are unknown "
        f"({happened_unknown} of these happened), {undone} did not happen"
    )
    print("memory, tenth by tenth:", " ".join(f"{each:.1f}" for each in memories), "MiB")
    print("wrong:", "\n".join(wrong[:20]) or "nothing")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
