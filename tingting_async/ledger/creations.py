"""Creations with a key: called again, by anyone, at any time, they return what was created first."""

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from tingting_async.errors import DuplicateSendError, NotFoundError, NotSentError, TingTingError, UsageError
from tingting_async.http.messages import Request, T
from tingting_async.http.timeouts import Timeout
from tingting_async.ledger.claims import Claim, StoredClaim, claim_for
from tingting_async.ledger.ensure_sent import RECONCILE_WAIT, settle
from tingting_async.ledger.evidence import digests, pack
from tingting_async.ledger.expected import expected_send
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.marks import is_result
from tingting_async.outcomes import Clocks, Creation, Send, SendState
from tingting_async.redaction import redact

_FIRST_PAUSE, _MAX_PAUSE = 0.05, 1.0
"""Seconds between two looks at another creation that is in progress: the first, and the longest."""

WHY_MISSING = (
    "It was deleted, or the session is of another account, or the service has started over: a sandbox that is started "
    "again without `--state` has none of its earlier campaigns, and needs a new ledger."
)
"""Why the service may not have what the ledger says was created."""


async def ensure_created(
    ledger: Ledger,
    service: str,
    request: Request[T],
    call: Callable[[Request[T]], Awaitable[T]],
    *,
    read_clocks: Callable[[], Clocks],
    sleep: Callable[[float], Awaitable[None]],
    timeout: Timeout,
) -> T:
    """Execute a creation with a key, unless it was executed before. Return what was created, now or then.

    Args:
        ledger: The ledger.
        service: The session's `base_url`.
        request: The request. It has an `idempotency_key` and a `creation`.
        call: Sends the request.
        read_clocks: Reads the clocks.
        sleep: Waits for a number of seconds.
        timeout: The limits of the call.

    Raises:
        UsageError: The first call with this key had other arguments, or what it created is not known.
        NotFoundError: What the first call created was deleted since.
        DuplicateSendError: Another process was still creating it when the time was up.
        OutcomeUnknownError: It may have been created, and the service does not show whether it was.
    """
    loop, expected = asyncio.get_running_loop(), expected_send.get()
    wait = RECONCILE_WAIT if expected is None or expected.is_over else expected.wait
    deadline = loop.time() + timeout.total
    refuse_duplicate = functools.partial(ledger.refuse_duplicate, service, request)

    async def attempt() -> T:
        while True:
            await refuse_duplicate()
            claim = await _prepare(ledger, service, request, sleep, deadline, wait)
            left = attrs.evolve(timeout, total=max(0.001, deadline - loop.time()))
            try:
                return await ledger.execute(service, attrs.evolve(request, timeout=left), call, read_clocks, claim)
            except DuplicateSendError as error:
                # Another key may have created something of this name since the check: check again.
                if error.send is None or error.send.key == claim.key:
                    raise

    async def get_created() -> T:
        stored = await ledger.find(service, request)
        if stored is None or stored.send.state is not SendState.DONE:  # Somebody has marked or pruned it meanwhile.
            return await attempt()
        return await _get_stored(stored, request)

    return await settle(attempt, refuse_duplicate, get_created, deadline, wait=wait)


async def _prepare(
    ledger: Ledger,
    service: str,
    request: Request[Any],
    sleep: Callable[[float], Awaitable[None]],
    deadline: float,
    wait: float,
) -> Claim:
    """Return the claim of a creation, with what is known before its request leaves.

    It waits for other creations of the same name: for those in progress, and until the service has had `wait` seconds
    for those of unknown outcome. Otherwise, if this request were lost, too, nobody could tell which creation made what
    exists then.
    """
    claim, pause, first_seen = claim_for(service, request), _FIRST_PAUSE, dict[str, float]()
    while True:
        now = asyncio.get_running_loop().time()
        unfinished = await ledger.unfinished(claim)
        busy = next((each for each in unfinished if each.send.state is SendState.IN_PROGRESS), None)
        ages = [max(_age(each.send), now - first_seen.setdefault(each.send.id, now)) for each in unfinished]
        rest = max((wait - age for age in ages), default=0.0)
        if busy is None and rest <= 0:
            break
        if now >= deadline:
            if busy is not None:
                raise await ledger.duplicate(busy, request)
            raise _too_early(request, rest)
        await sleep(pause if busy is not None else min(rest, _MAX_PAUSE))
        pause = min(1.5 * pause, _MAX_PAUSE)
    try:
        found = await _creation(request).observe()
    except TingTingError as error:
        what = request.operation.partition(".")[0]
        error.add_note(f"{request.operation}: nothing was sent. The list of {what} could not be read first.")
        raise
    digest, fields = await digests(request)
    seen = frozenset(each.send.id for each in unfinished)
    return attrs.evolve(claim, digest=digest, evidence=pack(found, fields, seen), seen=seen)


def _age(send: Send) -> float:
    """Return how many seconds ago a send began, if the clocks of the machines agree."""
    return (datetime.now(UTC) - send.started_at).total_seconds()


def _too_early(request: Request[Any], rest: float) -> NotSentError:
    return NotSentError(
        f"{request.operation}: nothing was sent. The service may still be about to carry out another creation of the "
        f"same name, whose response was lost. Call again in {math.ceil(rest)} s, or give the call more time.",
        operation=request.operation,
        method=request.method,
        path=request.path,
        phase="connect",
    )


async def _get_stored(stored: StoredClaim, request: Request[T]) -> T:
    """Return the result of a creation that is done."""
    send, creation = stored.send, _creation(request)
    what = f"The ledger records {redact(f'the key {send.key!r}')} as done ({send.started_at:%Y-%m-%d %H:%M:%S} UTC)"
    if send.result is None or not is_result(send.result):  # Older versions accepted any result.
        raise UsageError(
            f"{request.operation}: {what}, but not the id of what was created. Record it: `await ledger.mark_sent("
            "send, result=…)` with the `send` of this error's `__cause__`."
        ) from DuplicateSendError(f"{what}.", operation=request.operation, send=send)
    try:
        created: T = await creation.get(send.result)
    except NotFoundError as error:
        raise NotFoundError(
            f"{request.operation}: {what}, but the service has nothing with its id, {send.result}. {WHY_MISSING} "
            "To create another one, give a new `idempotency_key`.",
            status=error.status,
            message=error.message,
            body=error.body,
            operation=request.operation,
            method=error.method,
            path=error.path,
            request_id=error.request_id,
        ) from error
    return created


def _creation(request: Request[Any]) -> Creation:
    assert request.creation is not None
    return request.creation
