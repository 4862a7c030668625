"""The tokens of a session in its token store: the lock, loading, and saving."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from tingting_async.auth.flow import Auth
from tingting_async.auth.tokens import Tokens
from tingting_async.errors import TingTingError, TokenStoreError
from tingting_async.persistence import Job

CLOSING_PAUSES = (0.1, 0.4)
"""Seconds between the attempts to save tokens while the session is being closed."""


class StoredTokens:
    """The token store of a session. Every method raises `TokenStoreError` if the store fails, whatever it raises.

    Args:
        auth: The state whose store this is.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Hold the store's lock."""
        with _store_errors():
            lock = self._auth.store.lock()
            await lock.__aenter__()
        try:
            yield
        finally:
            with _store_errors():
                await lock.__aexit__(*sys.exc_info())

    async def load(self) -> Tokens | None:
        """Return the stored tokens, or None."""
        with _store_errors():
            tokens = await self._auth.store.load()
            if tokens is not None and not isinstance(tokens, Tokens):
                raise TypeError(f"`load()` returned {type(tokens).__name__} instead of Tokens or None")
        return tokens

    async def save(self, job: Job) -> None:
        """Save the session's tokens. While the session is being closed, try a few times."""
        tokens = self._auth.tokens
        self._auth.is_unsaved = True
        for pause in (*CLOSING_PAUSES, None):
            try:
                with _store_errors():
                    await self._auth.store.save(tokens)
            except TokenStoreError:
                if not job.is_ending or pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                self._auth.saved()
                return


@contextmanager
def _store_errors() -> Generator[None]:
    try:
        yield
    except TingTingError:
        raise
    except BaseException as error:
        current = asyncio.current_task()
        # The end of the event loop cancels the tasks of a store, but not the one in which the store is used.
        is_from_store = isinstance(error, asyncio.CancelledError) and (current is None or not current.cancelling())
        if not is_from_store and not isinstance(error, Exception):
            raise
        raise TokenStoreError(
            f"The token store failed with {type(error).__name__}, so nothing was sent. Its own error is the cause."
        ) from error
