"""Token stores that outlive the process, and are shared by several: in a file, and in Redis.

A store holds the tokens of one account on one generation of the API. `tingting_async.MemoryTokenStore` is the one that
a session uses by itself.
"""

from tingting_async.auth.stores.file import FileTokenStore
from tingting_async.auth.stores.redis import RedisTokenStore

__all__ = ["FileTokenStore", "RedisTokenStore"]
