"""Claims: which sends and creations are the same, and what a storage keeps of them.

A claim is a row that stands for one attempt. It is stored just before the first byte of the request leaves, and its
outcome is recorded afterwards. If the process ends in between, the claim stays, and the same send is refused.
"""

import os
import time
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, Self

import attrs

from tingting_async.errors import LedgerError, UsageError
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request
from tingting_async.ledger.marks import missing_send, require_effect
from tingting_async.outcomes import Clocks, Send, SendState, Verdict
from tingting_async.redaction import repr_text

MAX_KEY_LENGTH = 200
MAX_DELAY = 5.0
"""Seconds after its claim was stored or renewed in which a request may begin. Later, its owner sends nothing.

A process may stop between the two, e.g. because its machine is overloaded, and continue after others took it for dead.
"""
MARGIN = 1.0
"""Seconds after `MAX_DELAY` in which others still do not free a claim whose owner is dead."""


JOB = "job-"
"""The prefix of the ids of a job's claims (`jobs.py`)."""
BEGUN = " (begun)"
"""The suffix of the operation and the target in the claim that marks a job as begun."""


@attrs.frozen
class Claim:
    """A send, or a creation with a key, that is about to leave.

    Attributes:
        id: The unique id of this attempt.
        service: The session's `base_url`.
        operation: The name of the operation.
        key: The `idempotency_key`; None if none was given. A key is used once for each service and operation, and once
            for each service and target.
        target: What is sent as a whole, e.g. `"campaign 7"`. Without a key, a target is used once for each service.
        digest: Shows whether a later send with the same key has the same content; empty if nothing compares it.
        evidence: For a creation: what was known before the request left, as JSON. Afterwards, it shows what is new.
        seen: For a creation: the ids of the unfinished claims for the same target that the evidence allows for. Any
            other unfinished claim for the target refuses this one, regardless of its key. None for a send.
        read_clocks: Reads the clocks.
    """

    id: str
    service: str
    operation: str
    key: str | None = attrs.field(repr=repr_text)
    target: str | None = attrs.field(repr=repr_text)
    digest: str
    evidence: str = attrs.field(default="", repr=False)
    seen: frozenset[str] | None = attrs.field(default=None, repr=False)
    read_clocks: Callable[[], Clocks] = attrs.field(default=lambda: read_clocks(None), repr=False, eq=False)

    @property
    def is_worth_restoring(self) -> bool:
        """Whether to store it again if it was deleted and turns out to be done: only if it would refuse another claim.

        Another call may have taken over a job, so its claims are not restored.
        """
        return (self.key is not None or self.target is not None) and not self.id.startswith(JOB)


@attrs.frozen
class Elapsed:
    """The time since a moment. The larger of two clocks' values counts: one clock stops while the machine sleeps."""

    monotonic: float
    time: float

    @classmethod
    def start(cls) -> Self:
        """Start now."""
        return cls(time.monotonic(), time.time())

    def seconds(self) -> float:
        """Return how many seconds have passed."""
        return max(time.monotonic() - self.monotonic, time.time() - self.time)


def claim_of(send: Send) -> Claim | None:
    """Return the claim of a send that was stored before; None if it is not worth restoring."""
    clocks = send.clocks or Clocks(send.started_at, None, 0.0)
    given = (send.id, send.service, send.operation, send.key, send.target)
    claim = Claim(*given, digest="", read_clocks=lambda: clocks)
    return claim if claim.is_worth_restoring else None


def require_in_time(renewed: Elapsed | None, operation: str) -> None:
    """Make sure that a request may still begin.

    Args:
        renewed: The time since its claim was stored or renewed; None if it was not.
        operation: The operation, for the error.

    Raises:
        LedgerError: Too much time has passed. The request must not leave.
    """
    if renewed is None or renewed.seconds() > MAX_DELAY:
        raise LedgerError(
            f"{operation}: nothing was sent, because this process was stopped or overloaded for more than "
            f"{MAX_DELAY:g} s, and others may take it for dead by now. Call again."
        )


def may_begin_for(age: float | None) -> float:
    """Return for how many seconds the owner of a claim may still begin.

    Args:
        age: The seconds since the claim was stored or renewed; None if its owner has recorded an outcome. It may be
            wrong, because machines restart and clocks are set; nobody waits longer than for a new claim.
    """
    limit = MAX_DELAY + MARGIN
    return 0.0 if age is None else min(max(limit - age, 0.0), limit)


@attrs.frozen
class StoredClaim:
    """A claim as the storage has it.

    Attributes:
        send: What users see.
        digest: See `Claim`.
        evidence: See `Claim`.
        may_begin_for: Seconds for which its owner may still begin; 0 if it has recorded an outcome.
    """

    send: Send
    digest: str
    evidence: str = attrs.field(default="", repr=False)
    may_begin_for: float = 0.0


class InProgressError(UsageError):
    """A claim is in progress, so that only its owner may record what becomes of it."""


@attrs.frozen
class Decision:
    """What somebody knows about a claim, to be recorded unless the claim says otherwise by then.

    Attributes:
        verdict: `DONE` keeps the claim, `NOT_DONE` deletes it, `UNKNOWN` ends its being in progress.
        known: The state in which they saw the send before they found that out.
        is_owner: Whether they sent it.
        has_waited: Whether they waited as long as the owner could begin.
        mark: Only for the work claim of a job: the id of the job's mark claim, and the verdict to record for it. It is
            recorded in the same transaction, and only if the work claim is still stored and not done. A call that takes
            over the job deletes the work claim first, and needs the mark.
        claim: With `DONE`: what to store if somebody has deleted the claim meanwhile, because the send seemed not to
            have happened. Another claim of the same key or target is left as it is.
        is_by_person: Whether a person has marked the send, who must learn of it if the mark changes nothing.
    """

    verdict: Verdict
    known: SendState = SendState.IN_PROGRESS
    is_owner: bool = False
    has_waited: bool = False
    mark: tuple[str, Verdict] | None = attrs.field(default=None, repr=False)
    claim: Claim | None = attrs.field(default=None, repr=False)
    is_by_person: bool = False

    def verdict_for(self, send: Send, result: str | None = None) -> Verdict | None:
        """Return the verdict to record for the send as it is now; None to leave it as it is.

        Raises:
            InProgressError: The send is in progress, and the caller did not send it.
            UsageError: A person's mark would change nothing.
        """
        if send.state is SendState.IN_PROGRESS and not self.is_owner:
            raise InProgressError(
                f"The send {send.id} ({send.operation}) is in progress: its own process will record the outcome."
            )
        if send.state is SendState.DONE and self.known is not SendState.DONE:
            if self.is_by_person:
                require_effect(send, self.verdict, result)
            return None  # Somebody who knew more recorded it as done after the caller checked.
        return self.verdict

    def check_missing(self, found: StoredClaim | None, result: str | None) -> None:
        """Check a decision about a claim that is not stored, after it was restored if it has to be.

        Args:
            found: The stored claim that refuses the same send: the restored one or another; None if there is none.
            result: The result that was given.

        Raises:
            UsageError: A person's mark has changed nothing.
        """
        if self.is_by_person and found is not None:
            require_effect(found.send, self.verdict, result)
        elif self.is_by_person and self.verdict is Verdict.DONE:
            raise missing_send(self.verdict)

    def rest(self, stored: StoredClaim) -> float:
        """Return for how many seconds the claim must not be deleted yet, because its owner may still begin."""
        is_free = self.is_owner or self.has_waited or self.verdict is not Verdict.NOT_DONE
        return 0.0 if is_free or stored.send.state is not SendState.UNKNOWN else stored.may_begin_for


def unknown_sends(unfinished: list[Send]) -> list[Send]:
    """Return the sends whose outcome is unknown, one for each job."""
    at_work = {(send.service, send.operation, send.key) for send in unfinished if send.id.startswith(JOB)}
    found: list[Send] = []
    for each in unfinished:
        send, operation = each, each.operation.removesuffix(BEGUN)
        if operation != each.operation and each.id.startswith(JOB):
            if (each.service, operation, each.key) in at_work:
                continue
            send = attrs.evolve(each, operation=operation, target=(each.target or "").removesuffix(BEGUN))
        if send.state is SendState.UNKNOWN:
            found.append(send)
    return found


class Storage(Protocol):
    """Where a ledger keeps claims. It knows no requests. Each method is one transaction.

    Every method raises `LedgerError` if the storage fails, and ends its work even if its caller is cancelled.
    """

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim durably, and return it; or return the stored claim that it duplicates, if there is one."""
        ...

    async def renew(self, id: str) -> Elapsed:
        """Renew a claim of this process, whose request is about to begin, and return the time since then.

        Raises:
            LedgerError: The claim is no longer its own, or the storage fails. The request must not begin.
        """
        ...

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate, or None."""
        ...

    async def unfinished(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target that are not done, the oldest first."""
        ...

    async def results(self, claim: Claim) -> frozenset[str]:
        """Return the results of the other claims for the same service and target that are done."""
        ...

    async def has_others(self, claim: Claim, *, later: bool = False) -> bool:
        """Return whether another key, or none, has a claim for the same service and target, done or not.

        A claim with the same key stands for the same send. With `later`, only those claims count that were stored later
        than this one. If this one is not stored, all count.
        """
        ...

    async def record(self, id: str, decision: Decision, result: str | None = None) -> float:
        """Record a decision about the stored claim of this id, if there is one.

        With `DONE`, a `result` that is not None is stored, too: the id of what was created.

        Returns:
            For how many seconds it is too early, because the claim's owner may still begin; then nothing was recorded.
            0 otherwise.
        """
        ...

    async def sends(self, *, is_unfinished: bool = False) -> list[Send]:
        """Return all sends, or those that are not done, the oldest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Delete the claims that are done and started before a time, and return how many there were.

        A creation stays as long as there is an unfinished claim for its service and target. To find out what became of
        that claim, one must know which results belong to others.
        """
        ...

    async def aclose(self) -> None:
        """Close the storage. The next use opens it again."""
        ...


def new_id() -> str:
    """Return a unique id that begins with the time.

    Most ids are greater than earlier ones. After the clock is set back, and between processes, they may not be. Only
    speed depends on it: a storage keeps an index of the ids. Those in order share the last page of it. Each of the
    others would have a page of its own to write, which takes most of the time of a commit.
    """
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"


def claim_for(service: str, request: Request[Any], **options: Any) -> Claim:
    """Return the claim of a request.

    Args:
        service: The session's `base_url`.
        request: The request.
        options: Other fields of the claim.

    Raises:
        UsageError: Its `idempotency_key` is not valid.
    """
    key, target = _given_key(request), request.send_target or None
    return Claim(new_id(), service, request.operation, key, target, digest="", **options)


def _given_key(request: Request[Any]) -> str | None:
    if (key := request.idempotency_key) is None:
        return None
    require_key(request.operation, key)
    # On some systems, the same text has other code points in a file name than when it is typed.
    return unicodedata.normalize("NFC", key)


def require_key(operation: str, key: object) -> None:
    """Refuse an `idempotency_key` that is not valid.

    Raises:
        UsageError: It is not a string, is too long, or would look like another key.
    """
    if not isinstance(key, str) or not key or key != key.strip() or not key.isprintable():
        raise UsageError(f"{operation}: `idempotency_key` must be a string on one line, with no space around it.")
    if len(key) > MAX_KEY_LENGTH:
        raise UsageError(f"{operation}: `idempotency_key` has {len(key)} characters; the limit is {MAX_KEY_LENGTH}.")


@contextmanager
def nothing_sent(request: Request[Any]) -> Generator[None]:
    """Say in the storage's errors which operation failed, and that nothing was sent."""
    try:
        yield
    except LedgerError as error:
        text = f"{request.operation}: nothing was sent, because the ledger failed. {error}"
        raise LedgerError(text) from error.__cause__
