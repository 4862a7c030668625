"""The sandbox in its own thread."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
import requests

from tingting_async.sandbox import Fault, Sandbox

PROFILE = "/api/accounts/user_details/"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve seven campaigns in a thread."""
    with Sandbox(campaigns=7).in_thread() as served:
        yield served


def get(sandbox: Sandbox, path: str) -> requests.Response:
    """Send a GET without asyncio."""
    return requests.get(sandbox.url + path, headers={"Authorization": f"Bearer {sandbox.api_token}"}, timeout=20)


def test_stall(sandbox: Sandbox) -> None:
    """A plain thread can wait until a fault stalls a request, and release it."""
    fault = sandbox.faults.add(Fault("stall", path=PROFILE))
    assert fault.stalled.block(0) is False
    with ThreadPoolExecutor() as pool:
        request = pool.submit(get, sandbox, PROFILE)
        assert fault.stalled.block(20) is True
        fault.release()
        assert request.result().status_code == 200


def test_reading_while_campaigns_run(sandbox: Sandbox) -> None:
    """Every number is called once, however many threads read the side effects while campaigns run."""
    for campaign in sandbox.world.campaigns:
        response = requests.post(
            f"{sandbox.url}/api/system/campaigns/{campaign}/begin/",
            json={"message": "m"},
            headers={"Authorization": f"Bearer {sandbox.api_token}"},
            timeout=20,
        )
        assert response.status_code == 200
    together = threading.Barrier(4)

    def read() -> None:
        together.wait()
        for _ in range(60):
            sandbox.clock.advance(1)
            assert len(sandbox.side_effects) <= 28

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(read) for _ in range(4)]:
            done.result()
    sys.setswitchinterval(interval)
    reached = [effect.key for effect in sandbox.side_effects if effect.kind in ("call", "sms")]
    assert sorted(reached) == sorted(str(contact) for contact in sandbox.world.contacts)


def test_several_at_once() -> None:
    """Several sandboxes serve in one process, each with its own state and request log."""
    with Sandbox(campaigns=1).in_thread() as one, Sandbox(campaigns=2, seed=2).in_thread() as two:
        totals = [get(each, "/api/system/campaigns").json()["pagination"]["total_items"] for each in (one, two)]
        assert totals == [1, 2]
        assert get(one, PROFILE).status_code == 200
        assert (len(one.requests), len(two.requests)) == (2, 1)


def test_port_in_use(sandbox: Sandbox) -> None:
    """A port that is in use is an error in the thread that starts the sandbox."""
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), Sandbox(port=port).in_thread():
        pass


def test_trio() -> None:
    """Under trio, serving in the event loop is an error that says what to use."""

    async def serve() -> None:
        async with Sandbox():
            pass

    with pytest.raises(RuntimeError, match=r"not on trio\. There, use `with Sandbox\(\)\.in_thread\(\)`"):
        anyio.run(serve, backend="trio")
