"""`ensure_sent()` returns once it is certain that a send happened, and sends nothing twice."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    LedgerError,
    MisuseError,
    NotSentError,
    OutcomeUnknownError,
    ResponseReceived,
    SendState,
    SessionClosedError,
    SqliteLedger,
    TingTing,
    UsageError,
    Verdict,
    ensure_sent,
)
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request, Response
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"
Send = Callable[[Any, Any], Any]

SENDS: dict[str, tuple[Send, str, bool]] = {
    "otp.send": (
        lambda tingting, _: tingting.otp.send(NUMBER, "{otp}", channel="text", otp="482913", idempotency_key="k"),
        "otp",
        True,
    ),
    "campaigns.run": (lambda tingting, campaign: tingting.campaigns.run(campaign), "run", True),
    "campaigns.run, prepared": (
        lambda tingting, campaign: tingting.campaigns.run(campaign, message="नमस्ते", preflight=True),
        "run",
        True,
    ),
    "campaigns.run, key": (
        lambda tingting, campaign: tingting.campaigns.run(campaign, idempotency_key="k"),
        "run",
        True,
    ),
    "surveys.run": (lambda tingting, campaign: tingting.surveys.run(campaign), "run", True),
    "contacts.demo_call": (
        lambda tingting, campaign: tingting.contacts.demo_call(campaign + 1, idempotency_key="k"),
        "demo",
        False,
    ),
    "phone_numbers.buy": (lambda tingting, campaign: tingting.phone_numbers.buy("PN1"), "purchase", True),
}
"""Sends: the call, the sandbox's name of the effect, and whether the service shows the effect."""


@pytest.fixture
def session(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> Callable[..., Any]:
    """Return a function that opens the session that an operation needs."""
    campaign = sandbox.world.campaigns[campaigns[0]]
    campaign.voice, campaign.message = 3, "नमस्ते"
    line = next(iter(sandbox.world.lines.values()))
    sandbox.world.lines = {"PN1": line}
    line.sid, line.owner = "PN1", None
    return lambda name, **options: connect(TingTing, **options) if name == "phone_numbers.buy" else connect(**options)


def count(sandbox: Sandbox, kind: str) -> int:
    """Return how often the sandbox carried out a send of this kind."""
    return sum(effect.kind == kind for effect in sandbox.side_effects)


@pytest.mark.parametrize("name", SENDS)
async def test_once(sandbox: Sandbox, session: Any, campaigns: list[int], name: str) -> None:
    """The first call returns the result, and later ones None, without another request that sends."""
    send, kind, _ = SENDS[name]
    async with session(name) as tingting:
        assert await ensure_sent(lambda: send(tingting, campaigns[0])) is not None
        posts = sum(received.method == "POST" for received in sandbox.requests)
        assert await ensure_sent(lambda: send(tingting, campaigns[0])) is None
    assert posts == sum(received.method == "POST" for received in sandbox.requests)
    assert 1 == count(sandbox, kind)


REUSED: dict[str, tuple[Send, Send]] = {
    "number": (
        lambda tingting, _: tingting.otp.send(NUMBER, "{otp}", channel="text", otp="482913", idempotency_key="k"),
        lambda tingting, _: tingting.otp.send("9800000002", "{otp}", channel="text", otp="482913", idempotency_key="k"),
    ),
    "code": (
        lambda tingting, _: tingting.otp.send(NUMBER, "{otp}", channel="text", otp="482913", idempotency_key="k"),
        lambda tingting, _: tingting.otp.send(NUMBER, "{otp}", channel="text", otp="482914", idempotency_key="k"),
    ),
    "contact": (
        lambda tingting, campaign: tingting.contacts.demo_call(campaign + 1, idempotency_key="k"),
        lambda tingting, campaign: tingting.contacts.demo_call(campaign + 2, idempotency_key="k"),
    ),
    "contact of a survey": (
        lambda tingting, campaign: tingting.surveys.test_call(campaign + 1, idempotency_key="k"),
        lambda tingting, campaign: tingting.surveys.test_call(campaign + 2, idempotency_key="k"),
    ),
    "campaign": (
        lambda tingting, campaign: tingting.campaigns.run(campaign, idempotency_key="k"),
        lambda tingting, _: tingting.campaigns.run(99, idempotency_key="k"),
    ),
}
"""A send, and another one with the same key, by what differs."""


@pytest.mark.parametrize("fault", [None, "reset_after"])
@pytest.mark.parametrize("what", REUSED)
async def test_key_of_another_send(
    sandbox: Sandbox, session: Any, campaigns: list[int], what: str, fault: str | None
) -> None:
    """A key that belongs to a send with other arguments is an error, whatever became of that; nothing is sent."""
    first, second = REUSED[what]
    async with session(what) as tingting:
        with sandbox.faults.during([Fault(fault, method="POST", times=1)] if fault else []):
            try:
                await first(tingting, campaigns[0])
            except OutcomeUnknownError:
                assert fault
        effects = len(sandbox.side_effects)
        for call in (second, lambda *given: ensure_sent(lambda: second(*given), wait=0)):
            with pytest.raises(
                DuplicateSendError,
                match=r"It had other arguments\. If this is another send, give it a key of its own\. Otherwise, [a-z]",
            ) as caught:
                await call(tingting, campaigns[0])
            assert caught.value.is_other
        with pytest.raises(DuplicateSendError) as caught:
            await first(tingting, campaigns[0])
        assert not caught.value.is_other
    assert effects == len(sandbox.side_effects)


async def test_demo_call_of_an_older_version(connect: Any, ledger: SqliteLedger, campaigns: list[int]) -> None:
    """The claim of an older version does not say whom a demo call reached, so it counts as the same call."""

    async def sent(request: Request[Response]) -> Response:
        assert request.before_send is not None
        await request.before_send()
        return Response(200)

    async with connect() as tingting:
        old = Request.send("/", Response, "contacts.demo_call", idempotency_key="k")
        await ledger.execute(tingting.base_url, old, sent, lambda: read_clocks(None))
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.contacts.demo_call(campaigns[0] + 1, idempotency_key="k")
        assert not caught.value.is_other


@pytest.mark.parametrize("fault", ["reset", "reset_after"])
@pytest.mark.parametrize("name", [name for name, (_, _, is_shown) in SENDS.items() if is_shown])
async def test_lost(
    sandbox: Sandbox, session: Any, ledger: SqliteLedger, campaigns: list[int], name: str, fault: str
) -> None:
    """A lost send is sent again if the service shows that it was not carried out, and not if it was."""
    send, kind, _ = SENDS[name]
    async with session(name) as tingting:
        with sandbox.faults.during([Fault(fault, method="POST", times=1)]):
            result = await ensure_sent(lambda: send(tingting, campaigns[0]), wait=0)
        assert (result is None) == (fault == "reset_after")
        assert await ensure_sent(lambda: send(tingting, campaigns[0])) is None
    assert 1 == count(sandbox, kind)
    assert [] == await ledger.unresolved()


@pytest.mark.parametrize("fault", ["reset", "reset_after"])
async def test_lost_earlier(sandbox: Sandbox, connect: Any, campaigns: list[int], fault: str) -> None:
    """A send that an earlier call has lost is reconciled, too."""
    async with connect() as tingting:
        with sandbox.faults.during([Fault(fault, method="POST", times=1)]), pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(campaigns[0])
        result = await ensure_sent(lambda: tingting.campaigns.run(campaigns[0]), wait=0)
        assert (result is None) == (fault == "reset_after")
    assert 1 == count(sandbox, "run")


async def test_undecidable(sandbox: Sandbox, connect: Any, ledger: SqliteLedger, campaigns: list[int]) -> None:
    """What only a person can decide is an OutcomeUnknownError, which has the ledger's record and `reconcile()`."""
    async with connect(TingTing) as classic:

        async def run() -> Any:
            return await ensure_sent(lambda: classic.campaigns.run(campaigns[0], message="m"), wait=0)

        for _ in range(2):  # At once, and after an earlier call: then the ledger refuses the send.
            with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
                with pytest.raises(OutcomeUnknownError, match="mark_sent") as caught:
                    await run()
            assert ("campaigns.run", "campaign", SendState.UNKNOWN) == (
                caught.value.operation,
                caught.value.send.target.split()[0],
                caught.value.send.state,
            )
            assert Verdict.UNKNOWN is (await caught.value.reconcile(wait=0)).verdict
        assert 0 == count(sandbox, "run")
        await ledger.mark_not_sent(caught.value.send)
        assert await run() is not None
    assert 1 == count(sandbox, "run")


class WatchedLedger(SqliteLedger):
    """A ledger that shows that somebody looks whether a send is still in progress."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.looked = asyncio.Event()

    async def refuse_duplicate(self, *args: Any) -> None:
        """Set the event, and look."""
        self.looked.set()
        await super().refuse_duplicate(*args)


@pytest.mark.parametrize("ends", ["done", "refused", "cancelled"])
async def test_in_progress_elsewhere(
    sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int], posts: Any, ends: str
) -> None:
    """A send that is in progress elsewhere is waited for; it is sent again if it turns out not to have happened."""
    ledger, campaign = WatchedLedger(path), sandbox.world.campaigns[campaigns[0]]
    stall = sandbox.faults.add(Fault("stall" if ends == "refused" else "stall_after", method="POST", times=1))

    def correct(event: object) -> None:
        if isinstance(event, ResponseReceived):
            campaign.user_phone = [1]

    async with connect() as one, connect(ledger=ledger) as other:
        if ends == "refused":
            campaign.user_phone = []
            one.subscribe(correct)
        first = asyncio.create_task(one.campaigns.run(campaign.id))
        await stall.stalled.wait()
        second = asyncio.create_task(ensure_sent(lambda: other.campaigns.run(campaign.id), wait=0))
        await ledger.looked.wait()
        assert 1 == posts()
        if ends == "cancelled":
            first.cancel()
        stall.release()
        await asyncio.gather(first, return_exceptions=True)
        result = await second
    assert (result is None) == (ends != "refused")
    assert (1, 1 if result is None else 2) == (count(sandbox, "run"), posts())


async def test_time_is_up(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """If a send elsewhere is still in progress when the time is up, the error says so; nothing is sent."""
    stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
    async with connect() as one, connect() as other:
        first = asyncio.create_task(one.campaigns.run(campaigns[0]))
        await stall.stalled.wait()
        with pytest.raises(DuplicateSendError, match="in progress") as caught:
            await ensure_sent(lambda: other.campaigns.run(campaigns[0]), timeout=0.2)
        assert SendState.IN_PROGRESS is caught.value.send.state
        stall.release()
        await first
    assert 1 == count(sandbox, "run")


async def test_closed_while_waiting(sandbox: Sandbox, connect: Any, path: Path, campaigns: list[int]) -> None:
    """Closing the session ends the wait for a send elsewhere with SessionClosedError."""
    stall, ledger = sandbox.faults.add(Fault("stall", method="POST", times=1)), WatchedLedger(path)
    async with connect() as one:
        first = asyncio.create_task(one.campaigns.run(campaigns[0]))
        await stall.stalled.wait()
        async with connect(ledger=ledger) as other:
            second = asyncio.create_task(ensure_sent(lambda: other.campaigns.run(campaigns[0]), timeout=600))
            await ledger.looked.wait()
        with pytest.raises(SessionClosedError):
            await asyncio.wait_for(second, 10)
        stall.release()
        await first


async def test_many_tasks(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """Twenty tasks with one key send once; one gets the result, and the others None."""
    async with connect() as tingting:
        results = await asyncio.gather(*(ensure_sent(lambda: tingting.campaigns.run(campaigns[0])) for _ in range(20)))
    assert 1 == sum(result is not None for result in results)
    assert 1 == count(sandbox, "run")


async def test_refusal(sandbox: Sandbox, connect: Any, campaigns: list[int], posts: Any, path: Path) -> None:
    """A refusal that repeating cannot change is raised at once, and the key is free."""
    sandbox.world.campaigns[campaigns[0]].user_phone = []
    async with connect() as tingting:
        with pytest.raises(BadRequestError):
            await ensure_sent(lambda: tingting.campaigns.run(campaigns[0]))
        assert 1 == posts()
        sandbox.world.campaigns[campaigns[0]].user_phone = [1]
        assert await ensure_sent(lambda: tingting.campaigns.run(campaigns[0])) is not None


async def test_nothing_sent(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """While the service is down, nothing is sent; once it is back, one of the attempts is."""
    async with connect() as tingting:
        async with sandbox.offline():
            with pytest.raises(NotSentError):
                await ensure_sent(lambda: tingting.campaigns.run(campaigns[0]), timeout=0.3)
            attempts: list[int] = []

            async def run() -> Any:
                attempts.append(1)
                if len(attempts) == 2:
                    back.set()
                return await tingting.campaigns.run(campaigns[0])

            back = asyncio.Event()
            task = asyncio.create_task(ensure_sent(run))
            await back.wait()
        assert await task is not None
    assert 1 == count(sandbox, "run")


async def test_a_lost_request_that_no_ledger_records(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """If an update before the send is lost, nobody says that it was not done because the ledger has no record of it."""
    async with connect() as tingting:
        with sandbox.faults.during([Fault("reset_after", method="PATCH"), Fault("reset_after", method="PUT")]):
            with pytest.raises(OutcomeUnknownError, match=r"campaigns\.update: it is unknown whether this happened"):
                await ensure_sent(lambda: tingting.campaigns.run(campaigns[0], message="other"), wait=0)
        assert "other" == sandbox.world.campaigns[campaigns[0]].message
    assert 0 == count(sandbox, "run")


async def test_busy_service(sandbox: Sandbox, connect: Any, campaigns: list[int], path: Path) -> None:
    """A send that the service refuses because it is busy is sent again."""
    throttled = {"detail": "Request was throttled. Expected available in 1 second."}
    busy = Fault("status", method="POST", status=429, body=throttled, times=2)
    async with connect() as tingting:
        with sandbox.faults.during([busy]):
            assert await ensure_sent(lambda: tingting.campaigns.run(campaigns[0])) is not None
    assert 1 == count(sandbox, "run")


async def test_ledger_fails(sandbox: Sandbox, connect: Any, path: Any, campaigns: list[int], posts: Any) -> None:
    """If the ledger cannot be used, nothing is sent."""
    path.mkdir(parents=True)
    async with connect() as tingting:
        with pytest.raises(LedgerError, match="nothing was sent"):
            await ensure_sent(lambda: tingting.campaigns.run(campaigns[0]), timeout=0.3)
    assert 0 == posts()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda to, _, otp: otp(to), "otp.send has no `idempotency_key`"),
        (lambda to, on, _: to.contacts.demo_call(on), "contacts.demo_call has no `idempotency_key`"),
        (lambda to, _, __: to.campaigns.create("n", "PHONE"), "campaigns.create has no `idempotency_key`"),
        (lambda to, on, _: to.contacts.add(on, NUMBER), "if the operation does not accept one"),
        (lambda to, on, _: to.campaigns.update(on, name="n"), "campaigns.update was not called, because it is neither"),
        (lambda to, _, __: to.accounts.generate_api_token(), "neither a send nor a creation"),
        (lambda to, on, _: to.campaigns.get(on), "made no send"),
        (lambda _, __, ___: asyncio.sleep(0), "made no send"),
        (lambda _, __, ___: 3, "returned int instead of an awaitable"),
        (lambda _, __, ___: None, "returned NoneType"),
    ],
)
async def test_unprotected(
    sandbox: Sandbox, connect: Any, campaigns: list[int], send_otp: Any, call: Any, text: str, path: Path
) -> None:
    """A call that no ledger would recognise when it is made again is a UsageError, and nothing is changed."""
    async with connect() as tingting:
        with pytest.raises(UsageError, match=text):
            await ensure_sent(lambda: call(tingting, campaigns[0], send_otp))
    assert {"GET"} >= {received.method for received in sandbox.requests}


@pytest.mark.parametrize("name", SENDS)
async def test_without_ledger(sandbox: Sandbox, session: Any, campaigns: list[int], name: str, path: Path) -> None:
    """Without a ledger, a send is a UsageError before any request."""
    async with session(name, ledger=None) as tingting:
        with pytest.raises(UsageError, match="needs a ledger"):
            await ensure_sent(lambda: SENDS[name][0](tingting, campaigns[0]))
    assert [] == sandbox.requests


async def test_not_a_function(sandbox: Sandbox, connect: Any, campaigns: list[int], path: Path) -> None:
    """A coroutine, a task, or another value in place of a function is a UsageError that says what to write."""
    async with connect() as tingting:
        future: Any = asyncio.get_running_loop().create_future()
        for given in (tingting.campaigns.run(campaigns[0]), future, None, 5, "otp.send"):
            with pytest.raises(UsageError, match=r"must be a function .*ensure_sent\(lambda: "):
                await ensure_sent(given)
        made = tingting.campaigns.run(campaigns[0])
        with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
            with pytest.raises(UsageError, match="the same coroutine again"):
                await ensure_sent(lambda: made, wait=0)
        for options in ({"timeout": -1}, {"timeout": "5"}, {"wait": None}, {"wait": True}, {"timeout": float("nan")}):
            with pytest.raises(UsageError, match="must be a number of seconds"):
                await ensure_sent(lambda: tingting.campaigns.run(campaigns[0]), **options)  # type: ignore[arg-type]
    assert 0 == count(sandbox, "run")


def test_no_event_loop() -> None:
    """Outside of asyncio, the error says what the library runs on."""
    coroutine = ensure_sent(lambda: asyncio.sleep(0))
    with pytest.raises(MisuseError, match="No asyncio event loop"):
        coroutine.send(None)


async def test_two_sends_in_one_function(sandbox: Sandbox, connect: Any, campaigns: list[int], path: Path) -> None:
    """A function that makes a second send, or another one when it is called again, is refused before that is sent."""
    one, other, *_ = campaigns
    async with connect() as tingting:

        async def both() -> None:
            await tingting.campaigns.run(one)
            await tingting.campaigns.run(other)

        with pytest.raises(UsageError, match="has sent something else before"):
            await ensure_sent(both)
        assert 1 == count(sandbox, "run")
        keys = iter(("first", "second"))
        with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
            with pytest.raises(UsageError, match="the same `idempotency_key` each time"):
                await ensure_sent(lambda: tingting.campaigns.run(other, idempotency_key=next(keys)), wait=0)
    assert 1 == count(sandbox, "run")


async def test_other_calls_are_not_concerned(
    sandbox: Sandbox, connect: Any, campaigns: list[int], send_otp: Any, path: Path
) -> None:
    """Calls beside an `ensure_sent()`, in other tasks and in tasks that outlive it, are as free as without it."""
    left: list[asyncio.Task[Any]] = []
    go_on = asyncio.Event()

    async def later(tingting: Any) -> None:
        await go_on.wait()
        await send_otp(tingting)

    async with connect() as tingting:

        async def run() -> Any:
            left.append(asyncio.create_task(later(tingting)))
            return await tingting.campaigns.run(campaigns[0])

        await asyncio.gather(ensure_sent(run), send_otp(tingting), tingting.campaigns.update(campaigns[1], name="n"))
        go_on.set()
        await asyncio.gather(*left)
        await send_otp(tingting)
    assert (1, 3) == (count(sandbox, "run"), count(sandbox, "otp"))


async def test_nested(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """An `ensure_sent()` inside another one works, and both check what is sent."""
    async with connect() as tingting, connect(ledger=None) as careless:
        run = tingting.campaigns.run
        assert await ensure_sent(lambda: ensure_sent(lambda: run(campaigns[0]))) is not None
        assert await ensure_sent(lambda: ensure_sent(lambda: run(campaigns[0]))) is None
        with pytest.raises(UsageError, match="needs a ledger"):
            await ensure_sent(lambda: ensure_sent(lambda: careless.campaigns.run(campaigns[1])))
    assert 1 == count(sandbox, "run")


@pytest.mark.parametrize("seed", range(3))
async def test_random_faults(sandbox: Sandbox, connect: Any, ledger: SqliteLedger, seed: int) -> None:
    """With lost, refused and late responses, a send whose result is returned was made once, any other at most once."""
    random = Random(seed)
    kinds = ("reset", "reset_after", "gateway_timeout", "truncate", "empty", "html", "status")
    codes = {f"98000{seed}{n:04d}": f"{random.randrange(10**6):06d}" for n in range(25)}
    certain: set[str] = set()
    for _ in range(12):
        sandbox.faults.add(Fault(random.choice(kinds), path="*/otp/", nth=random.randrange(1, 60), status=503))
    async with connect() as one, connect() as two:

        async def sign_up(tingting: Any, number: str) -> None:
            key, code = f"sign-up {number}", codes[number]
            try:
                await ensure_sent(
                    lambda: tingting.otp.send(number, "{otp}", channel="text", otp=code, idempotency_key=key), wait=0
                )
            except OutcomeUnknownError:
                return
            certain.add(number)

        await asyncio.gather(*(sign_up(tingting, number) for number in codes for tingting in (one, two)))
    tally = sandbox.tally()
    assert dict.fromkeys(certain, 1) == {number: tally["otp", number] for number in certain}
    assert {0, 1} >= {tally["otp", number] for number in codes}
    assert len(codes) - len(await ledger.unresolved()) == len(certain)
