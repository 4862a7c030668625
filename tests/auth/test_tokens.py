"""Tokens, credentials, and the store in memory."""

import time
from typing import Any

import jwt
import pytest

from tingting_async.auth.tokens import LEEWAY, Credentials, MemoryTokenStore, Tokens

NOW = 1_750_000_000.0


def token(**claims: Any) -> str:
    """Return a JWT."""
    return jwt.encode(claims, "k" * 32)


@pytest.mark.parametrize(
    ("claims", "refresh_at"),
    [
        ({"iat": NOW, "exp": NOW + 86400}, NOW + 86400 - LEEWAY),
        ({"iat": NOW + 1000, "exp": NOW + 4000}, NOW + 3000 - LEEWAY),
        ({"iat": NOW, "exp": NOW + 100}, NOW + 90),  # A tenth of a short lifetime.
        ({"iat": NOW + 3600, "exp": NOW + 3700}, NOW + 90),  # The clock here is an hour behind,
        ({"iat": NOW - 3600, "exp": NOW - 3500}, NOW + 90),  # and an hour ahead.
        ({"exp": NOW + 500}, NOW + 500 - LEEWAY),
        ({"exp": NOW + 100}, NOW + 90),
        ({"exp": NOW - 100}, None),
        ({"iat": NOW, "exp": NOW}, None),
        ({"iat": NOW, "exp": NOW - 5}, None),
        ({"iat": NOW}, None),
        ({}, None),
        ({"exp": None}, None),
        ({"exp": "soon"}, None),
        ({"exp": [1]}, None),
        ({"exp": 10**400}, None),
        ({"exp": float("inf")}, None),
        ({"iat": NOW, "exp": NOW + 100, "sub": 1, "jti": 2, "aud": "x", "nbf": NOW + 9999}, NOW + 90),
    ],
)
def test_refresh_at(claims: dict[str, Any], refresh_at: float | None) -> None:
    """A JWT is refreshed shortly before its lifetime is over, counted from its arrival by this machine's clock."""
    tokens = Tokens.of(token(**claims), "r", now=NOW)
    assert tokens.refresh_at == refresh_at
    assert tokens.refresh == "r"


@pytest.mark.parametrize(
    "access",
    [
        "",
        "7acbdcd5619e",
        "39106a38ac483eb4625308fe98411588",
        "a.b.c",
        "é.é.é",
        "नमस्ते",
        "..",
        "a" * 10_000,
        token() + "x",
    ],
)
def test_tokens_that_are_not_jwts(access: str) -> None:
    """A token that is not a JWT is used until it is refused."""
    assert Tokens.of(access, None) == Tokens(access)
    assert not Tokens.of(access, None).needs_refresh()


def test_needs_refresh() -> None:
    """Tokens need a refresh from their time on, by this machine's clock."""
    assert Tokens("a", refresh_at=time.time() - 1).needs_refresh()
    assert not Tokens("a", refresh_at=time.time() + 60).needs_refresh()
    assert not Tokens.of(token(iat=0, exp=100), None).needs_refresh()


def test_reprs() -> None:
    """The repr of tokens or credentials shows none of their values."""
    shown = repr([Tokens("hunter2", "hunter2"), Tokens("a1", "r1"), Credentials("sita@example.com", "hunter2")])
    assert [secret for secret in ("hunter2", "sita", "a1", "r1") if secret in shown] == []
    assert repr(Credentials("e", "p")) == "Credentials()"


@pytest.mark.anyio
async def test_memory_store() -> None:
    """The store in memory returns what was saved last, until it is deleted."""
    store, tokens = MemoryTokenStore(), Tokens("old", "refresh-1")
    assert await store.load() is None
    async with store.lock():
        await store.save(tokens)
    assert await store.load() == tokens
    await store.save(None)
    assert await store.load() is None
