"""What tests look at inside ledgers."""

import threading

from tingting_async import Ledger


def transaction_lock(ledger: Ledger | None) -> threading.Lock:
    """Return the lock that the ledger's thread holds while it is in a transaction, or waits to begin one."""
    lock: threading.Lock = ledger._storage._writer._in_transaction  # type: ignore[union-attr]
    return lock
