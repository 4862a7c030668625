"""Create a campaign, run it, and see what came of it: on the sandbox, so nobody's telephone rings."""

import anyio

from tingting_async import NumberStatus, OutcomeUnknownError, Services, TingTing
from tingting_async.sandbox import Sandbox


async def main() -> None:
    """Reach three people."""
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
            # The answer was lost, and people may be answering already: it was not, and must not be, sent again blindly.
            print(error)
        else:
            print(f"Running: {run.credits_on_hold} credits are on hold")

        waiting = {NumberStatus.NOT_STARTED, NumberStatus.DIALING, NumberStatus.RINGING, NumberStatus.ANSWERED}
        while True:
            numbers = await tingting.numbers.list(campaign.id).collect()
            if not any(number.status in waiting for number in numbers):
                break
            sandbox.clock.advance(10)  # Of the real service one would ask every few seconds: await anyio.sleep(10)
        for number in numbers:
            print(number)  # Shows the last two digits only.


if __name__ == "__main__":
    anyio.run(main)
