"""List the campaigns of a classic account.

Reads TINGTING_EMAIL and TINGTING_PASSWORD, or TINGTING_API_TOKEN. Reads TINGTING_BASE_URL if you do not use the real
service.
"""

import anyio

from tingting_async import TingTing


async def main() -> None:
    """Print every campaign on every page."""
    async with TingTing.from_env() as tingting:
        user = await tingting.accounts.user_details()
        print(f"Campaigns of {user.first_name} {user.last_name}:")
        async for campaign in tingting.campaigns.list():
            print(campaign.id, campaign.name, campaign.services, campaign.usable_tags)


if __name__ == "__main__":
    anyio.run(main)
