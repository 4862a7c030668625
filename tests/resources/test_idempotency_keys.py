"""Which operations accept an idempotency key."""

import inspect
import re
from pathlib import Path
from typing import Any

import tingting_async
from tingting_async import v1
from tingting_async.resources.base import Resource

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def operations(*, with_key: bool) -> set[str]:
    """Return the operations of both generations that accept a key, or those that do not."""
    found: set[str] = set()
    for session in (tingting_async.TingTing(api_token="t"), v1.TingTing(api_token="t")):
        resources: list[tuple[str, Any]] = [(name, getattr(session, name)) for name in dir(session) if name[0] != "_"]
        for resource, value in resources:
            for name in dir(value) if isinstance(value, Resource) else ():
                accepts = name[0] != "_" and inspect.signature(getattr(value, name)).parameters
                if accepts is not False and ("idempotency_key" in accepts) is with_key:
                    found.add(f"{resource}.{name}")
    return found


def test_documented() -> None:
    """The documentation lists exactly the operations that accept a key, and names none of them among the others."""
    section = PAGE.read_text(encoding="utf-8").partition("## Idempotency keys")[2].partition("\n- **")[0]
    table, _, others = section.partition("No other operation")
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert operations(with_key=True) == set(re.findall(r"`(\w+\.\w+)`", " ".join(rows)))
    named = set(re.findall(r"`(\w+\.\w+)`", others))
    assert named
    assert named <= operations(with_key=False)
