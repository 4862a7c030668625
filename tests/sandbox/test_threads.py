"""The sandbox beside code that does not run in its event loop: plain threads, and other loops."""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
import requests

from tingting_async.sandbox import Fault, Sandbox
from tingting_async.sandbox.events import Event

PROFILE = "/api/accounts/user_details/"


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Override what the plugin's sandbox is made of."""
    return {"campaigns": 7}


def ask(sandbox: Sandbox, path: str) -> requests.Response:
    """Ask without asyncio."""
    return requests.get(sandbox.url + path, headers={"Authorization": f"Bearer {sandbox.api_token}"}, timeout=20)


def test_plugin(tingting_sandbox: Sandbox) -> None:
    """The plugin's fixture serves code that does not use asyncio, with the options that a suite gives."""
    assert ask(tingting_sandbox, "/api/system/campaigns").json()["pagination"]["total_items"] == 7


@pytest.mark.anyio
async def test_plugin_in_a_loop(tingting_sandbox: Sandbox) -> None:
    """The plugin's fixture serves async tests: they await its faults in their own loop, and release them from there."""
    fault = tingting_sandbox.faults.add(Fault("stall", path=PROFILE))
    async with aiohttp.ClientSession(tingting_sandbox.url) as http:
        asked = asyncio.ensure_future(http.get(PROFILE))
        await fault.stalled.wait()
        fault.release()
        async with await asked as answer:
            assert answer.status == 401
    await tingting_sandbox.wait_idle()
    assert tingting_sandbox.in_flight == 0


def test_stall_in_a_thread(tingting_sandbox: Sandbox) -> None:
    """A plain thread waits for a fault to strike, and releases it."""
    fault = tingting_sandbox.faults.add(Fault("stall", path=PROFILE))
    assert fault.stalled.block(0) is False
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, tingting_sandbox, PROFILE)
        assert fault.stalled.block(20) is True
        fault.release()
        assert asked.result().status_code == 200


def test_looking_on_while_it_runs(tingting_sandbox: Sandbox) -> None:
    """However many threads look while campaigns run, every number is called once."""
    for campaign in tingting_sandbox.world.campaigns:
        reply = requests.post(
            f"{tingting_sandbox.url}/api/system/campaigns/{campaign}/begin/",
            json={"message": "m"},
            headers={"Authorization": f"Bearer {tingting_sandbox.api_token}"},
            timeout=20,
        )
        assert reply.status_code == 200
    together = threading.Barrier(4)

    def look() -> None:
        together.wait()
        for _ in range(60):
            tingting_sandbox.clock.advance(1)
            assert len(tingting_sandbox.side_effects) <= 28

    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor() as pool:
        for looked in [pool.submit(look) for _ in range(4)]:
            looked.result()
    sys.setswitchinterval(often)
    reached = [effect.key for effect in tingting_sandbox.side_effects if effect.kind in ("call", "sms")]
    assert sorted(reached) == sorted(str(contact) for contact in tingting_sandbox.world.contacts)


def test_several_at_once() -> None:
    """Several sandboxes serve in one process, each its own world."""
    with Sandbox(campaigns=1).in_thread() as one, Sandbox(campaigns=2, seed=2).in_thread() as two:
        totals = [ask(each, "/api/system/campaigns").json()["pagination"]["total_items"] for each in (one, two)]
        assert totals == [1, 2]
        assert ask(one, PROFILE).status_code == 200
        assert (len(one.requests), len(two.requests)) == (2, 1)


def test_taken_port(tingting_sandbox: Sandbox) -> None:
    """A port that is taken is an error where the sandbox is started, not in its thread."""
    port = int(tingting_sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), Sandbox(port=port).in_thread():
        pass


@pytest.mark.anyio
async def test_event() -> None:
    """An event wakes whoever waits, is there for who comes late, and forgets who went away."""
    event = Event()
    gone, waiting = asyncio.ensure_future(event.wait()), asyncio.ensure_future(event.wait())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.to_thread(event.set)
    await waiting
    await event.wait()
    assert (event.is_set(), gone.cancelled()) == (True, True)
    event.clear()
    assert not event.is_set()


def test_event_of_a_closed_loop() -> None:
    """An event outlives the loop of one who waited for it."""
    event = Event()

    async def begin_to_wait() -> Any:
        waiting = event.wait()
        waiting.send(None)
        return waiting

    waiting = asyncio.run(begin_to_wait())
    event.set()
    assert event.is_set()
    waiting.close()
