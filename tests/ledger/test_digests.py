"""Digests: equal contents have equal ones, also those that older versions stored."""

import random
from typing import Any

import pytest

from tingting_async import LedgerError
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.digests import digest
from tingting_async.ledger.evidence import digests

pytestmark = pytest.mark.anyio

SALT = bytes(range(16)).hex()
OLD = f"{SALT}dc3abade040695144f00b6aba50a9625"
OLD_CREATION = f"{SALT}3604056b79dd22c9a4ed8e840f3399f9"
OLD_FIELDS = {"name": "ee8ad8a4", "user_phone": "5e60574b", "message": "6f96d77a"}


def otp(code: str, text: str = "") -> Request[Any]:
    """Return a request that sends a code."""
    fields = {"number": "9800000001", "otp": code} | ({"text": text} if text else {})
    return Request.send("/", Response, "otp.send", json=fields)


async def test_old_digests() -> None:
    """A digest without its cost is one of an older version, and is compared as that version made it."""
    assert OLD == await digest(otp("123456"), OLD)
    assert OLD != await digest(otp("123457"), OLD)


async def test_old_digests_of_creations() -> None:
    """The same holds for those of a creation and its fields."""
    fields = {"name": "दशैं", "user_phone": [2, 1], "message": None}
    request = Request.create("/", Response, "campaigns.create", json=fields)
    assert (OLD_CREATION, OLD_FIELDS) == await digests(request, OLD_CREATION)


async def test_new_digests() -> None:
    """A new digest has a salt of its own, and says its cost."""
    one, two = await digest(otp("123456")), await digest(otp("123456"))
    assert [64, 64] == [int(each[65:]) for each in (one, two)]
    assert one[:32] != two[:32]
    assert one[32:64] != two[32:64]


@pytest.mark.parametrize("size", [0, 70_000])
async def test_seeded_digests(size: int) -> None:
    """Content of any size and characters has the same digest again, and other content has another one."""
    chance = random.Random(size)
    for _ in range(20):
        text = "".join(chance.choice("aé\ud800😀\x00") for _ in range(1 + size + chance.randrange(100)))
        stored = await digest(otp("1", text))
        assert stored == await digest(otp("1", text), stored)
        assert stored != await digest(otp("1", text + "a"), stored)
        assert stored != await digest(otp("2", text), stored)


@pytest.mark.parametrize("stored", ["zz" * 32, f"{OLD}:", f"{OLD}:65", f"{OLD}:-2", f"{OLD}:x", f"{OLD}:{2**60}"])
async def test_damaged_digests(stored: str) -> None:
    """A stored digest that cannot be read is an error of the ledger, or another digest; it never equals."""
    try:
        assert stored != await digest(otp("123456"), stored)
    except LedgerError as error:
        assert "nothing was sent" in str(error)
