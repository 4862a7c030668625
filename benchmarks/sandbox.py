"""Measure the sandbox with 50,000 objects and with 50: pages over a socket, and whole runs. Print JSON.

Client and sandbox share this process. Times are its CPU time, in microseconds per page and in seconds per run; for runs
at full speed, they are wall time in seconds.
"""

import http.client
import json
import math
import statistics
import time
from contextlib import ExitStack

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.records import SentOtp

SMALL, LARGE, ROUNDS = 50, 50_000, 100
RUNS = (5_000, 50_000)
CALLS_PER_SECOND = 2
STEP = 50  # The clock moves by this many seconds between two requests for the progress.


class Client:
    """A connection to a sandbox with one campaign that has contacts, with other campaigns, and with sent OTPs."""

    def __init__(self, sandbox: Sandbox, *, contacts: int, others: int) -> None:
        world = sandbox.world
        for _ in range(others):
            world.add_campaign(world.owner, "Reminder", "PHONE", "")
            world.add_otp(SentOtp(world.id(), world.owner.id, "9800000001", "1", "1", "generated", "text", 0.0))
        self.sandbox = sandbox
        self.campaign = world.add_campaign(world.owner, "Reminder", "PHONE", "")
        self.campaign.user_phone = [1]
        for index in range(contacts):
            world.add_contact(self.campaign, str(9_800_000_000 + index), {})
        self.connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))

    def request(self, method: str, path: str) -> float:
        """Send a request, and return its CPU time."""
        headers = {"Authorization": f"Bearer {self.sandbox.api_token}"}
        start = time.process_time()
        self.connection.request(method, path, headers=headers)
        response = self.connection.getresponse()
        content = response.read()
        cpu_time = time.process_time() - start
        assert response.status == 200, content
        return cpu_time


def pages() -> dict[str, dict[str, float]]:
    """Return the CPU time of one page of each list, in a small and in a large sandbox."""
    times: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        small, large = (
            Client(
                stack.enter_context(Sandbox(campaigns=0, number_pagination=True, keep_requests=False).in_thread()),
                contacts=number,
                others=number,
            )
            for number in (SMALL, LARGE)
        )
        for number in range(ROUNDS + 1):
            for name, path in (
                ("v1 contacts", "/api/v1/campaign-detail/{}/"),
                ("v1 contacts, the last page", "/api/v1/campaign-detail/{}/?offset={}"),
                ("v1 campaigns", "/api/v1/campaign/"),
                ("v1 sent OTPs", "/api/v1/auths/list/send-otps/"),
                ("classic campaigns", "/api/system/campaigns"),
                ("classic numbers", "/api/system/campaigns/number/{}"),
            ):
                both = [
                    client.request("GET", path.format(client.campaign.id, size - 10))
                    for client, size in ((small, SMALL), (large, LARGE))
                ]
                if number:  # The first request for a list may fill caches.
                    times.setdefault(name, []).append((both[0], both[1]))
    return {
        name: {
            "small": statistics.median(each for each, _ in pairs) * 1e6,
            "large": statistics.median(each for _, each in pairs) * 1e6,
            "ratio": statistics.median(large / small for small, large in pairs),
        }
        for name, pairs in times.items()
    }


def run(calls: int) -> float:
    """Run a campaign to its end as fast as possible, polling its progress, and return the CPU time."""
    with Sandbox(campaigns=0, keep_requests=False).in_thread() as sandbox:
        client = Client(sandbox, contacts=calls, others=0)
        start = time.process_time()
        client.request("POST", f"/api/v1/run-campaign/{client.campaign.id}/")
        for _ in range(calls // CALLS_PER_SECOND // STEP + 2):
            sandbox.clock.advance(STEP)
            client.request("GET", f"/api/v1/campaign/{client.campaign.id}/")
        cpu_time = time.process_time() - start
        assert client.campaign.status == "Completed"
        assert sum(effect.kind == "call" for effect in sandbox.side_effects) == calls
    return cpu_time


def run_at_full_speed(calls: int) -> dict[str, float]:
    """Run a campaign to its end at the speed `math.inf`, polling its progress.

    Returns:
        The time of the run, and the longest time that a request took meanwhile, both in seconds.
    """
    with Sandbox(campaigns=0, speed=math.inf, keep_requests=False).in_thread() as sandbox:
        client = Client(sandbox, contacts=calls, others=0)
        start = time.perf_counter()
        client.request("POST", f"/api/v1/run-campaign/{client.campaign.id}/")
        longest = 0.0
        while client.campaign.status != "Completed":
            sent = time.perf_counter()
            client.request("GET", f"/api/v1/campaign/{client.campaign.id}/")
            longest = max(longest, time.perf_counter() - sent)
            time.sleep(0.05)
        duration = time.perf_counter() - start
        assert len(sandbox.inbox) == calls
        return {"time": duration, "longest request": longest}


print(
    json.dumps(
        {
            "pages": pages(),
            "runs": {calls: run(calls) for calls in RUNS},
            "full speed": {calls: run_at_full_speed(calls) for calls in RUNS},
        }
    )
)
