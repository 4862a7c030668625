"""Rows of an iterator, which can be read only once: a call that ends half-way loses nobody who was read before."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tingting_async import (
    AddProgress,
    DuplicateSendError,
    PartialFailureError,
    RateLimitedError,
    SqliteLedger,
    TingTing as Classic,
    UsageError,
    ensure_sent,
    v1,
)
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import NewContact, TingTing

pytestmark = pytest.mark.anyio

PHONES = [str(9_812_000_000 + 7 * row) for row in range(45)]
THROTTLED: Any = {"status": 429, "headers": {"Retry-After": "0"}, "body": {"detail": "Request was throttled."}}
USED = "is an iterator that an earlier call has begun to read, so rows would be missing"


class Adding:
    """Calls of one generation's `add_many` with a key, ten rows in a request of v1, for an empty campaign."""

    def __init__(self, sandbox: Sandbox, tingting: Any, ledger: SqliteLedger) -> None:
        self.sandbox = sandbox
        self.ledger = ledger
        self.campaign = next(iter(sandbox.world.campaigns))
        self.is_classic = isinstance(tingting, Classic)
        self.path = "*/campaigns/number/*" if self.is_classic else "*add-contact*"
        self.resource: Any = tingting.numbers if self.is_classic else tingting.contacts

    async def __call__(self, given: Any, key: str = "k", **options: Any) -> Any:
        """Add rows, one request after the other."""
        chunk = {} if self.is_classic else {"chunk": 10}
        return await self.resource.add_many(
            self.campaign, given, idempotency_key=key, concurrency=1, **chunk, **options
        )

    def fail(self, nth: int = 1) -> Any:
        """Refuse an addition with 429."""
        return self.sandbox.faults.add(Fault("status", method="POST", path=self.path, nth=nth, times=1, **THROTTLED))

    def numbers(self) -> list[str]:
        """Return the numbers that the campaign has."""
        return sorted(contact.number for contact in self.sandbox.world.campaigns[self.campaign].contacts)

    async def is_unresolved(self) -> bool:
        """Return whether the ledger shows that the addition is not complete."""
        return bool(await self.ledger.unresolved())


@pytest.fixture(params=["classic", "v1"])
async def adding(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Adding]:
    """Return the calls of each generation."""
    kind: Any = TingTing if request.param == "v1" else Classic
    async with Sandbox(campaigns=1, numbers=0) as sandbox, SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        options: Any = {"api_token": sandbox.api_token, "ledger": ledger, "retries": 1}
        async with kind(base_url=sandbox.url, **options) as tingting:
            yield Adding(sandbox, tingting, ledger)


def generated() -> Iterator[NewContact]:
    """Yield contacts from a generator."""
    yield from map(NewContact, PHONES)


async def later() -> AsyncIterator[str]:
    """Yield numbers from an async generator."""
    for number in PHONES:
        yield number


ONE_SHOT: dict[str, Callable[[], Any]] = {
    "map": lambda: map(NewContact, PHONES),
    "list iterator": lambda: iter(PHONES),
    "generator": generated,
    "async generator": later,
}


@pytest.mark.parametrize("kind", ONE_SHOT)
async def test_repeated_with_the_same_iterator(adding: Adding, kind: str) -> None:
    """`ensure_sent` repeats nothing with an iterator that was begun: it raises the first error, with a note why."""
    rows = ONE_SHOT[kind]()
    adding.fail()
    with pytest.raises(RateLimitedError) as caught:
        await ensure_sent(lambda: adding(rows))
    assert USED in caught.value.__notes__[0]
    assert [] == adding.numbers()
    assert len(PHONES) == (await ensure_sent(lambda: adding(PHONES))).created
    assert PHONES == adding.numbers()


@pytest.mark.parametrize("kind", ONE_SHOT)
async def test_repeated_with_a_new_iterator(adding: Adding, kind: str) -> None:
    """`ensure_sent` repeats a call whose function makes a new iterator, and adds everybody."""
    adding.fail()
    assert len(PHONES) == (await ensure_sent(lambda: adding(ONE_SHOT[kind]()))).created
    assert PHONES == adding.numbers()


async def test_an_iterator_that_was_not_begun(adding: Adding) -> None:
    """A call that fails before it reads a row leaves its iterator to the next call."""
    rows = generated()
    stall = adding.sandbox.faults.add(Fault("stall_after", method="POST", path=adding.path, times=1))
    other = asyncio.create_task(adding(PHONES[:1]))
    await stall.stalled.wait()
    with pytest.raises(DuplicateSendError):
        await adding(rows, timeout=0.01)
    other.cancel()
    await asyncio.wait([other])
    stall.release()
    [left] = await adding.ledger.unresolved()
    await adding.ledger.mark_not_sent(left)
    assert len(PHONES) - 1 == (await adding(rows)).created
    assert PHONES == adding.numbers()


@pytest.mark.parametrize("kind", ONE_SHOT)
async def test_called_again_with_the_same_iterator(adding: Adding, kind: str) -> None:
    """After a call that ended half-way, no later call takes its iterator, with that key or another one."""
    rows = ONE_SHOT[kind]()
    adding.fail(nth=3)
    with pytest.raises(PartialFailureError, match="throttled"):
        await adding(rows)
    there = adding.numbers()
    for key in ("k", "other"):
        with pytest.raises(UsageError, match=USED):
            await adding(rows, key)
    assert there == adding.numbers()
    assert await adding.is_unresolved()


@pytest.mark.parametrize("fails", [1, 3])
async def test_a_new_iterator_over_what_was_read(adding: Adding, fails: int) -> None:
    """A new iterator over rows of which some were read before never completes the addition, whatever hides that."""
    source = iter(PHONES)
    adding.fail(nth=fails)
    with pytest.raises((PartialFailureError, RateLimitedError)) as first:
        await ensure_sent(lambda: adding(NewContact(number) for number in source))
    if fails == 3:
        with pytest.raises(PartialFailureError, match=r"numbers? that an earlier call .* (is|are) not in") as second:
            await adding(NewContact(number) for number in source)
        assert isinstance(second.value.__cause__, UsageError)
        with pytest.raises(UsageError, match=r"nothing was sent.* not in"):
            await adding(PHONES[-1:])
    else:
        assert isinstance(first.value, PartialFailureError)
    assert await adding.is_unresolved()
    assert len(PHONES) > len(adding.numbers())


async def test_other_rows_if_nothing_was_added(adding: Adding) -> None:
    """If a call added nothing, its key is free: a later call may have other rows, in an iterator, too."""
    adding.fail()
    with pytest.raises(RateLimitedError):
        await adding(iter(PHONES))
    assert 2 == (await adding(iter(PHONES[-2:]))).created


async def test_other_rows_after_it_was_forgotten(adding: Adding) -> None:
    """Once an addition is forgotten by `mark_not_sent()`, its key is free for other rows."""
    adding.fail(nth=3)
    with pytest.raises(PartialFailureError):
        await adding(iter(PHONES))
    [left] = await adding.ledger.unresolved()
    await adding.ledger.mark_not_sent(left)
    assert 2 == (await adding(iter(PHONES[-2:]))).created


async def test_an_iterator_that_is_used_up(adding: Adding) -> None:
    """An iterator that yields nothing is refused with an error that says that it may have been read before."""
    with pytest.raises(UsageError, match="is empty, or an iterator that was read before"):
        await adding(iter(()))
    with pytest.raises(UsageError, match=r"is empty\.$"):
        await adding([])


async def test_numbers_of_a_new_campaign(tmp_path: Path) -> None:
    """A creation that cannot be repeated because its numbers were read raises its first error, with a note why."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        options: Any = {"api_token": sandbox.api_token, "ledger": ledger, "retries": 1}
        async with Classic(base_url=sandbox.url, **options) as tingting:
            rows = map(str, PHONES)
            sandbox.faults.add(Fault("status", method="POST", times=1, **THROTTLED))
            with pytest.raises(RateLimitedError) as caught:
                await ensure_sent(
                    lambda: tingting.campaigns.create("Dashain", "PHONE", numbers=rows, idempotency_key="k")
                )
    assert "`numbers` is empty, or an iterator that was read before" in caught.value.__notes__[0]


async def test_progress(adding: Adding) -> None:
    """`ensure_sent` repeats a call with the same `AddProgress`, which accounts for the last attempt only."""
    progress: Any = AddProgress() if adding.is_classic else v1.AddProgress()
    adding.fail()
    assert len(PHONES) == (await ensure_sent(lambda: adding(PHONES, progress=progress))).created
    assert (len(PHONES), len(PHONES), 0) == (progress.created, len(progress.outcomes), len(progress.not_done))
    adding.fail()
    with pytest.raises(UsageError, match="no other call has used"):
        await ensure_sent(lambda: adding(PHONES, "other", progress=progress))
