"""Claims: which sends and creations are the same, and what a storage keeps of them.

A claim is a row that stands for one attempt. It is stored just before the first byte of the request leaves, and its
outcome is recorded afterwards. If the process ends in between, the claim stays, and the same send is refused.
"""

import hashlib
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import attrs

from tingting_async.errors import LedgerError, UsageError
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request
from tingting_async.outcomes import Clocks, Send, Verdict
from tingting_async.persistence import run_in_thread
from tingting_async.redaction import repr_text

MAX_KEY_LENGTH = 200


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
        evidence: Of a creation: what was known before the request left, as JSON. Afterwards, it shows what is new.
        seen: Of a creation: the ids of the unfinished claims for the same target that the evidence allows for. Any
            other unfinished claim for the target refuses this one, whatever its key. None for a send.
        read_clocks: Returns what the clocks show.
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


@attrs.frozen
class StoredClaim:
    """A claim as the storage has it: what users see, the digest, and the evidence."""

    send: Send
    digest: str
    evidence: str = ""


class Storage(Protocol):
    """Where a ledger keeps claims. It knows no requests. Each method is one transaction.

    Every method raises `LedgerError` if the storage fails, and ends its work even if its caller is cancelled.
    """

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim durably, and return it; or return the stored claim that it duplicates, if there is one."""
        ...

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate, or None."""
        ...

    async def same_target(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target, whatever their key, the oldest first."""
        ...

    async def record(self, id: str, decide: Callable[[Send], Verdict | None], result: str | None = None) -> None:
        """Record the verdict that `decide` returns for the stored claim of this id, if there is one.

        `DONE` keeps the claim, `NOT_DONE` deletes it, `UNKNOWN` ends its being in progress, None leaves it as it is.
        With `DONE`, a `result` that is not None is stored, too: the id of what was created.
        """
        ...

    async def sends(self) -> list[Send]:
        """Return all sends, the oldest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Delete the claims that are done and started before a time, and return how many there were."""
        ...


def claim_for(service: str, request: Request[Any]) -> Claim:
    """Return the claim of a request.

    Raises:
        UsageError: Its `idempotency_key` is not valid.
    """
    key, target = _given_key(request), request.send_target or None
    return Claim(uuid4().hex, service, request.operation, key, target, digest="")


def _given_key(request: Request[Any]) -> str | None:
    key: object = request.idempotency_key
    if key is None:
        return None
    if not isinstance(key, str) or not key or key != key.strip() or not key.isprintable():
        raise UsageError(
            f"{request.operation}: `idempotency_key` must be a string on one line, with no space around it."
        )
    if len(key) > MAX_KEY_LENGTH:
        raise UsageError(
            f"{request.operation}: `idempotency_key` has {len(key)} characters; the limit is {MAX_KEY_LENGTH}."
        )
    # The same text has other code points in a file name, on some systems, than when it is typed.
    return unicodedata.normalize("NFC", key)


async def digest(request: Request[Any], salt: bytes) -> str:
    """Return the salt and a hash of the content, both in hexadecimal."""
    # Salted and slow, so that a code of six digits cannot be guessed from it at once.
    try:
        content = repr(request.json).encode(errors="surrogatepass")
        hashed = await run_in_thread(lambda: hashlib.scrypt(content, salt=salt, n=2**10, r=8, p=1, dklen=16))
    except (RecursionError, MemoryError, ValueError, AttributeError) as error:  # Some builds of Python lack scrypt.
        raise LedgerError(f"{request.operation}: nothing was sent, because its content cannot be hashed.") from error
    return salt.hex() + hashed.hex()
