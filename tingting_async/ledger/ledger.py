"""The part of the ledger that knows requests: what is refused, and what becomes of a claim."""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any, Self

import attrs

from tingting_async.errors import LedgerError, OutcomeUnknownError, TingTingError, UsageError
from tingting_async.http.messages import Request, T
from tingting_async.ledger.claiming import Claiming
from tingting_async.ledger.claims import (
    Claim,
    Decision,
    Elapsed,
    Storage,
    StoredClaim,
    claim_for,
    claim_of,
    nothing_sent,
    unknown_sends,
)
from tingting_async.ledger.digests import digest
from tingting_async.ledger.duplicates import changed_error, duplicate_error, is_other_send
from tingting_async.ledger.evidence import Others, changed_fields, reconcile_creation
from tingting_async.ledger.forget import forget_job, is_job, unmarkable_error
from tingting_async.ledger.marks import result_of_mark
from tingting_async.outcomes import (
    Clocks,
    Reconciler,
    Reconciliation,
    Send,
    SendState,
    Verdict,
    attach_reconciler,
    known_outcome,
)
from tingting_async.tracebacks import short_traceback

_log = logging.getLogger("tingting_async")

_MAX_INTERRUPTED = 100
"""The maximum number of interrupted calls that a ledger remembers."""


class Ledger:
    """Records every send, so that nothing is sent twice: by no task, no process and no later run.

    This is the type of a session's argument `ledger`, for annotations. Use `SqliteLedger` or `PostgresLedger`. A
    ledger is opened on first use, and closed by `async with` or `aclose()`. Close the sessions first. The methods that
    sessions call, and the storage, are internal.

    Args:
        storage: Keeps the claims.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._unrecorded: dict[str, tuple[Decision, str | None]] = {}
        """Outcomes that the storage has still to record. They are recorded before it is used again."""
        self._recording: set[str] = set()
        """The ids of the outcomes that a task is recording now."""
        self.interrupted: deque[Any] = deque(maxlen=_MAX_INTERRUPTED)
        """The latest calls that ended before their job was done; see `ledger/jobs.py`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except LedgerError as failed:
            if error is None:
                raise
            _log.warning("%r could not be closed: %s", self, failed)  # The block's own error says more.

    @short_traceback
    async def aclose(self) -> None:
        """Record the outcomes that are late, and close the storage. The next use opens it again.

        Raises:
            LedgerError: An outcome cannot be recorded. Everything is closed anyway.
        """
        try:
            await self.ready()
        finally:
            await self._storage.aclose()

    @short_traceback
    async def unresolved(self) -> list[Send]:
        """Return the sends whose outcome is unknown, the oldest first.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        return unknown_sends(await (await self.ready()).sends(is_unfinished=True))

    @short_traceback
    async def mark_sent(self, send: Send, *, result: str | int | None = None) -> None:
        """Record that a send or a creation happened. The same send stays refused.

        The same mark again changes nothing. To correct a mark, mark the `send` that the refusal shows.

        Args:
            send: The ledger's record, such as one of `unresolved()`.
            result: For a creation: the id of what was created, or the number of rows of an upload. The same creation
                then returns that.

        Raises:
            UsageError: The send is in progress: its own process will record the outcome. Or contacts were added: repeat
                the call instead. Or `result` is not an id. Or the ledger records something else by now; the error's
                `__cause__` has what, as `send`.
            LedgerError: The ledger cannot be written.
        """
        if is_job(send):
            raise unmarkable_error(send)
        await self._record(send, Verdict.DONE, result_of_mark(result))

    @short_traceback
    async def mark_not_sent(self, send: Send) -> None:
        """Record that a send did not happen. The same send is then allowed. The same mark again changes nothing.

        For `contacts.add_many` with a key, this forgets the call, for example because its campaign was deleted. What it
        has added stays. The key is then free, for any contacts and any campaign.

        Raises:
            UsageError: The send is in progress: its own process will record the outcome. Or the ledger records
                something else by now, as for `mark_sent`.
            LedgerError: The ledger cannot be written.
        """
        if is_job(send):
            await forget_job(await self.ready(), send, self.record_own)
        else:
            await self._record(send, Verdict.NOT_DONE)

    @short_traceback
    async def prune(self, before: datetime) -> int:
        """Delete the sends that are done and started before a time. Their keys can be used again.

        Args:
            before: An aware datetime.

        Returns:
            How many were deleted.

        Raises:
            UsageError: `before` is not an aware datetime.
            LedgerError: The ledger cannot be written.
        """
        if not isinstance(before, datetime) or before.tzinfo is None:
            raise UsageError("`before` must be an aware datetime.")
        return await (await self.ready()).prune(before)

    async def execute(
        self,
        service: str,
        request: Request[T],
        call: Callable[[Request[T]], Awaitable[T]],
        read_clocks: Callable[[], Clocks],
        prepared: Claim | None = None,
    ) -> T:
        """Execute a send, unless it was sent before. Sessions call this.

        Args:
            service: The session's `base_url`.
            request: The request to send.
            call: Sends it.
            read_clocks: Reads the clocks.
            prepared: For a creation: its claim.

        Raises:
            DuplicateSendError: It was sent before, or may have been. Nothing was sent now.
            LedgerError: The ledger cannot be written. Nothing was sent.
        """
        if prepared is None:
            claim = claim_for(service, request, read_clocks=read_clocks)
        else:
            claim = attrs.evolve(prepared, read_clocks=read_clocks)
        # A target is looked up by itself, and a send without a key is compared with nothing.
        if claim.key is not None and claim.target is None:
            claim = attrs.evolve(claim, digest=await digest(request))
        own = Claiming(
            claim, functools.partial(self._claim, claim, request), functools.partial(self._renew, claim, request)
        )
        try:
            result = await call(own.attach(request))
        except OutcomeUnknownError as error:
            if own.stored is not None:
                error.send = attrs.evolve(own.stored, state=SendState.UNKNOWN)
                await self.record_own(claim, Verdict.UNKNOWN)
                reconciler = self._reconciler(StoredClaim(own.stored, claim.digest, claim.evidence), request)
                attach_reconciler(error, reconciler, own.stored, self._recorder(own.stored, request, is_owner=True))
            raise
        except BaseException as error:
            if own.has_claim:  # All other errors of ours say that nothing was sent, or that the service refused.
                is_clear = isinstance(error, TingTingError) or not own.may_have_effect
                verdict = Verdict.NOT_DONE if is_clear else Verdict.UNKNOWN
                if isinstance(error, GeneratorExit):  # Its event loop has ended: the next use records the outcome.
                    self.note_own(claim, verdict)
                else:
                    await self.record_own(claim, verdict)
            raise
        if own.has_claim:
            created = None if request.creation is None else request.creation.identify(result)
            await self.record_own(_as_stored(claim, own.stored), Verdict.DONE, created)
        return result

    async def find(self, service: str, request: Request[Any]) -> StoredClaim | None:
        """Return the stored claim of the same send or creation, or None. Sessions call this."""
        with nothing_sent(request):
            return await (await self.ready()).find(claim_for(service, request))

    async def unfinished(self, claim: Claim) -> list[StoredClaim]:
        """Return the unfinished claims for the same target, regardless of their key. Sessions call this."""
        return await (await self.ready()).unfinished(claim)

    async def refuse_duplicate(self, service: str, request: Request[Any]) -> None:
        """Refuse a send that was sent before, ahead of other requests that prepare it. Sessions call this.

        Raises:
            DuplicateSendError: It was sent before, or may have been.
            LedgerError: The ledger cannot be read.
        """
        stored = await self.find(service, request)
        if stored is not None:
            raise await self.duplicate(stored, request)

    async def _claim(self, claim: Claim, request: Request[Any]) -> Send:
        with nothing_sent(request):
            storage = await self.ready()
            try:
                stored = await storage.claim(claim)
            except LedgerError:
                self.note_own(claim, Verdict.NOT_DONE)  # The storage may have stored it before it failed.
                raise
        if stored.send.id != claim.id:
            raise await self.duplicate(stored, request)
        return stored.send

    async def _renew(self, claim: Claim, request: Request[Any]) -> Elapsed:
        with nothing_sent(request):
            return await self._storage.renew(claim.id)

    async def duplicate(self, stored: StoredClaim, request: Request[Any]) -> TingTingError:
        """Return the error for a request that the ledger refuses because of a stored claim."""
        send, reconciler = stored.send, self._reconciler(stored, request)
        creation, is_same_key = request.creation, send.key == claim_for(send.service, request).key
        if creation is not None and is_same_key and (changed := await changed_fields(stored, request)):
            return changed_error(send, request, creation, changed)
        is_other = await is_other_send(stored, request)
        if send.state is not SendState.UNKNOWN:
            verdict = Verdict.DONE if send.state is SendState.DONE else Verdict.UNKNOWN
            reconciler = functools.partial(
                known_outcome, Reconciliation(verdict, f"The ledger records it as {send.state.value}.")
            )
        elif is_other and not send.target:
            reason = "The first send with this key had other arguments, which the ledger does not keep to look for."
            reconciler = functools.partial(known_outcome, Reconciliation(Verdict.UNKNOWN, reason))
        error = duplicate_error(send, request, is_other=is_other)
        attach_reconciler(error, reconciler, send, self._recorder(send, request, is_owner=False))
        return error

    def _reconciler(self, stored: StoredClaim, request: Request[Any]) -> Reconciler:
        creation, send = request.creation, stored.send
        claim = Claim(send.id, send.service, send.operation, send.key, send.target, digest="")

        async def look(recorded: Send | None) -> Reconciliation:
            if recorded is not None and recorded.target is not None:
                storage = await self.ready()
                is_only = not await storage.has_others(claim)
                is_latest = is_only or not await storage.has_others(claim, later=True)
                recorded = attrs.evolve(recorded, is_only=is_only, is_latest=is_latest)
            return await request.reconciler_or_advice(recorded)

        async def read_others() -> Others:
            # In this order, a creation that ends in between is in both.
            unfinished = [each for each in await self.unfinished(claim) if each.send.id != send.id]
            return unfinished, await self._storage.results(claim)

        if creation is not None:
            return lambda _: reconcile_creation(creation, stored, read_others)
        return look

    async def ready(self) -> Storage:
        """Return the storage, after all outcomes that are late have been recorded, the newest first."""
        if self._unrecorded.keys() <= self._recording:  # With many sends at once, some are always being recorded.
            return self._storage
        for claim_id in [*reversed(self._unrecorded)]:
            if claim_id in self._unrecorded and claim_id not in self._recording:
                await self._record_noted(claim_id)
        return self._storage

    async def _record(self, send: Send, verdict: Verdict, result: str | None = None) -> None:
        """Record what a person decided, as soon as the claim's owner can no longer begin."""
        decision = Decision(verdict, send.state, claim=claim_of(send), is_by_person=True)
        if rest := await (await self.ready()).record(send.id, decision, result):
            await asyncio.sleep(rest)
            await self._storage.record(send.id, attrs.evolve(decision, has_waited=True))

    async def record_own(
        self, claim: Claim, verdict: Verdict, result: str | None = None, mark: tuple[str, Verdict] | None = None
    ) -> None:
        """Record the outcome of a claim of this process. If that fails, the claim stays, and refuses the same send."""
        self.note_own(claim, verdict, result, mark)
        try:
            await self._record_noted(claim.id)
        except Exception:  # noqa: BLE001 - the send itself has its outcome, which must reach the caller
            text = "%r could not record the outcome of a send (%s). Until it can, it refuses the same send."
            with suppress(Exception):  # Log filters and handlers may raise; the caller must get the outcome.
                _log.warning(text, self, claim.operation)

    def note_own(
        self, claim: Claim, verdict: Verdict, result: str | None = None, mark: tuple[str, Verdict] | None = None
    ) -> None:
        """Note the outcome of a claim of this process, so that the next use of the storage records it."""
        restored = claim if claim.is_worth_restoring else None
        decision = Decision(verdict, is_owner=True, mark=mark, claim=restored)
        self._unrecorded[claim.id] = (decision, result)

    async def _record_noted(self, claim_id: str) -> None:
        self._recording.add(claim_id)
        try:
            await self._storage.record(claim_id, *self._unrecorded[claim_id])
            self._unrecorded.pop(claim_id, None)
        finally:
            self._recording.discard(claim_id)

    def _recorder(
        self, send: Send, request: Request[Any], *, is_owner: bool
    ) -> Callable[[Reconciliation], Awaitable[float]]:
        """Return the function that records the reconciliation of a send; see `attach_reconciler`."""
        not_before: float | None = None

        async def record(found: Reconciliation) -> float:
            nonlocal not_before
            if found.verdict is Verdict.UNKNOWN:
                return 0.0
            has_waited = not_before is not None and monotonic() >= not_before
            # If the ledger had recorded it as done, somebody may have deleted that on purpose since.
            claim = None if send.state is SendState.DONE else claim_of(send)
            decision = Decision(found.verdict, send.state, is_owner, has_waited, claim=claim)
            creation, created = request.creation, found.result
            result = None if creation is None or created is None else creation.identify(created)
            if rest := await (await self.ready()).record(send.id, decision, result):
                not_before = monotonic() + rest
            return rest

        return record


def _as_stored(claim: Claim, stored: Send | None) -> Claim:
    """Return a claim with the clocks that were stored with it, in case it has to be stored again."""
    if stored is None or not claim.is_worth_restoring or (clocks := stored.clocks) is None:
        return claim
    return attrs.evolve(claim, read_clocks=lambda: clocks)
