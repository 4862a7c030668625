"""Forgetting a job that nobody can complete, for example because its campaign was deleted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from tingting_async.errors import UsageError
from tingting_async.ledger.claims import BEGUN, JOB, Claim, Decision, Storage, new_id
from tingting_async.outcomes import Send, SendState, Verdict
from tingting_async.redaction import redact


def is_job(send: object) -> bool:
    """Return whether a send is a job. Nobody knows how far a job has come.

    Raises:
        UsageError: It is not a `Send`.
    """
    if not isinstance(send, Send):
        raise UsageError("`send` must be a Send, such as one of `await ledger.unresolved()`.")
    return send.id.startswith(JOB)


def unmarkable_error(send: Send) -> UsageError:
    """Return the error for a job that a person marks as done."""
    return UsageError(
        f"{_name(send)} cannot be marked as sent: nobody knows how far it "
        "has come. Repeat the call with the same `idempotency_key`: it adds what is missing. If it cannot, because its "
        "campaign was deleted, call `mark_not_sent()`."
    )


def _name(send: Send) -> str:
    return redact(f"{send.operation} with the key {send.key!r}")


async def forget_job(storage: Storage, send: Send, record_own: Callable[..., Awaitable[Any]]) -> None:
    """Delete the claims of a job, unless it is done, so that its key is free.

    The job is taken over first, so that no other call can continue it at the same time.

    Args:
        storage: The ledger's storage.
        send: The job, as `unresolved()` shows it.
        record_own: Records the outcome of a claim of this process; see `Ledger`.

    Raises:
        UsageError: Another call works on the job, or has completed it.
        LedgerError: The storage failed.
    """
    work = Claim(f"{JOB}{new_id()}", send.service, send.operation, send.key, send.target, digest="")
    decision, mark = Decision(Verdict.NOT_DONE, SendState.UNKNOWN), None
    try:
        while (stored := await storage.claim(work)).send.id != work.id:
            if stored.send.state is SendState.DONE:
                raise UsageError(
                    f"mark_not_sent: nothing was forgotten. The ledger records {_name(send)} as done: a later call "
                    "has added everything. To add contacts again, give a new `idempotency_key`."
                )
            if rest := await storage.record(stored.send.id, decision):  # Its owner is dead, or this is refused.
                await asyncio.sleep(rest)
                await storage.record(stored.send.id, attrs.evolve(decision, has_waited=True))
        begun = await storage.find(attrs.evolve(work, operation=send.operation + BEGUN, target=f"{send.target}{BEGUN}"))
        mark = None if begun is None else (begun.send.id, Verdict.NOT_DONE)
    finally:
        await record_own(work, Verdict.NOT_DONE, mark=mark)
