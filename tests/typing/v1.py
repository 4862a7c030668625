"""Type-checked, never run: what each operation of the v1 API returns."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from tingting_async import Paginator, RecipientList, Rows
from tingting_async.v1 import (
    UNCHANGED,
    AddProgress,
    ApiToken,
    Campaign,
    CampaignMessage,
    CampaignStatus,
    Category,
    Confirmation,
    Contact,
    ContactAdded,
    ContactsAdded,
    ContactStatus,
    Dashboard,
    Line,
    NewContact,
    NewStep,
    Otp,
    OtpChannel,
    PreflightReport,
    Progress,
    ReportRow,
    RunStarted,
    SentOtp,
    Services,
    Sort,
    SpokenMessage,
    SurveyStep,
    SurveyTemplate,
    TemplateApplied,
    TingTing,
    Upload,
    User,
    Voice,
)


async def accounts(tingting: TingTing) -> None:
    assert_type(await tingting.accounts.user_details(), User)
    assert_type(await tingting.accounts.login(), Confirmation)
    assert_type(await tingting.accounts.api_token(), ApiToken | None)
    assert_type(await tingting.accounts.generate_api_token(), ApiToken)
    await tingting.accounts.refresh()


async def dashboard(tingting: TingTing) -> None:
    totals = await tingting.dashboard.get(days=7)
    assert_type(totals, Dashboard)
    assert_type(totals.remaining_credits, Decimal | None)
    assert_type(totals.total_call_duration, timedelta | None)


async def campaigns(tingting: TingTing, when: datetime) -> None:
    assert_type(
        tingting.campaigns.list(status=CampaignStatus.RUNNING, sort=Sort.NEWEST_FIRST, exact=True, resume="…"),
        Paginator[Campaign],
    )
    campaign = await tingting.campaigns.get(1)
    assert_type(campaign, Campaign)
    assert_type(campaign.status, CampaignStatus | None)
    assert_type(campaign.voice, Voice | None)
    assert_type(campaign.failover_target, tuple[ContactStatus, ...])
    created = await tingting.campaigns.create(
        "a", Services.SMS_AND_PHONE, lines=[1], failover=[ContactStatus.FAILED], category=Category.TEXT, schedule=when
    )
    assert_type(created, Campaign)
    assert_type(await tingting.campaigns.update(1, name="b"), Campaign)
    assert_type(await tingting.campaigns.update(1, schedule=None, voice=None, credit_limit=None), Campaign)
    assert_type(await tingting.campaigns.set_message(1, voice=3), CampaignMessage)
    assert_type(await tingting.campaigns.delete(1), Confirmation)
    assert_type(await tingting.campaigns.stop(1), Confirmation)
    assert_type(await tingting.campaigns.test_voice("a", campaign_id=1, voice=3), SpokenMessage)


async def runs(tingting: TingTing) -> None:
    report = await tingting.campaigns.preflight(1)
    assert_type(report, PreflightReport)
    assert_type(report.problems, tuple[str, ...])
    started = await tingting.campaigns.run(1, preflight=True, idempotency_key="k")
    assert_type(started, RunStarted)
    assert_type(started.scheduled_for, datetime | None)
    progress = tingting.campaigns.progress(1, poll_interval=2)
    assert_type(progress, Progress)
    async for campaign in progress:
        assert_type(campaign, Campaign)
    assert_type(await tingting.campaigns.wait(1, timeout=60), Campaign)


async def numbers() -> AsyncIterator[str | NewContact]:
    yield "9800000001"
    yield NewContact("9800000002")


async def contacts(tingting: TingTing) -> None:
    async for contact in tingting.contacts.list(1, window=2):
        assert_type(contact, Contact)
        assert_type(contact.status, ContactStatus | None)
        assert_type(contact.duration, timedelta | None)
        assert_type(contact.updated_at, datetime | None)
    added = await tingting.contacts.add(1, "9800000001", variables={"name": "a"})
    assert_type(added, ContactAdded)
    assert_type(added.contact, Contact | None)
    many = await tingting.contacts.add_many(1, [NewContact("9800000001"), NewContact(9800000002, {"name": "a"})])
    assert_type(many, ContactsAdded)
    assert_type(many.errors, Mapping[int, str])
    progress = AddProgress()
    await tingting.contacts.add_many(1, iter(["9800000001"]), progress=progress)
    await tingting.contacts.add_many(1, numbers(), concurrency=4, keep_contacts=True, idempotency_key="k")
    assert_type(progress.result, ContactsAdded)

    def report(progress: AddProgress) -> None:
        assert_type(progress.created, int)

    people: RecipientList = await RecipientList.from_rows(["9800000001"])
    many = await tingting.contacts.add_many(1, people, on_problem="skip", on_progress=report)
    assert_type([outcome.reason for outcome in many.outcomes], list[str])
    assert_type(progress.unknown, Rows)
    assert_type(progress.not_done, Rows)
    assert_type(await tingting.contacts.upload(1, "contacts.csv", idempotency_key="k"), Upload)
    assert_type(await tingting.contacts.edit(1, "9800000001"), Contact)
    assert_type(await tingting.contacts.delete(1), Confirmation)
    assert_type(await tingting.contacts.variables(1), Mapping[str, Any])
    assert_type(await tingting.contacts.set_variables(1, {"name": "a"}), Mapping[str, Any])
    assert_type(await tingting.contacts.demo_call(1, idempotency_key="k"), Confirmation)


async def lines_and_voices(tingting: TingTing) -> None:
    assert_type(tingting.phone_numbers.list(), Paginator[Line])
    assert_type(tingting.phone_numbers.active(), Paginator[Line])
    assert_type(tingting.voices.list(), Paginator[Voice])


async def otp(tingting: TingTing) -> None:
    sent = await tingting.otp.send("9800000001", "{otp}", channel=OtpChannel.VOICE, voice="np_rija")
    assert_type(sent, Otp)
    assert_type(sent.credits_used, Decimal | None)
    assert_type(tingting.otp.list(), Paginator[SentOtp])


async def surveys(tingting: TingTing) -> None:
    steps = [NewStep(text_or_url="a"), NewStep(id=1, audio_file=None)]
    assert_type(await tingting.surveys.steps(1), list[SurveyStep])
    assert_type(await tingting.surveys.set_steps(1, steps), list[SurveyStep])
    assert_type(await tingting.surveys.update_steps(1, steps), list[SurveyStep])
    assert_type(await tingting.surveys.delete_steps(1), Confirmation)
    assert_type(await tingting.surveys.run(1, idempotency_key="k"), RunStarted)
    assert_type(await tingting.surveys.test_call(1), Confirmation)
    assert_type(await tingting.surveys.answers(1), list[Mapping[str, Any]])
    assert_type(await tingting.surveys.download(1, "answers.csv"), None)


async def survey_templates(tingting: TingTing) -> None:
    steps = [NewStep(text_or_url="a")]
    assert_type(tingting.survey_templates.list(search="a"), Paginator[SurveyTemplate])
    assert_type(await tingting.survey_templates.get(1), SurveyTemplate)
    assert_type(await tingting.survey_templates.create("a", steps, voice=3), SurveyTemplate)
    assert_type(await tingting.survey_templates.update(1, name="b"), SurveyTemplate)
    assert_type(await tingting.survey_templates.update(1, voice=None, length_factor=UNCHANGED), SurveyTemplate)
    assert_type(await tingting.survey_templates.delete(1), Confirmation)
    applied = await tingting.survey_templates.apply(1, 2)
    assert_type(applied, TemplateApplied)
    assert_type(applied.steps, tuple[SurveyStep, ...])
    assert_type(applied.is_complete, bool)


async def reports(tingting: TingTing) -> None:
    async for row in tingting.reports.rows(1):
        assert_type(row, ReportRow)
    rows = await tingting.reports.rows(1).collect()
    assert_type(rows, list[ReportRow])
    assert_type(rows[0].status, ContactStatus | None)
    assert_type(await tingting.reports.download(1, "report.csv"), None)
