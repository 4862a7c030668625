"""Campaigns in a sandbox, and waiting for what the sandbox does by itself."""

import time
from collections.abc import Callable
from typing import Any

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.records import Campaign, Contact
from tingting_async.sandbox.running import begin


def make(sandbox: Sandbox, services: str, numbers: int, **fields: Any) -> Campaign:
    """Create a campaign of the sandbox's account."""
    campaign = sandbox.world.add_campaign(sandbox.world.owner, "n", services, "")
    for name, value in fields.items():
        setattr(campaign, name, value)
    for index in range(numbers):
        sandbox.world.add_contact(campaign, str(9800000000 + index), {})
    return campaign


def run(sandbox: Sandbox, campaign: Campaign, targets: list[Contact] | None = None, at: float | None = None) -> None:
    """Run a campaign."""
    begin(sandbox.world, sandbox.world.owner, campaign, targets or campaign.contacts, at)


def wait_for(condition: Callable[[], bool]) -> None:
    """Block this thread until a condition is met; at the end of the test's time limit, the test fails."""
    while not condition():
        time.sleep(0.005)
