"""The part of the ledger that knows requests: what is refused, and what becomes of a claim."""

import functools
import logging
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import attrs

from tingting_async.errors import DuplicateSendError, LedgerError, OutcomeUnknownError, TingTingError, UsageError
from tingting_async.http.messages import Request, T
from tingting_async.ledger.claims import Claim, Storage, StoredClaim, claim_for, digest
from tingting_async.ledger.evidence import changed_fields, reconcile_creation
from tingting_async.outcomes import (
    Clocks,
    Creation,
    Reconciler,
    Reconciliation,
    Send,
    SendState,
    Verdict,
    attach_reconciler,
)
from tingting_async.redaction import redact
from tingting_async.tracebacks import short_traceback

_log = logging.getLogger("tingting_async")


class Ledger:
    """Records every send, so that nothing is sent twice: by no task, no process and no later run.

    This is the type of a session's argument `ledger`, for annotations. `SqliteLedger` is the one to use. How a ledger
    is constructed, what sessions call, and the storage behind it are internal while there is only one backend.

    Args:
        storage: Keeps the claims.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._unrecorded: dict[str, tuple[Callable[[Send], Verdict | None], str | None]] = {}
        """Outcomes that the storage has still to record. They are recorded before it is used again."""

    @short_traceback
    async def unresolved(self) -> list[Send]:
        """Return the sends whose outcome is unknown, the oldest first.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        return [send for send in await (await self._ready()).sends() if send.state is SendState.UNKNOWN]

    @short_traceback
    async def mark_sent(self, send: Send, *, result: str | int | None = None) -> None:
        """Record that a send or a creation happened. The same send stays refused.

        Args:
            send: The ledger's record, such as one of `unresolved()`.
            result: Of a creation: the id of what was created. The same creation then returns that.

        Raises:
            UsageError: The send is in progress: its own process will record the outcome.
            LedgerError: The ledger cannot be written.
        """
        id_ = None if result is None else str(result)
        await self._record(_require_send(send), Verdict.DONE, id_, known=send.state)

    @short_traceback
    async def mark_not_sent(self, send: Send) -> None:
        """Record that a send did not happen. The same send is then allowed, unless it was recorded as done meanwhile.

        Raises:
            UsageError: The send is in progress.
            LedgerError: The ledger cannot be written.
        """
        await self._record(_require_send(send), Verdict.NOT_DONE, known=send.state)

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
        return await (await self._ready()).prune(before)

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
            read_clocks: Returns what the clocks show.
            prepared: Its claim, of a creation.

        Raises:
            DuplicateSendError: It was sent before, or may have been. Nothing was sent now.
            LedgerError: The ledger cannot be written. Nothing was sent.
        """
        claim = attrs.evolve(prepared or claim_for(service, request), read_clocks=read_clocks)
        # A target is looked up by itself, and a send without a key is compared with nothing.
        if claim.key is not None and claim.target is None:
            claim = attrs.evolve(claim, digest=await digest(request, os.urandom(16)))
        stored: Send | None = None
        has_claim = may_have_effect = False

        async def before_send() -> None:
            nonlocal stored, has_claim, may_have_effect
            if stored is None:  # A retry, of what is known to have had no effect, keeps its claim.
                has_claim = True  # From here on: if this is cancelled while the storage works, the claim is deleted.
                try:
                    stored = await self._claim(claim, request)
                except TingTingError:
                    has_claim = False
                    raise
            may_have_effect = True

        def without_effect() -> None:
            nonlocal may_have_effect
            may_have_effect = False

        try:
            result = await call(attrs.evolve(request, before_send=before_send, without_effect=without_effect))
        except OutcomeUnknownError as error:
            if stored is not None:
                error.send = attrs.evolve(stored, state=SendState.UNKNOWN)
                await self._record_own(claim, Verdict.UNKNOWN)
                own = StoredClaim(stored, claim.digest, claim.evidence)
                on_reconciled = functools.partial(self._record_reconciliation, own, request.creation, is_owner=True)
                attach_reconciler(error, self._reconciler(own, request), stored, on_reconciled)
            raise
        except BaseException as error:
            if has_claim:  # All other errors of ours say that nothing was sent, or that the service refused.
                is_clear = isinstance(error, TingTingError) or not may_have_effect
                self._note_own(claim, Verdict.NOT_DONE if is_clear else Verdict.UNKNOWN)
                if not isinstance(error, GeneratorExit):  # Its event loop has ended: the next use records the outcome.
                    await self._record_noted(claim)
            raise
        if has_claim:
            created = None if request.creation is None else request.creation.identify(result)
            await self._record_own(claim, Verdict.DONE, created)
        return result

    async def find(self, service: str, request: Request[Any]) -> StoredClaim | None:
        """Return the stored claim of the same send or creation, or None. Sessions call this."""
        with _nothing_sent(request):
            return await (await self._ready()).find(claim_for(service, request))

    async def same_target(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same target, whatever their key. Sessions call this."""
        return await (await self._ready()).same_target(claim)

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
        with _nothing_sent(request):
            storage = await self._ready()
            try:
                stored = await storage.claim(claim)
            except LedgerError:
                self._note_own(claim, Verdict.NOT_DONE)  # The storage may have stored it before it failed.
                raise
        if stored.send.id != claim.id:
            raise await self.duplicate(stored, request)
        return stored.send

    async def duplicate(self, stored: StoredClaim, request: Request[Any]) -> TingTingError:
        """Return the error for a request that the ledger refuses because of a stored claim."""
        send, reconciler = stored.send, self._reconciler(stored, request)
        is_same_key = request.creation is not None and send.key == claim_for(send.service, request).key
        if is_same_key and (changed := await changed_fields(stored, request)):
            return _changed_error(send, request, changed)
        if send.state is not SendState.UNKNOWN:
            verdict = Verdict.DONE if send.state is SendState.DONE else Verdict.UNKNOWN
            reconciler = functools.partial(
                _known_outcome, Reconciliation(verdict, f"The ledger records it as {send.state.value}.")
            )
        elif (
            request.creation is None
            and stored.digest
            and stored.digest != await digest(request, bytes.fromhex(stored.digest[:32]))
        ):
            reason = "The first send with this key had another content, which the ledger does not keep to look for."
            reconciler = functools.partial(_known_outcome, Reconciliation(Verdict.UNKNOWN, reason))
        error = _duplicate_error(send, request)
        attach_reconciler(
            error,
            reconciler,
            send,
            functools.partial(self._record_reconciliation, stored, request.creation, is_owner=False),
        )
        return error

    def _reconciler(self, stored: StoredClaim, request: Request[Any]) -> Reconciler | None:
        creation = request.creation
        if creation is None:
            return request.reconciler

        async def read_others() -> list[StoredClaim]:
            send = stored.send
            claim = Claim(send.id, send.service, send.operation, send.key, send.target, digest="")
            return [each for each in await self.same_target(claim) if each.send.id != send.id]

        return lambda _: reconcile_creation(creation, stored, read_others)

    async def _ready(self) -> Storage:
        """Return the storage, after all outcomes have been recorded, the newest first."""
        for claim_id, (decide, result) in [*reversed(self._unrecorded.items())]:
            await self._storage.record(claim_id, decide, result)
            self._unrecorded.pop(claim_id, None)
        return self._storage

    async def _record(
        self, id: str, verdict: Verdict, result: str | None = None, *, known: SendState, is_owner: bool = False
    ) -> None:
        decide = functools.partial(_decide, verdict=verdict, known=known, is_owner=is_owner)
        await (await self._ready()).record(id, decide, result)

    async def _record_own(self, claim: Claim, verdict: Verdict, result: str | None = None) -> None:
        """Record the outcome of a claim of this process. If that fails, the claim stays, and refuses the same send."""
        self._note_own(claim, verdict, result)
        await self._record_noted(claim)

    def _note_own(self, claim: Claim, verdict: Verdict, result: str | None = None) -> None:
        """Note the outcome of a claim of this process, so that the next use of the storage records it."""
        # As the newest, it does not wait for outcomes that are late.
        decide = functools.partial(_decide, verdict=verdict, known=SendState.IN_PROGRESS, is_owner=True)
        self._unrecorded[claim.id] = (decide, result)

    async def _record_noted(self, claim: Claim) -> None:
        try:
            await self._ready()
        except Exception:  # noqa: BLE001 - the send itself has its outcome, which must reach the caller
            if claim.id not in self._unrecorded:
                return  # Only an older outcome is still unrecorded, which was logged then.
            text = "%r could not record the outcome of a send (%s). Until it can, it refuses the same send."
            with suppress(Exception):  # Log filters and handlers may raise; the caller must get the outcome.
                _log.warning(text, self, claim.operation)

    async def _record_reconciliation(
        self, stored: StoredClaim, creation: Creation | None, found: Reconciliation, *, is_owner: bool
    ) -> None:
        if found.verdict is not Verdict.UNKNOWN:
            is_created = creation is not None and found.result is not None
            result = creation.identify(found.result) if creation is not None and is_created else None
            await self._record(stored.send.id, found.verdict, result, known=stored.send.state, is_owner=is_owner)


def _require_send(send: object) -> str:
    """Return the id of a send."""
    if not isinstance(send, Send):
        raise UsageError("`send` must be a Send, such as one of `await ledger.unresolved()`.")
    return send.id


@contextmanager
def _nothing_sent(request: Request[Any]) -> Generator[None]:
    """Say in the storage's errors which operation failed, and that nothing was sent."""
    try:
        yield
    except LedgerError as error:
        text = f"{request.operation}: nothing was sent, because the ledger failed. {error}"
        raise LedgerError(text) from error.__cause__


def _decide(stored: Send, *, verdict: Verdict, known: SendState, is_owner: bool) -> Verdict | None:
    """Return the verdict to record for a stored send; None to leave it as it is.

    Args:
        stored: The send as it is now.
        verdict: What the caller found out.
        known: The state in which the caller saw the send before that.
        is_owner: Whether the caller sent it.

    Raises:
        UsageError: The send is in progress, and the caller did not send it.
    """
    if stored.state is SendState.IN_PROGRESS and not is_owner:
        raise UsageError(
            f"The send {stored.id} ({stored.operation}) is in progress: its own process will record the outcome."
        )
    if stored.state is SendState.DONE and known is not SendState.DONE:
        return None  # It was recorded as done after the caller looked, by somebody who knew more.
    return verdict


async def _known_outcome(outcome: Reconciliation, _: Send | None) -> Reconciliation:
    """Be the reconciler of a send whose outcome the ledger knows."""
    return outcome


def _changed_error(send: Send, request: Request[Any], changed: list[str]) -> UsageError:
    names = " and ".join(f"`{name}`" for name in changed)
    return UsageError(
        f"{request.operation}: nothing was sent. The first call with {redact(f'the key {send.key!r}')} "
        f"({send.started_at:%Y-%m-%d %H:%M:%S} UTC) had another content: {names} differ. Give the same arguments as "
        "then, or a new `idempotency_key`."
    )


def _duplicate_error(send: Send, request: Request[Any]) -> DuplicateSendError:
    advice = {
        SendState.DONE: "To send again on purpose, give a new `idempotency_key`.",
        SendState.IN_PROGRESS: "A running process is waiting for the response: try again later.",
        SendState.UNKNOWN: "It may have been sent. Call this error's `reconcile()`; if the verdict is unknown, call "
        "`mark_sent()` or `mark_not_sent()` of the ledger.",
    }[send.state]
    what = f"the target {send.target!r}" if send.key is None else f"the key {send.key!r}"
    details = send.operation if send.key is None or send.target is None else f"{send.operation}, {send.target}"
    return DuplicateSendError(
        f"{request.operation}: nothing was sent. The ledger records {redact(what)} as {send.state.value} "
        f"({redact(details)}, {send.started_at:%Y-%m-%d %H:%M:%S} UTC). {advice}",
        operation=request.operation,
        send=send,
    )
