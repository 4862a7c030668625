"""Digests: a ledger stores them to notice later whether other content is the same."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from tingting_async.errors import LedgerError
from tingting_async.http.messages import Request
from tingting_async.persistence import run_in_thread

_COST = 2**6
"""The cost of new digests, scrypt's `n`: about 0.2 ms each, which every send with a key has to wait for."""
_OLD_COST = 2**10
"""The cost of digests that do not state their cost."""
_QUICK = 64 * 1024
"""The maximum number of characters that are hashed without a thread."""


async def digest(request: Request[Any], like: str = "") -> str:
    """Return a digest of the content of a send; see `hashed`."""
    try:
        content = request.recipient or repr(request.json)
    except RecursionError as error:
        raise _unhashable(request) from error
    return (await hashed(request, {"": (content, 16)}, like))[0]


async def hashed(request: Request[Any], texts: Mapping[str, tuple[str, int]], like: str = "") -> tuple[str, list[str]]:
    """Return a digest of the first text, and hashes of all of them in hexadecimal.

    A digest consists of the salt, the hash and the cost. Texts are salted and hashed slowly, because some are short,
    such as a code of six digits. That delays somebody who reads the ledger and guesses; it does not stop them.

    Args:
        request: Whose content it is.
        texts: By any name, each text and the length of its hash in bytes.
        like: A digest to compare with, which gives the salt and the cost. New ones if it is empty.

    Raises:
        LedgerError: The texts cannot be hashed.
    """

    def work() -> list[str]:
        return [_hash(text, salt, cost, length) for text, length in texts.values()]

    try:
        _, _, marker = like.partition(":")
        salt = bytes.fromhex(like[:32]) if like else os.urandom(16)
        cost = int(marker or _OLD_COST) if like else _COST
        is_quick = cost <= _COST and sum(len(text) for text, _ in texts.values()) <= _QUICK
        found = work() if is_quick else await run_in_thread(work)
    except (MemoryError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise _unhashable(
            request
        ) from error  # Also if the stored digest is damaged, or Python was built without scrypt.
    return f"{salt.hex()}{found[0]}" + (f":{cost}" if cost != _OLD_COST else ""), found


def _hash(text: str, salt: bytes, cost: int, length: int) -> str:
    content = text.encode(errors="surrogatepass")
    return hashlib.scrypt(content, salt=salt, n=cost, r=8, p=1, dklen=length).hex()


def _unhashable(request: Request[Any]) -> LedgerError:
    return LedgerError(f"{request.operation}: nothing was sent, because its content cannot be hashed.")
