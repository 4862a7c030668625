from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tingting_async.ledger.claims import StoredClaim
from tingting_async.ledger.evidence import Others, pack, reconcile_creation
from tingting_async.outcomes import Creation, Look, Reconciliation, Send, SendState, Verdict

pytestmark = pytest.mark.anyio

NOTHING = Reconciliation(Verdict.NOT_DONE, "There is none.")


def claim(key: str) -> StoredClaim:
    """Return the claim of an unfinished creation, whose request left before there was anything of its name."""
    send = Send(
        key, "https://a.example", "campaigns.create", key, "campaign Fees", SendState.UNKNOWN, datetime.now(UTC)
    )
    return StoredClaim(send, "digest", pack({"ids": []}, {}, frozenset()))


async def test_waits_for_a_rival() -> None:
    """A creation waits for another of its name, whose end shows which of what was created is its own."""
    there = ["1"]
    looks: list[str] = []

    async def look(send: Send, found: Mapping[str, Any]) -> Look:
        looks.append(send.id)
        return Look([each for each in there if each not in found["ids"]], [], NOTHING)

    async def read_others() -> Others:
        if len(looks) == 1:
            return [claim("rival")], frozenset()
        there.append("2")
        return [], frozenset({"2"})

    async def unused(*_: object) -> Any:
        raise AssertionError("nothing is sent")

    creation = Creation("A campaign", unused, look, lambda each, found: each in found["ids"], str, unused)
    found = await reconcile_creation(creation, claim("own"), read_others)
    assert (Verdict.DONE, "1", ["own", "own"]) == (found.verdict, found.result, looks)
