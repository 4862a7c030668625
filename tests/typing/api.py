"""Type-checked, never run: what a user's editor says of the API."""

from datetime import datetime, timedelta
from typing import assert_type

from tingting_async import (
    Campaign,
    Confirmation,
    Login,
    Number,
    NumberAdded,
    NumberStatus,
    Otp,
    Page,
    Paginator,
    PhoneNumber,
    RunStarted,
    Services,
    SpokenMessage,
    TingTing,
    User,
)


async def classic(tingting: TingTing, when: datetime) -> None:
    """What each operation of the classic API returns."""
    async with tingting as session:
        assert_type(session, TingTing)
    assert_type(await tingting.accounts.user_details(), User)
    assert_type(await tingting.accounts.login(), Login)

    campaigns = tingting.campaigns.list()
    assert_type(campaigns, Paginator[Campaign])
    async for campaign in tingting.campaigns.list():
        assert_type(campaign, Campaign)
        assert_type(campaign.services, Services)
    async for page in campaigns.pages():
        assert_type(page, Page[Campaign])
        assert_type(page.total_items, int | None)
    assert_type(await campaigns.collect(limit=3), list[Campaign])
    assert_type(await campaigns.first(), Campaign | None)
    assert_type(await campaigns.count(), int)
    assert_type(await tingting.campaigns.get(1), Campaign)
    assert_type(await tingting.campaigns.create("a", Services.SMS, numbers=["9800000001", 9800000002]), Campaign)
    assert_type(await tingting.campaigns.update(1, name="b"), Campaign)
    assert_type(await tingting.campaigns.delete(1), Confirmation)
    assert_type(await tingting.campaigns.run(1, message="a", schedule=when, timeout=3), RunStarted)
    assert_type(await tingting.campaigns.test_voice("a"), SpokenMessage)

    async for number in tingting.numbers.list(1, window=8):
        assert_type(number, Number)
        assert_type(number.status, NumberStatus | None)
        assert_type(number.duration, timedelta | None)
    assert_type(await tingting.numbers.add(1, "9800000001"), NumberAdded)
    assert_type(await tingting.numbers.edit(1, 9800000001), Number)

    async for line in tingting.phone_numbers.owned():
        assert_type(line, PhoneNumber)
    assert_type(await tingting.phone_numbers.buy("sid"), PhoneNumber)
    assert_type(await tingting.otp.send("9800000001", "{otp}", channel="text"), Otp)
