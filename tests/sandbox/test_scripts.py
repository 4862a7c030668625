"""Collections and scripts of faults."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from tingting_async.sandbox import every_fault, fault_script
from tingting_async.sandbox.faults import Kind

Connect = Callable[..., Any]
PROFILE = "/api/accounts/user_details/"


def test_every_fault() -> None:
    """There is a variant of every kind, with the given conditions, and no two have the same repr."""
    found = every_fault(path="/a/", times=2)
    assert {fault.kind for fault in found} == set(get_args(Kind))
    assert {(fault.path, fault.times) for fault in found} == {("/a/", 2)}
    assert len({repr(fault) for fault in found}) == len(found)
    assert {fault.kind for fault in every_fault(kinds=("reset", "stall"))} == {"reset", "stall"}


def test_seed() -> None:
    """The same seed returns the same script, other seeds return others, and all kinds occur."""
    scripts = [repr(fault_script(seed, path="/a/", length=4)) for seed in range(200)]
    assert scripts == [repr(fault_script(seed, path="/a/", length=4)) for seed in range(200)]
    assert len(set(scripts)) == 200
    assert all(f"kind='{kind}'" in str(scripts) for kind in get_args(Kind))


@pytest.mark.anyio
async def test_one_fault_per_request(connect: Connect) -> None:
    """The faults of a script trigger on one request each, in order; later requests are served normally."""
    async with connect() as (sandbox, http):
        script = fault_script(1, path=PROFILE, kinds=("status", "redirect"))
        seen: list[int] = []
        with sandbox.faults.during(script):
            for _ in range(4):
                async with http.get(PROFILE, allow_redirects=False) as response:
                    seen.append(response.status)
        assert seen == [*(fault.status for fault in script), 200]
