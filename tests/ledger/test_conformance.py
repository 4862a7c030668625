"""What every storage of a ledger does alike. The tests of keys, claims and reconciling also run with each of them."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import attrs
import pytest

from tingting_async import DuplicateSendError, LedgerError, SendState, UsageError, Verdict
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.claims import MARGIN, MAX_DELAY, Claim, Decision, Storage, StoredClaim
from tingting_async.outcomes import Clocks, Reconciliation, from_presence

pytestmark = pytest.mark.anyio

SERVICE = "http://a"
OWN_DONE, OWN_NOT_DONE, OWN_UNKNOWN = (Decision(verdict, is_owner=True) for verdict in Verdict)


def claim(id: str, key: str | None = None, target: str | None = None, **fields: Any) -> Claim:
    """Return a claim."""
    return Claim(id, SERVICE, "things.call", key, target, **{"digest": "", **fields})


@pytest.fixture
async def make(ledger_place: Any) -> AsyncIterator[Callable[[], Storage]]:
    """Return a function that opens storages at one place, each of which is another owner."""
    opened: list[Storage] = []

    def open_one() -> Storage:
        storage: Storage = ledger_place.open()._storage
        opened.append(storage)
        return storage

    yield open_one
    for storage in opened:
        await storage.aclose()


@attrs.define
class Row:
    """A claim of the model."""

    claim: Claim
    owner: int | None
    is_done: bool = False
    result: str | None = None

    @property
    def state(self) -> SendState:
        """The state that every storage shows."""
        if self.is_done:
            return SendState.DONE
        return SendState.UNKNOWN if self.owner is None else SendState.IN_PROGRESS


@attrs.define
class Model:
    """What a ledger holds, as the documentation says."""

    rows: dict[str, Row] = attrs.field(factory=dict)

    def find(self, new: Claim) -> Row | None:
        """Return what refuses a claim."""
        same = [
            row
            for row in self.rows.values()
            if row.claim.service == new.service
            and (
                (new.key is not None and (row.claim.operation, row.claim.key) == (new.operation, new.key))
                or (new.target is not None and (row.claim.target, row.claim.key) == (new.target, new.key))
            )
        ]
        same.sort(key=lambda row: row.claim.target != new.target)
        if not same and new.seen is not None:
            others = [row for row in self.rows.values() if row.claim.target == new.target and not row.is_done]
            same = [row for row in others if row.claim.service == new.service and row.claim.id not in new.seen]
        return same[0] if same else None

    def same_target(self, new: Claim) -> list[Row]:
        """Return the rows for the same service and target."""
        rows = self.rows.values() if new.target else []
        return [row for row in rows if (row.claim.service, row.claim.target) == (new.service, new.target)]

    def may_prune(self, row: Row) -> bool:
        """Return whether an old row is deleted: not if it is a creation that protects an unfinished one."""
        is_needed = row.claim.evidence and not all(each.is_done for each in self.same_target(row.claim))
        return row.is_done and not is_needed

    def shown(self, row: Row | None) -> tuple[Any, ...] | None:
        """Return what is compared of a row."""
        return None if row is None else (row.claim.id, row.claim.key, row.claim.target, row.state, row.result)


def shown(stored: StoredClaim | None) -> tuple[Any, ...] | None:
    """Return what is compared of a stored claim."""
    return None if stored is None else shown_send(stored.send)


def shown_send(send: Any) -> tuple[Any, ...]:
    """Return what is compared of a send."""
    return (send.id, send.key, send.target, send.state, send.result)


@pytest.mark.parametrize("seed", range(4))
async def test_agreement_with_a_model(make: Any, seed: int) -> None:
    """Three owners that claim, renew, record, prune and end in any order see what the documentation says."""
    random, model = Random(seed), Model()
    storages: list[Storage] = [make() for _ in range(3)]
    for number in range(120):
        who = random.randrange(3)
        storage = storages[who]
        match random.choice(["claim"] * 5 + ["find", "same", "renew", "own", "own", "other", "end", "prune", "sends"]):
            case "claim" | "find" as action:
                target = random.choice([None, "thing 1", "thing 2"])
                seen = frozenset(random.sample([*model.rows], min(len(model.rows), 3)))
                new = Claim(
                    f"{number}",
                    random.choice([SERVICE, SERVICE, "http://b"]),
                    random.choice(["things.call", "things.call", "others.call"]),
                    random.choice([None, "क", "k 'q'\"%s", "k"]),
                    target,
                    digest="",
                    evidence=random.choice(["", "{}"]),
                    seen=seen if target and not random.randrange(4) else None,
                )
                found = model.find(new)
                if action == "find":
                    assert model.shown(found) == shown(await storage.find(new))
                    continue
                if found is None:
                    found = model.rows[new.id] = Row(new, who)
                assert model.shown(found) == shown(await storage.claim(new))
            case "same":
                new = claim("none", None, "thing 1")
                new = random.choice([new, *(row.claim for row in model.rows.values())])
                same = model.same_target(new)
                expected = [model.shown(row) for row in same if not row.is_done]
                assert expected == [shown(each) for each in await storage.unfinished(new)]
                results = {row.result for row in model.same_target(new) if row.is_done and row.claim.id != new.id}
                assert results - {None} == await storage.results(new)
            case "renew" if model.rows:
                row = random.choice([*model.rows.values()])
                if row.owner == who and not row.is_done:
                    await storage.renew(row.claim.id)
                else:
                    with pytest.raises(LedgerError, match="no longer belongs to this process"):
                        await storage.renew(row.claim.id)
            case "own":
                mine = [row for row in model.rows.values() if row.owner == who and not row.is_done]
                if mine:
                    record(model, row := random.choice(mine), verdict := random.choice([*Verdict]), result=f"{number}")
                    assert 0.0 == await storage.record(row.claim.id, Decision(verdict, is_owner=True), f"{number}")
            case "other":
                row = random.choice([*model.rows.values(), Row(claim("none"), None)])
                decision = Decision(random.choice([*Verdict]), random.choice([*SendState]), has_waited=True)
                if row.state is SendState.IN_PROGRESS:
                    with pytest.raises(UsageError, match="in progress"):
                        await storage.record(row.claim.id, decision)
                    continue
                assert 0.0 == await storage.record(row.claim.id, decision)
                if row.state is not SendState.DONE or decision.known is SendState.DONE:
                    record(model, row, decision.verdict)
            case "end":
                await storage.aclose()
                for row in model.rows.values():
                    row.owner = None if row.owner == who else row.owner
            case "prune":
                before = datetime.now(UTC) + timedelta(days=random.choice([-1, -1, 1]))
                done = [id_ for id_, row in model.rows.items() if before > datetime.now(UTC) and model.may_prune(row)]
                assert len(done) == await storage.prune(before)
                for id_ in done:
                    del model.rows[id_]
        every = [model.shown(row) for row in model.rows.values()]
        assert every == [shown_send(send) for send in await random.choice(storages).sends()]
        unfinished = [model.shown(row) for row in model.rows.values() if not row.is_done]
        assert unfinished == [shown_send(send) for send in await storage.sends(is_unfinished=True)]


def record(model: Model, row: Row, verdict: Verdict, result: str | None = None) -> None:
    """Record a verdict in the model."""
    if verdict is Verdict.NOT_DONE:
        model.rows.pop(row.claim.id, None)
    elif verdict is Verdict.DONE:
        row.is_done, row.result = True, result or row.result
    else:
        row.owner = None


async def test_fields(make: Any) -> None:
    """A claim is returned as it was stored, in every process."""
    clocks = Clocks(datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC), 12.25)
    new = claim("a", "नमस्ते 😀 " * 20, "line 'x'", digest="d", evidence='{"a": 1}', read_clocks=lambda: clocks)
    without = claim("b", "k", None, read_clocks=lambda: attrs.evolve(clocks, service=None))
    one, other = make(), make()
    for each in (new, without):
        stored = await one.claim(each)
        found = await other.find(each)
        assert found is not None
        assert (stored.send, stored.digest, stored.evidence) == (found.send, found.digest, found.evidence)
        assert (each.read_clocks(), clocks.local) == (found.send.clocks, found.send.started_at)


async def test_one_of_many_claims_wins(make: Any) -> None:
    """If many tasks of several processes claim the same send at once, one of them gets it, for every send."""
    storages = [make() for _ in range(4)]
    for attempt in range(3):
        found = await asyncio.gather(
            *(
                storage.claim(claim(f"{attempt} {number} {key}", f"{key}", f"thing {key}"))
                for number, storage in enumerate(storages * 5)
                for key in range(attempt * 10, attempt * 10 + 10)
            )
        )
        winners = Counter(stored.send.key for stored in {stored.send.id: stored for stored in found}.values())
        assert {f"{key}": 1 for key in range(attempt * 10, attempt * 10 + 10)} == winners


async def test_creations_for_one_target(make: Any) -> None:
    """If many creations for one target do not know each other, one is stored, regardless of their keys."""
    storages = [make() for _ in range(4)]
    new = [claim(f"{number}", f"key {number}", "campaigns", seen=frozenset()) for number in range(12)]
    found = await asyncio.gather(*(storages[number % 4].claim(each) for number, each in enumerate(new)))
    [winner] = {stored.send.id for stored in found}
    knows = claim("next", "next", "campaigns", seen=frozenset([winner]))
    assert "next" == (await storages[0].claim(knows)).send.id


async def test_others_for_one_target(make: Any) -> None:
    """A claim of another key for the same service and target is found, done or not; those of other targets are not."""
    storage = make()
    one, other = claim("a", "a", "campaign 1"), claim("b", "b", "campaign 1")
    for each in (one, claim("c", "c", "campaign 2"), attrs.evolve(claim("d", "d", "campaign 1"), service="http://b")):
        await storage.claim(each)
    assert not await storage.has_others(one)
    await storage.claim(other)
    assert await storage.has_others(one)
    await storage.record("b", OWN_DONE)
    assert await storage.has_others(one)
    assert await storage.has_others(one, later=True)
    assert not await storage.has_others(other, later=True)
    await storage.record("a", OWN_NOT_DONE)
    assert not await storage.has_others(other)
    assert await storage.has_others(one, later=True)  # It is not stored itself.
    await storage.record("b", Decision(Verdict.NOT_DONE, SendState.DONE))
    await storage.claim(claim("e", "b", "campaign 1"))
    assert not await storage.has_others(other)  # It stands for the same send.
    assert not await storage.has_others(other, later=True)


@pytest.mark.parametrize("is_owner", [True, False])
async def test_done_after_it_was_deleted(make: Any, is_owner: bool) -> None:
    """A send that turns out to be done after its claim was deleted is stored as done, and refuses the same send."""
    one, other = make(), make()
    new = claim("a", "k", "thing 1", digest="d")
    done = Decision(Verdict.DONE, SendState.UNKNOWN, is_owner=is_owner, claim=new)
    for _ in range(2):
        await one.claim(new)
        await one.record("a", OWN_UNKNOWN)
        await other.record("a", Decision(Verdict.NOT_DONE, SendState.UNKNOWN, has_waited=True))
        await one.record("a", done, "7")
        await one.record("a", done, "7")
        found = await other.claim(claim("b", "k", "thing 1"))
        assert ("a", SendState.DONE, "7", "d") == (found.send.id, found.send.state, found.send.result, found.digest)
        assert 1 == await other.prune(datetime.now(UTC) + timedelta(days=1))
    await one.claim(new)
    await one.record("a", OWN_NOT_DONE)
    await other.claim(claim("c", "k", "thing 2"))
    await one.record("a", done, "7")  # Another claim has replaced it.
    assert [("c", "k", "thing 2", SendState.IN_PROGRESS, None)] == [shown_send(send) for send in await one.sends()]


def test_several_event_loops(ledger_place: Any) -> None:
    """One ledger object serves several event loops in several threads, one after the other and at once."""
    ledger = ledger_place.open()
    found: list[str] = []

    async def use(number: int) -> None:
        stored = await asyncio.gather(*(ledger._storage.claim(claim(f"{number} {key}", f"{key}")) for key in range(9)))
        found.extend(each.send.id for each in stored)

    def run(number: int) -> None:
        for _ in range(3):
            asyncio.run(use(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 4 * 3 * 9 == len(found)
    assert 9 == len(set(found))
    asyncio.run(ledger.aclose())


async def test_claim_that_cannot_be_stored(make: Any) -> None:
    """A claim that cannot be stored affects none of those that are stored together with it."""
    storage = make()
    await storage.sends()
    unstorable = claim("bad", "k", "line \udc80")
    found = await asyncio.gather(
        *(storage.claim(claim(f"{number}", f"{number}")) for number in range(5)),
        storage.claim(unstorable),
        *(storage.claim(claim(f"{number}", f"{number}")) for number in range(5, 9)),
        return_exceptions=True,
    )
    assert isinstance(found.pop(5), LedgerError)
    assert [f"{number}" for number in range(9)] == [stored.send.id for stored in found]  # type: ignore[union-attr]
    for number in range(9):
        await storage.renew(f"{number}")


async def test_open_and_closed(ledger_place: Any) -> None:
    """A ledger is opened on first use, closed by `async with` and `aclose()`, and may be used again."""
    async with ledger_place.open() as ledger:
        await ledger.aclose()
        assert [] == await ledger.unresolved()
        await ledger._storage.claim(claim("a", "a"))
        assert [] == await ledger.unresolved()
    assert ["a"] == [send.id for send in await ledger.unresolved()]
    await ledger.aclose()
    await ledger.aclose()


async def test_rest_of_a_dead_owner(make: Any) -> None:
    """A claim of an owner that ended cannot be freed before it could have begun; that of one that gave up can."""
    one, other, third = make(), make(), make()
    for id_ in ("a", "b", "renewed"):
        await one.claim(claim(id_, id_))
    await one.record("b", OWN_UNKNOWN)
    await one.renew("renewed")
    await one.aclose()
    not_done = Decision(Verdict.NOT_DONE, SendState.UNKNOWN)
    for id_ in ("a", "renewed"):
        assert MAX_DELAY - 4 < await other.record(id_, not_done) <= MAX_DELAY + MARGIN
        assert await third.record(id_, not_done) <= MAX_DELAY + MARGIN
    assert 0.0 == await other.record("b", not_done)
    assert 0.0 == await other.record("a", attrs.evolve(not_done, verdict=Verdict.DONE))
    assert 0.0 == await other.record("renewed", attrs.evolve(not_done, has_waited=True))
    assert [("a", SendState.DONE)] == [(send.id, send.state) for send in await third.sends()]


@pytest.mark.parametrize("happens", ["nothing", "it is there", "somebody marks it"])
async def test_waits_for_a_dead_owner(make: Any, ledger_place: Any, happens: str) -> None:
    """`reconcile()` and `mark_not_sent()` wait until a dead owner cannot begin any more, and look again after that."""
    dead, looks = make(), 0
    for id_ in ("a", "b"):
        await dead.claim(claim(id_, id_))
    await dead.aclose()
    loop = asyncio.get_running_loop()
    async with ledger_place.open() as ledger:
        first, second = await ledger.unresolved()
        began = loop.time()

        async def look(_: Any) -> Reconciliation:
            nonlocal looks
            looks += 1
            if looks == 2 and happens == "somebody marks it":
                await ledger.mark_sent(first)
            return from_presence(object() if looks == 3 and happens == "it is there" else None, "The thing")

        async def call(request: Request[Any]) -> Response:
            assert request.before_send is not None
            await request.before_send()
            raise AssertionError("the claim was free")

        request = Request.send("/", Response, "things.call", idempotency_key="a", reconciler=look)
        with pytest.raises(DuplicateSendError) as refused:
            await ledger.execute(SERVICE, request, call, lambda: read_clocks(None))
        found, _ = await asyncio.gather(refused.value.reconcile(wait=0), ledger.mark_not_sent(second))
        assert MAX_DELAY - 4 < loop.time() - began
        assert (2 if happens == "somebody marks it" else 3) == looks
        assert (Verdict.DONE if happens == "it is there" else Verdict.NOT_DONE) is found.verdict
        left = [(send.id, send.state) for send in await ledger._storage.sends()]
        assert ([] if happens == "nothing" else [("a", SendState.DONE)]) == left
