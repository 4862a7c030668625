"""Jobs: operations of many requests with one key, which one call may begin, and another one, elsewhere, continue.

Two claims stand for a job. The *mark* says that it has begun, and with what content. It stays until the job is done, so
that a call that continues the job knows that a part of it may be done. The *work* says that a call is working on the
job now. It is freed if that call ends, or its process does, and is done when the job is.
"""

import asyncio
import json
import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import attrs

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request
from tingting_async.ledger.claiming import FRESH
from tingting_async.ledger.claims import (
    BEGUN,
    JOB,
    Claim,
    Decision,
    Elapsed,
    InProgressError,
    Storage,
    StoredClaim,
    claim_for,
    new_id,
    nothing_sent,
    require_in_time,
)
from tingting_async.ledger.digests import digest
from tingting_async.ledger.expected import ExpectedSend, expected_send
from tingting_async.ledger.ledger import Ledger
from tingting_async.outcomes import Clocks, Send, SendState, Verdict
from tingting_async.redaction import redact

_FIRST_PAUSE, _MAX_PAUSE = 0.05, 1.0
"""Seconds between two checks of a job that another call works on: the first pause, and the longest."""


@attrs.define(eq=False, repr=False)
class Interrupted:
    """A call of this process that ended before its job was done, and has read rows that it cannot read again.

    Attributes:
        key: The service, the operation and the key of the job.
        mark_id: The id of the job's mark. As long as it is stored, every later call has to give the same rows again.
        get_iterator: Returns the iterator that the call was given as such; None if there was none.
        numbers: What the call has read.
        expected: The `ensure_sent()` whose attempt it was, which has to give the same rows again in any case. None if
            it was none.
    """

    key: tuple[str, str, str | None]
    mark_id: str | None
    get_iterator: Callable[[], object]
    numbers: Any
    expected: ExpectedSend | None


@attrs.define(eq=False, repr=False)
class Job:
    """A job that this call works on, or that is done.

    Attributes:
        had_begun: Whether another call had begun it, so that a part of it may be done.
        is_done: Whether another call has completed it.
        result: What that call recorded; None if it recorded nothing.
    """

    had_begun: bool
    is_done: bool
    result: dict[str, Any] | None
    _content: str = attrs.field(repr=False)
    """The digest of the content of earlier calls; empty if it is not known."""
    _request: Request[Any] = attrs.field(repr=False)
    _first: Send = attrs.field(repr=False)
    _ledger: Ledger = attrs.field(repr=False)
    _work: Claim = attrs.field(repr=False)
    _mark_id: str | None = attrs.field(repr=False)
    _renewed: Elapsed | None = attrs.field(default=None, init=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False, repr=False)

    async def before_send(self) -> None:
        """Make sure that the job is still this call's, immediately before a request leaves.

        Raises:
            LedgerError: It is not. The request must not leave.
        """
        async with self._lock:  # If several requests leave together, one renews the claim for all.
            if self._renewed is None or self._renewed.seconds() > FRESH:
                self._renewed = await (await self._ledger.ready()).renew(self._work.id)

    def before_first_byte(self) -> None:
        """Make sure that not too much time has passed since.

        Raises:
            LedgerError: Too much has passed. The request must not leave.
        """
        require_in_time(self._renewed, self._work.operation)

    async def refuse_other(self, content: str, *, said: str = "nothing was sent. ") -> None:
        """Refuse a content that differs from the content of earlier calls, if that is known.

        Raises:
            UsageError: It differs.
        """
        request = attrs.evolve(self._request, json=content)
        if self._content and await digest(request, self._content) != self._content:
            raise UsageError(
                f"{request.operation}: {said}{_first_call(self._first, request)} had other rows. To continue that "
                "call, give the same rows again. To add these rows, give a new `idempotency_key`. Numbers that the "
                "campaign already has are not added again."
            )

    def was_read(self, iterator: object) -> bool:
        """Return whether a call that ended before its job was done has begun to read an iterator."""
        return any(each.get_iterator() is iterator for each in (*self._ledger.interrupted,))

    def earlier_numbers(self) -> list[Any]:
        """Return what earlier calls of this process have read, if this call has to give the same rows again."""
        expected = expected_send.get()
        return [
            each.numbers
            for each in (*self._ledger.interrupted,)
            if each.mark_id == self._mark_id
            or (each.key == self._key and expected is not None and each.expected is expected)
        ]

    def note_interrupted(self, iterator: object, numbers: Any) -> None:
        """Note, for later calls of this process, what this call has read before it ended.

        Args:
            iterator: What it was given, if that cannot be read again; None otherwise.
            numbers: What it has read.
        """
        try:
            get_iterator: Callable[[], object] = weakref.ref(iterator)
        except TypeError:  # Built-in iterators, such as those of `map` and of lists, and None.
            get_iterator = partial(_same, iterator)
        noted = Interrupted(self._key, self._mark_id, get_iterator, numbers, expected_send.get())
        self._ledger.interrupted.append(noted)

    @property
    def _key(self) -> tuple[str, str, str | None]:
        return self._work.service, self._work.operation, self._work.key

    async def complete(self, result: Mapping[str, Any], content: str) -> None:
        """Record that the job is done, with JSON values that describe what was done, and the digest of its content."""
        kept = await digest(attrs.evolve(self._request, json=content))
        mark = None if self._mark_id is None else (self._mark_id, Verdict.DONE)
        await self._ledger.record_own(self._work, Verdict.DONE, json.dumps({**result, "content": kept}), mark)
        interrupted = self._ledger.interrupted
        for each in [each for each in (*interrupted,) if each.key == self._key]:
            with suppress(ValueError):  # Another thread that uses the ledger may have forgotten it.
                interrupted.remove(each)

    async def interrupt(self, *, is_unknown: bool, has_effect: bool) -> None:
        """Record that this call ends before the job is done.

        Args:
            is_unknown: Whether it is unknown what became of a request.
            has_effect: Whether this call has done a part of the job, or may have. If no call has, the key is free for
                other content.
        """
        verdict, mark = self._ending(is_unknown, has_effect)
        await self._ledger.record_own(self._work, verdict, mark=mark)

    def abandon(self, *, is_unknown: bool, has_effect: bool) -> None:
        """Note, for the next use of the ledger, that this call has ended together with its event loop."""
        verdict, mark = self._ending(is_unknown, has_effect)
        self._ledger.note_own(self._work, verdict, mark=mark)

    def _ending(self, is_unknown: bool, has_effect: bool) -> tuple[Verdict, tuple[str, Verdict] | None]:
        """Return the verdict for the work, and the one for the mark."""
        verdict = Verdict.UNKNOWN if has_effect or self.had_begun else Verdict.NOT_DONE
        mark = None if self._mark_id is None else (self._mark_id, verdict)
        return Verdict.UNKNOWN if is_unknown else Verdict.NOT_DONE, mark


async def open_job(
    ledger: Ledger,
    service: str,
    request: Request[Any],
    *,
    read_clocks: Callable[[], Clocks],
    sleep: Callable[[float], Awaitable[None]],
    deadline: float,
) -> Job:
    """Begin a job, or continue it. If another call works on it, wait until that has ended.

    Args:
        ledger: The ledger.
        service: The session's `base_url`.
        request: Stands for the whole job: it has its operation, its `idempotency_key`, its `send_target` and, as
            `json`, its content; None if it is not known yet. `Job.refuse_other` compares it later.
        read_clocks: Reads the clocks.
        sleep: Waits for a number of seconds.
        deadline: The time after which it does not wait any more, by the clock of the event loop.

    Raises:
        UsageError: The first call with this key had other content.
        DuplicateSendError: Another call was still working on it when the time was up.
        LedgerError: The ledger failed. Nothing was sent.
    """
    work = attrs.evolve(claim_for(service, request), id=f"{JOB}{new_id()}", read_clocks=read_clocks)
    content = "" if request.json is None else await digest(request)
    mark = attrs.evolve(
        work,
        id=f"{JOB}{new_id()}",
        operation=work.operation + BEGUN,
        target=f"{work.target}{BEGUN}",
        evidence=content,
    )
    try:
        with nothing_sent(request):
            storage = await ledger.ready()
            stored = await _claim(ledger, storage, work, request, sleep, deadline)
            if stored.send.state is SendState.DONE:
                begun = await storage.find(mark)
                result: dict[str, Any] = json.loads(stored.send.result) if stored.send.result else {}
                known = result.get("content") or (begun.evidence if begun else "")
                job = Job(True, True, result, known, request, stored.send, ledger, work, None)
                await _refuse_other(job, begun or stored, request)
                if begun is not None and begun.send.state is SendState.UNKNOWN:
                    await storage.record(begun.send.id, Decision(Verdict.DONE, SendState.UNKNOWN))
                return job
            begun = await storage.claim(mark)
            had_begun = begun.send.id != mark.id
            known = begun.evidence if had_begun else ""
            job = Job(had_begun, False, None, known, request, begun.send, ledger, work, begun.send.id)
            await _refuse_other(job, begun, request)
    except BaseException as error:
        # The storage may have stored either, or both. The mark of another call has another id, and stays.
        own_mark = (mark.id, Verdict.NOT_DONE)
        if isinstance(error, GeneratorExit):
            ledger.note_own(work, Verdict.NOT_DONE, mark=own_mark)
        else:
            await ledger.record_own(work, Verdict.NOT_DONE, mark=own_mark)
        raise
    return job


async def _claim(
    ledger: Ledger,
    storage: Storage,
    work: Claim,
    request: Request[Any],
    sleep: Callable[[float], Awaitable[None]],
    deadline: float,
) -> StoredClaim:
    """Claim the work, as soon as no other call has it. Return this claim, or the stored one of a job that is done.

    Raises:
        DuplicateSendError: Another call still had it when the time was up.
    """
    pause = _FIRST_PAUSE
    while True:
        stored = await storage.claim(work)
        if stored.send.id == work.id or stored.send.state is SendState.DONE:
            return stored
        if stored.send.state is SendState.UNKNOWN:  # The call that had it has ended, and the mark is still there.
            decision = Decision(Verdict.NOT_DONE, SendState.UNKNOWN)
            with suppress(InProgressError):  # Its process continues it, in another session of the database.
                if rest := await storage.record(stored.send.id, decision):
                    await sleep(rest)
                    await storage.record(stored.send.id, attrs.evolve(decision, has_waited=True))
            continue
        if asyncio.get_running_loop().time() >= deadline:
            raise await ledger.duplicate(stored, request)
        await sleep(pause)
        pause = min(1.5 * pause, _MAX_PAUSE)


async def _refuse_other(job: Job, first: StoredClaim, request: Request[Any]) -> None:
    """Refuse a job whose key was used for something else.

    Raises:
        UsageError: The target or the content differs.
    """
    target = (first.send.target or "").removesuffix(BEGUN)
    if target != request.send_target:
        raise UsageError(
            f"{request.operation}: nothing was sent. {_first_call(first.send, request)} was for {redact(target)}. Give "
            "the same arguments again, or a new `idempotency_key`."
        )
    if isinstance(request.json, str):
        await job.refuse_other(request.json)


def _same(thing: object) -> object:
    return thing


def _first_call(first: Send, request: Request[Any]) -> str:
    key = redact(f"the key {request.idempotency_key!r}")
    return f"The first call with {key} ({first.started_at:%Y-%m-%d %H:%M:%S} UTC)"
