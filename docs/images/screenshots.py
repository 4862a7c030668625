"""Take the screenshots of the sandbox's page: `make screenshots`."""

import math
from pathlib import Path
from typing import Any

from playwright.sync_api import expect
from support.browsers import chromium
from support.programs import run_program

from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Services, TingTing

HERE = Path(__file__).parent
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SHOTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sandbox-wide.png", {"viewport": {"width": 1440, "height": 960}, "color_scheme": "light"}),
    ("sandbox-narrow.png", {**PHONE, "color_scheme": "dark"}),
)
PEOPLE = {"9841000001": "सीता", "9803000002": "हरि", "9861000003": "गीता", "9851000004": "राम", "9812000005": "आशा"}


def use(sandbox: Sandbox) -> None:
    """Do what a program does: run a campaign that calls, one that texts, and send a one-time password."""

    async def program() -> None:
        async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            (line, *_) = await tingting.phone_numbers.active().collect()
            bill = "नमस्ते {name}! तपाईंको बिजुली महसुल यही महिनाभित्र तिर्नुहोला।"
            calls = await tingting.campaigns.create(
                "बिजुली महसुल सम्झना", Services.PHONE, message=bill, voice=1, lines=[line.id]
            )
            texts = await tingting.campaigns.create("Dashain offer", Services.SMS, sms_message="{name}, happy Dashain!")
            for campaign in (texts, calls):
                for number, person in PEOPLE.items():
                    await tingting.contacts.add(campaign.id, number, variables={"name": person})
                await tingting.campaigns.run(campaign.id)
            await tingting.otp.send("9800000001", "Your code for Sajha Bank is {otp}.", channel="text")

    run_program(program)


def main() -> None:
    """Fill a sandbox, and take its picture in each window."""
    with Sandbox(campaigns=4, numbers=5).in_thread() as sandbox, chromium() as browser:
        sandbox.clock.speed = math.inf
        use(sandbox)
        sandbox.run_to_end()
        sandbox.clock.speed = 60
        for name, window in SHOTS:
            page = browser.new_page(**window)
            page.goto(sandbox.url)
            expect(page.locator("#connection")).to_have_text("Live")
            page.screenshot(path=HERE / name)
            page.close()


if __name__ == "__main__":
    main()
