"""What tests look at inside ledgers."""

import threading
from typing import Any


def transaction_lock(ledger: Any) -> threading.Lock:
    """Return the lock that the ledger's thread holds while it is in a transaction, or waits to begin one."""
    lock: threading.Lock = ledger._storage._writer._in_transaction
    return lock
