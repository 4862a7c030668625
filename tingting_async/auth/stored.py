"""The tokens of a session in its token store: the lock, loading, and saving."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import attrs

from tingting_async.auth.flow import Auth
from tingting_async.auth.tokens import Tokens
from tingting_async.errors import TingTingError, TokenStoreError
from tingting_async.persistence import BackgroundTask

_log = logging.getLogger(__name__)

CLOSING_PAUSES = (0.1, 0.4)
"""Seconds between the attempts to save tokens while the session is being closed."""


class StoredTokens:
    """The token store of a session. If the store fails with any error, every method raises `TokenStoreError`.

    Args:
        auth: The state whose store this is.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._account = None if auth.credentials is None else auth.credentials.account

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
        """Return the stored tokens, or None. Those of another account are none of this session's."""
        with _store_errors():
            tokens = await self._auth.store.load()
            if tokens is not None and not isinstance(tokens, Tokens):
                raise TypeError(f"`load()` returned {type(tokens).__name__} instead of Tokens or None")
        if tokens is None or tokens.account is None or self._account == tokens.account:
            return tokens
        if self._auth.credentials is None:
            self._account = tokens.account  # Whatever account the store has. New tokens are saved for the same.
            return tokens
        _log.warning(
            "The token store has tokens of another account. They are not used, and the session saves its own in their "
            "place. Give each account a token store of its own."
        )
        return None

    async def save(self, task: BackgroundTask) -> None:
        """Save the session's tokens. While the session is being closed, try a few times."""
        tokens = None if self._auth.tokens is None else attrs.evolve(self._auth.tokens, account=self._account)
        self._auth.is_unsaved = True
        for pause in (*CLOSING_PAUSES, None):
            try:
                with _store_errors():
                    await self._auth.store.save(tokens)
            except TokenStoreError:
                if not task.is_ending or pause is None:
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
            f"The token store failed with {type(error).__name__}. Its own error is the cause."
        ) from error
