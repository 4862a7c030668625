"""The classic API: create a campaign, run it and print the results, on the sandbox, so nobody is called."""

import anyio

from tingting_async import NumberStatus, OutcomeUnknownError, Services, TingTing
from tingting_async.sandbox import Sandbox


async def main() -> None:
    """Call three people."""
    async with (
        Sandbox(campaigns=0) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        campaign = await tingting.campaigns.create(
            "Dashain greetings", Services.PHONE, numbers=["9800000001", "+977 980-0000002", 9800000003]
        )
        print(f"Created campaign {campaign.id}, {campaign.name}")

        try:
            run = await tingting.campaigns.run(campaign.id, message="दशैंको शुभकामना!")
        except OutcomeUnknownError as error:
            # The response was lost, and people may already be called. The client did not send the request again. Do not
            # send it again blindly either: docs/reliability.md says what to do.
            print(error)
        else:
            print(f"Running: {run.credits_on_hold} credits are on hold")

        waiting = {NumberStatus.NOT_STARTED, NumberStatus.DIALING, NumberStatus.RINGING, NumberStatus.ANSWERED}
        while True:
            numbers = await tingting.numbers.list(campaign.id).collect()
            if not any(number.status in waiting for number in numbers):
                break
            sandbox.clock.advance(10)  # On the real service, wait instead: await anyio.sleep(10)
        for number in numbers:
            print(number)  # Shows only the last two digits.


if __name__ == "__main__":
    anyio.run(main)
