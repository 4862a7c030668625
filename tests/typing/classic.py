"""Type-checked, never run: what each operation of the classic API returns."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from tingting_async import (
    UNCHANGED,
    AddProgress,
    Campaign,
    Confirmation,
    ExactIterator,
    ItemIterator,
    Login,
    NewContact,
    Number,
    NumberAdded,
    NumbersAdded,
    NumberStatus,
    Otp,
    OtpChannel,
    OtpSource,
    Outcome,
    Page,
    Paginator,
    PhoneNumber,
    Priority,
    RecipientList,
    RowOutcome,
    Rows,
    RowStatus,
    RunStarted,
    Services,
    SpokenMessage,
    Timeout,
    TingTing,
    TokenPair,
    User,
    Voice,
)


async def accounts(tingting: TingTing) -> None:
    assert_type(await tingting.accounts.user_details(), User)
    login = await tingting.accounts.login()
    assert_type(login, Login)
    assert_type(login.token, TokenPair)
    assert_type(login.user.contact_number, str | None)
    await tingting.accounts.refresh()


async def campaigns(tingting: TingTing, when: datetime) -> None:
    assert_type(tingting.campaigns.list(), Paginator[Campaign])
    assert_type(tingting.campaigns.list(window=2, exact=True, resume="…", timeout=3), Paginator[Campaign])
    assert_type(tingting.campaigns.list(exact=True, max_cost=2.5), Paginator[Campaign])
    campaign = await tingting.campaigns.get(1)
    assert_type(campaign, Campaign)
    assert_type(campaign.services, Services)
    assert_type(campaign.usable_tags, tuple[str, ...] | None)
    assert_type(await tingting.campaigns.create("a", Services.SMS, numbers=["9800000001", 9800000002]), Campaign)
    assert_type(await tingting.campaigns.create("a", "SMS", file="numbers.xlsx"), Campaign)
    assert_type(await tingting.campaigns.update(1, name="b"), Campaign)
    assert_type(await tingting.campaigns.update(1, name=UNCHANGED, description=None), Campaign)
    assert_type(await tingting.campaigns.delete(1), Confirmation)
    started = await tingting.campaigns.run(1, message="a", schedule=when, rerun=[Outcome.FAILED], timeout=3)
    assert_type(started, RunStarted)
    assert_type(started.credits_on_hold, int | None)
    assert_type(
        await tingting.campaigns.run(1, message="a", audio_file="a.mp3", priority=Priority.AUDIO, idempotency_key="k"),
        RunStarted,
    )
    spoken = await tingting.campaigns.test_voice("a", voice=Voice.RIJA, timeout=Timeout(total=5))
    assert_type(spoken, SpokenMessage)
    assert_type(spoken.audio, bytes | None)


async def lists(campaigns: Paginator[Campaign]) -> None:
    assert_type(await campaigns.collect(), list[Campaign])
    assert_type(await campaigns.collect(limit=3), list[Campaign])
    assert_type(await campaigns.first(), Campaign | None)
    assert_type(await campaigns.count(), int)
    async for campaign in campaigns:
        assert_type(campaign, Campaign)
    async for page in campaigns.pages():
        assert_type(page, Page[Campaign])
        assert_type(page.items, Sequence[Campaign])
        assert_type(page.number, int)
        assert_type(page.total_items, int | None)
        assert_type(page.has_next, bool)
        assert_type(page.extra, Mapping[str, Any])


def exact(iterator: ExactIterator[Campaign]) -> ItemIterator[Campaign]:
    return iterator


async def numbers(tingting: TingTing) -> None:
    async for number in tingting.numbers.list(1, window=8):
        assert_type(number, Number)
        assert_type(number.number, str)
        assert_type(number.status, NumberStatus | None)
        assert_type(number.duration, timedelta | None)
        assert_type(number.playback, Decimal | None)
    assert_type(await tingting.numbers.get(1), Number)
    added = await tingting.numbers.add(1, "9800000001", tags={"tags_name": "a"}, check_tags=True)
    assert_type(added, NumberAdded)
    assert_type(added.number, Number | None)
    progress = AddProgress()
    people: RecipientList = await RecipientList.read("people.csv")
    many = await tingting.numbers.add_many(1, people, on_problem="skip", progress=progress, idempotency_key="k")
    assert_type(many, NumbersAdded)
    assert_type(many.contacts, tuple[Number, ...])
    assert_type(many.outcome(1), RowOutcome)
    assert_type(many.outcome(1).status, RowStatus)
    assert_type(many.outcomes.rows(RowStatus.REFUSED), Rows)
    assert_type(progress.result, NumbersAdded)
    await tingting.numbers.add_many(1, [NewContact("9800000001", {"tags_name": "a"}), 9800000002], concurrency=4)
    await tingting.campaigns.create("c", "SMS", numbers=people, on_problem="skip", progress=progress)
    assert_type(await tingting.numbers.edit(1, 9800000001), Number)
    assert_type(await tingting.numbers.edit(1, 9800000001, tags=None), Number)
    assert_type(await tingting.numbers.delete(1), Confirmation)


async def phone_numbers(tingting: TingTing) -> None:
    assert_type(tingting.phone_numbers.owned(), Paginator[PhoneNumber])
    assert_type(tingting.phone_numbers.for_sale(window=1), Paginator[PhoneNumber])
    line = await tingting.phone_numbers.buy("sid", idempotency_key="k")
    assert_type(line, PhoneNumber)
    assert_type(line.capabilities, tuple[str, ...])
    assert_type(await tingting.phone_numbers.release("sid"), Confirmation)


async def otp(tingting: TingTing) -> None:
    sent = await tingting.otp.send("9800000001", "{otp}", channel="text")
    assert_type(sent, Otp)
    assert_type(sent.channel, OtpChannel | None)
    assert_type(sent.source, OtpSource | None)
