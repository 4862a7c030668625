"""Saving tokens: those whose save failed are used, and saved again until the store has them."""

import asyncio
import threading
from typing import Any

import anyio
import pytest
from support.rotation import (
    ACCOUNT,
    EXPIRED,
    LOGIN,
    REFRESH,
    FailingStore,
    RotatingService,
    assert_signed_in,
    connect,
)

from tingting_async import (
    MemoryTokenStore,
    Tokens,
    TokenStoreError,
)

pytestmark = pytest.mark.anyio


async def test_failed_save(url: str, service: RotatingService) -> None:
    """Tokens whose save failed are used, are saved with the next request, and are not requested again."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError) as caught:
            await tingting.accounts.user_details()
        assert isinstance(caught.value.__cause__, OSError)
        assert EXPIRED == await MemoryTokenStore.load(store)
        await tingting.accounts.user_details()
        assert service.tokens == await MemoryTokenStore.load(store)
    assert 1 == service.count(REFRESH)


async def test_failed_save_is_repeated_without_a_request(url: str, service: RotatingService) -> None:
    """Tokens whose save failed are saved by and by, even if the session makes no more requests."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2, 4)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        with anyio.fail_after(20):
            while service.tokens != await MemoryTokenStore.load(store):
                await asyncio.sleep(0.01)


async def test_failed_save_before_closing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Closing a session saves the tokens whose save failed, even if that needs another attempt."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2, 6)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
    assert store.operations[4:] == ["lock", "load", "save", "save", "unlock"]
    assert [] == caplog.records
    await assert_signed_in(url, store)


async def test_unsaved_tokens_are_refreshed(url: str, service: RotatingService) -> None:
    """Tokens that are not saved yet are refreshed instead of the older ones in the store."""
    store = FailingStore(EXPIRED, OSError("disk full"))
    store.fails_always = "save"
    async with connect(url, store) as tingting:
        for _ in range(3):
            with pytest.raises(TokenStoreError):
                await tingting.accounts.user_details()
            service.expire()
        store.fails_always = ""
        await tingting.accounts.user_details()
    assert (4, 0) == (service.count(REFRESH), service.count(LOGIN))
    await assert_signed_in(url, store)


async def test_unsaved_tokens_do_not_delay_requests(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request succeeds although the tokens that it uses still cannot be saved, and a warning is logged."""
    store = FailingStore(EXPIRED, OSError("disk full"))
    store.fails_always = "save"
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert ["The session's tokens are not saved yet."] == [record.message[:39] for record in caplog.records]
    assert "did not save the session's last tokens" in caplog.text


async def test_store_that_goes_back(url: str, service: RotatingService) -> None:
    """A store that has lost its last write, as after a failover, does not make the session use the old tokens again."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    async with connect(url, store) as tingting:
        await tingting.accounts.user_details()
        for older in (EXPIRED, None):
            await store.save(older)
            service.expire()
            await tingting.accounts.user_details()
    assert (3, 0) == (service.count(REFRESH), service.count(LOGIN))
    await assert_signed_in(url, store)


async def test_tokens_of_another_session_are_not_overwritten(url: str, service: RotatingService) -> None:
    """Tokens whose save failed do not replace those that another session has saved since."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2)
    async with connect(url, store) as tingting, connect(url, store, **ACCOUNT) as other:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        await other.accounts.user_details()  # Its refresh is refused, so it signs in.
        await tingting.accounts.user_details()
        assert service.tokens == await MemoryTokenStore.load(store)
    assert (2, 1) == (service.count(REFRESH), service.count(LOGIN))


async def test_explicit_sign_in_that_is_not_saved(url: str, service: RotatingService) -> None:
    """The tokens of `login()` are used and saved later if the store fails, whichever of its operations does."""
    for failing in range(4):
        store = FailingStore(Tokens("another", "another"), OSError("disk full"), failing)
        async with connect(url, store, **ACCOUNT) as tingting:
            try:
                await tingting.accounts.login()
            except TokenStoreError:
                assert failing != 1  # What cannot be loaded is replaced.
            signed_in = service.count(LOGIN)
            await tingting.accounts.user_details()
            assert signed_in == service.count(LOGIN)
            assert service.tokens == await MemoryTokenStore.load(store)


class Odd(MemoryTokenStore):
    """A store of a user's own, which does not keep to the protocol."""

    def __init__(self, **methods: Any) -> None:
        super().__init__()
        for name, method in methods.items():
            setattr(self, name, method)

    def __bool__(self) -> bool:
        return False


async def give(value: Any) -> Any:
    """Return a value."""
    return value


async def fail(error: BaseException) -> Any:
    """Raise an error."""
    raise error


@pytest.mark.parametrize(
    "methods",
    [
        {"load": lambda: give({"access": "a"})},
        {"load": lambda: give("access")},
        {"load": lambda: Tokens("not awaitable")},
        {"load": lambda: fail(asyncio.CancelledError())},
        {"load": lambda: fail(StopAsyncIteration())},
        {"load": None},
        {"lock": threading.Lock},
        {"lock": None},
        {"save": lambda: give(None)},
        {"save": lambda tokens: None},
        {"save": lambda tokens: fail(ExceptionGroup("several", [OSError()]))},
        {"save": lambda tokens: fail(asyncio.CancelledError())},
    ],
)
async def test_odd_store(url: str, service: RotatingService, methods: dict[str, Any]) -> None:
    """Whatever a store of the user's own does, the call ends with a TokenStoreError, and the session stays usable."""
    store = Odd(**methods)
    await MemoryTokenStore.save(store, EXPIRED)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError, match=r"^accounts\.user_details: nothing was sent, because signing"):
            await tingting.accounts.user_details()
        for name in methods:
            delattr(store, name)
        await tingting.accounts.user_details()
    assert 1 == service.count(REFRESH)
    await assert_signed_in(url, store)
