"""Every operation of the v1 API, against the sandbox; and each defect of the vendor's client, which is none of ours."""

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tingting_async
import tingting_async.v1
from tingting_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PartialFailureError,
    RetryPolicy,
    TransportError,
    UsageError,
    WaitTimeoutError,
)
from tingting_async.http.messages import File
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import (
    Campaign,
    CampaignStatus,
    ContactStatus,
    NewContact,
    NewStep,
    OtpChannel,
    ResponseType,
    Services,
    Sort,
    TingTing,
)

pytestmark = pytest.mark.anyio

NUMBERS = ["9800000001", "9800000002", "9800000003"]


def connect(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session of the sandbox's account."""
    options = {"api_token": sandbox.api_token, "retries": RetryPolicy(initial_backoff=0), **options}
    return TingTing(base_url=sandbox.url, **options)


def effects(sandbox: Sandbox, *kinds: str) -> int:
    """Return how often something happened in the world."""
    return sum(effect.kind in kinds for effect in sandbox.side_effects)


async def make(tingting: TingTing, services: Services = Services.PHONE, **options: Any) -> Campaign:
    """Create a campaign with three contacts."""
    options = {"lines": [1], "voice": 3, "message": "नमस्ते", "sms_message": "Hi", **options}
    campaign = await tingting.campaigns.create("New", services, **options)
    await tingting.contacts.add_many(campaign.id, NUMBERS)
    return campaign


async def test_cookie_sign_in() -> None:
    """Tokens that come as cookies alone, secure ones on an IP address over plain http, sign in and are renewed once."""
    async with (
        Sandbox() as sandbox,
        connect(sandbox, api_token=None, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        assert (await tingting.accounts.user_details()).email == sandbox.email
        sandbox.expire_access_tokens()
        await asyncio.gather(*(tingting.accounts.user_details() for _ in range(100)))
        paths = [received.path for received in sandbox.requests]
        assert paths.count("/api/v1/auths/login/") == 1
        assert paths.count("/api/v1/auths/login/refresh/") == 1
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        await tingting.accounts.user_details()
        assert (await tingting.accounts.login()).text == "Login Successful"
        await tingting.accounts.refresh()


async def test_refused_sign_in() -> None:
    """A wrong password and an account that is not activated are AuthenticationErrors within one request."""
    async with Sandbox() as sandbox:
        async with connect(sandbox, api_token=None, email=sandbox.email, password="wrong") as tingting:
            with pytest.raises(AuthenticationError, match=r"Invalid credentials\. Check"):
                await tingting.accounts.user_details()
        sandbox.world.owner.is_activated = False
        async with connect(sandbox, api_token=None, email=sandbox.email, password=sandbox.password) as tingting:
            with pytest.raises(AuthenticationError, match="not activated"):
                await tingting.accounts.user_details()
        assert len(sandbox.requests) == 2
        async with connect(sandbox) as tingting:
            with pytest.raises(UsageError):
                await tingting.accounts.login()


async def test_sign_in_without_cookies() -> None:
    """A sign-in that sets no cookie says so, and that nothing was sent."""
    async with Sandbox() as sandbox, connect(sandbox, api_token=None, email="e", password="p") as tingting:
        sandbox.faults.add(Fault("status", path="*/login/", status=200, body={"has_logged_in": True}))
        with pytest.raises(NotSentError, match="cookie `access`"):
            await tingting.accounts.user_details()


async def test_api_token() -> None:
    """A new API token is made once, used from then on, and never asked for twice."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        made = await tingting.accounts.generate_api_token()
        shown = await tingting.accounts.api_token()
        assert shown is not None
        assert made.token == shown.token == sandbox.api_token
        assert made.token not in repr(made)
        sandbox.faults.add(Fault("reset_after", path="*/generate-api-keys/"))
        with pytest.raises(OutcomeUnknownError, match="api_token"):
            await tingting.accounts.generate_api_token()
        assert effects(sandbox, "token") == 2


@pytest.mark.parametrize("status", [200, 404])
async def test_no_api_token(status: int) -> None:
    """An account without an API token has None, whichever status says so; any other 404 is an error."""
    async with Sandbox(no_token_status=status) as sandbox:
        async with connect(sandbox, api_token=None, email=sandbox.email, password=sandbox.password) as tingting:
            sandbox.world.owner.api_token = ""
            assert await tingting.accounts.api_token() is None
            sandbox.faults.add(Fault("status", path="*/get-api-keys/", status=404))
            with pytest.raises(NotFoundError):
                await tingting.accounts.api_token()


async def test_all_pages_and_filters() -> None:
    """All campaigns come out, not the first ten; filters are sent as their texts."""
    async with Sandbox(campaigns=57) as sandbox, connect(sandbox) as tingting:
        assert len({campaign.id async for campaign in tingting.campaigns.list()}) == 57
        assert await tingting.campaigns.list().count() == 57
        campaign = await make(tingting, draft=True)
        assert [each.id async for each in tingting.campaigns.list(search="new")] == [campaign.id]
        assert [each.id async for each in tingting.campaigns.list(drafts=True)] == [campaign.id]
        assert await tingting.campaigns.list(status=CampaignStatus.NOT_STARTED).count() == 58
        assert await tingting.campaigns.list(status="Running").count() == 0
        oldest = await tingting.campaigns.list(sort=Sort.OLDEST_FIRST).collect()
        assert [each.updated_at for each in oldest] == sorted(each.updated_at for each in oldest if each.updated_at)
        later = datetime.now(UTC) + timedelta(days=2)
        assert await tingting.campaigns.list(changed_from=later).count() == 0
        assert await tingting.campaigns.list(changed_from=later - timedelta(days=4), changed_to=later).count() == 58
        for naive in ({"changed_from": datetime(2026, 1, 1)}, {"changed_to": datetime(2026, 1, 1)}):
            with pytest.raises(UsageError, match="time zone"):
                tingting.campaigns.list(**naive)
        with pytest.raises(UsageError, match="'Not Started'"):
            tingting.campaigns.list(status="running")


@pytest.mark.parametrize("methods", [("PATCH", "PUT"), ("PUT",)])
async def test_campaign_from_nothing(methods: tuple[str, ...]) -> None:
    """A campaign is created, changed by whichever method the service takes, run to its end, and deleted."""
    async with (
        Sandbox(campaigns=0, update_methods=methods, delete_response="message") as sandbox,
        connect(sandbox) as tingting,
    ):
        campaign = await make(tingting, length_factor=1.2, credit_limit=50, description="d", category="Text")
        changed = await tingting.campaigns.update(campaign.id, name="Newer", lines=[2])
        assert (changed.name, changed.lines, str(changed.length_factor)) == ("Newer", (2,), "1.20")
        message = await tingting.campaigns.set_message(campaign.id, voice=5, message="फेरि")
        assert (message.message, message.voice and message.voice.id) == ("फेरि", 5)
        await tingting.campaigns.update(campaign.id, draft=False)
        await tingting.campaigns.set_message(campaign.id, voice=5)
        refused = [received.path for received in sandbox.requests if received.status == 405]
        assert len(refused) == len(set(refused)) == (0 if "PATCH" in methods else 2)
        assert None is (await tingting.campaigns.run(campaign.id, preflight=True)).scheduled_for
        sandbox.clock.advance(600)
        assert (await tingting.campaigns.wait(campaign.id)).status == CampaignStatus.COMPLETED
        assert effects(sandbox, "call") == 3
        contacts = await tingting.contacts.list(campaign.id).collect()
        assert {type(contact.status) for contact in contacts} == {ContactStatus}
        page = await anext(tingting.contacts.list(campaign.id).pages())
        assert page.extra["total_credits_consumed"] == 3
        assert (await tingting.campaigns.delete(campaign.id)).text == "Successfully Deleted."
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(campaign.id)


async def test_methods_that_nothing_takes() -> None:
    """Where neither PATCH nor PUT is taken, the 405 is the error."""
    async with Sandbox(campaigns=1, update_methods=()) as sandbox, connect(sandbox) as tingting:
        (id,) = sandbox.world.campaigns  # noqa: A001
        for _ in range(2):
            with pytest.raises(ApiError, match="405"):
                await tingting.campaigns.update(id, name="n")


async def test_silent_deletion() -> None:
    """A deletion that answers with nothing is one."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (id,) = sandbox.world.campaigns  # noqa: A001
        assert (await tingting.campaigns.delete(id)).text == ""
        assert sandbox.world.campaigns == {}


async def test_schedule_keeps_its_instant() -> None:
    """A schedule is the same instant whatever zone it is given in, and its run says so in the ordinary calendar."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        when = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
        campaign = await make(tingting)
        run = await tingting.campaigns.run(campaign.id, schedule=when)
        assert run.scheduled_for == when
        stored = await tingting.campaigns.get(campaign.id)
        assert (stored.schedule, stored.status) == (when, CampaignStatus.SCHEDULED)
        sandbox.clock.advance(4.9 * 3600)
        assert effects(sandbox, "call") == 0
        sandbox.clock.advance(3600)
        assert effects(sandbox, "call") == 3
        with pytest.raises(UsageError, match="time zone"):
            await tingting.campaigns.create("n", "PHONE", schedule=datetime(2030, 1, 1))


async def test_the_text_that_reaches_nobody() -> None:
    """A spoken text for a campaign of SMS, or a texted one for calls, is refused: the old text would have gone out."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        for services, wrong, right in (("SMS", "message", "sms_message"), ("PHONE", "sms_message", "message")):
            with pytest.raises(UsageError, match=f"`{services}` .* `{right}`; `{wrong}` is what"):
                await tingting.campaigns.create("n", services, **{wrong: "new"})
            campaign = await tingting.campaigns.create("n", services, **{right: "old"})
            await tingting.contacts.add(campaign.id, "9800000001")
            with pytest.raises(UsageError, match=f"`{services}` .* `{right}`; `{wrong}` is what"):
                await tingting.campaigns.run(campaign.id, **{wrong: "new"})
            unchanged = await tingting.campaigns.get(campaign.id)
            assert (unchanged.status, getattr(unchanged, right)) == (CampaignStatus.NOT_STARTED, "old")
        assert effects(sandbox, "run") == 0
        await tingting.campaigns.update(
            campaign.id, lines=[line.id async for line in tingting.phone_numbers.list()][:1]
        )
        await tingting.campaigns.run(campaign.id, message="new", sms_message="texted")
        ran = await tingting.campaigns.get(campaign.id)
        assert (ran.message, ran.sms_message) == ("new", "texted")
        assert effects(sandbox, "run") == 1


async def test_stop() -> None:
    """Stopping stops."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make(tingting)
        await tingting.campaigns.run(campaign.id, message="changed")
        await tingting.campaigns.stop(campaign.id)
        before = effects(sandbox, "call")
        sandbox.clock.advance(600)
        assert effects(sandbox, "call") == before <= 1
        stopped = await tingting.campaigns.get(campaign.id)
        assert (stopped.status, stopped.message) == (CampaignStatus.TERMINATED, "changed")


async def test_progress_and_wait() -> None:
    """A running campaign is seen whenever it changes, until it is over; waiting ends there, or at the wanted status."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make(tingting)
        await tingting.campaigns.run(campaign.id)
        running = await tingting.campaigns.wait(campaign.id, until="Running", timeout=5)
        assert running.status == CampaignStatus.RUNNING
        stands = rf"campaign {campaign.id} stood at 'Running'.*stop\({campaign.id}\)"
        with pytest.raises(WaitTimeoutError, match=stands) as caught:
            await tingting.campaigns.wait(campaign.id, timeout=0.05, poll_interval=0.01)
        assert isinstance(caught.value.last, Campaign)
        seen: list[Any] = []
        async for each in tingting.campaigns.progress(campaign.id, poll_interval=0.001, max_poll_interval=0.01):
            seen.append((each.progress_percent, each.status))
            sandbox.clock.advance(15)
        assert seen[-1] == (100, CampaignStatus.COMPLETED)
        assert seen == sorted(set(seen))
        sandbox.world.campaigns[campaign.id].status = "Paused by Carrier"
        assert (await tingting.campaigns.wait(campaign.id)).status == "Paused by Carrier"
        with pytest.raises(UsageError):
            await tingting.campaigns.wait(campaign.id, until="Done")


async def test_check() -> None:
    """The check says what speaks against a run, and `run(preflight=True)` refuses before anything is sent."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        empty = await tingting.campaigns.create("n", "PHONE", message="{name}", draft=True)
        found = await tingting.campaigns.preflight(empty.id)
        assert (found.contacts, found.placeholders) == (0, {"name"})
        assert len(found.problems) == 4
        campaign = await make(tingting, message="Hi {name}")
        with pytest.raises(UsageError, match="lacks name"):
            await tingting.campaigns.run(campaign.id, preflight=True)
        assert effects(sandbox, "run") == 0
        for contact in await tingting.contacts.list(campaign.id).collect():
            assert await tingting.contacts.set_variables(contact.id, {"name": "सीता"}) == {"name": "सीता"}
        assert (await tingting.campaigns.preflight(campaign.id)).problems == ()
        await tingting.campaigns.run(campaign.id, preflight=True)
        assert "stands at 'Running'" in " ".join((await tingting.campaigns.preflight(campaign.id)).problems)
        assert "no message" in " ".join(
            (await tingting.campaigns.preflight((await make(tingting, message="")).id)).problems
        )


@pytest.mark.parametrize("answer", ["message", "contact"])
async def test_contacts(answer: Any) -> None:
    """A contact is added whichever answer comes, edited, called and deleted."""
    async with Sandbox(campaigns=1, numbers=0, add_contact_response=answer) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        added = await tingting.contacts.add(campaign, "+977 9800000001", variables={"name": "राहुल"})
        assert (added.contact is None) == (answer == "message")
        contact = await tingting.contacts.list(campaign).first()
        assert contact is not None
        assert (await tingting.contacts.variables(contact.id)) == {"name": "राहुल"}
        assert (await tingting.contacts.edit(contact.id, "9800000002")).number == "9800000002"
        assert (await tingting.contacts.demo_call(contact.id)).text == "Demo Call Placed Successfully"
        await tingting.contacts.delete(contact.id)
        assert await tingting.contacts.list(campaign).count() == 0
        with pytest.raises(UsageError):
            await tingting.contacts.set_variables(contact.id, {})


async def test_add_many() -> None:
    """Many contacts are added in chunks; what the service skips or refuses, and what cannot be sent, is told by row."""
    async with Sandbox(campaigns=1, numbers=0, max_contacts=10) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        await tingting.contacts.add(campaign, 9800000003)
        rows: list[NewContact | str | int] = [9800000000 + index for index in range(25)]
        rows[7] = "+9771-5970425"
        done = await tingting.contacts.add_many(campaign, rows, chunk=10)
        assert (done.created, done.skipped, done.errors) == (24, 1, {})
        assert len({contact.number for contact in done.contacts}) == 24
        assert await tingting.contacts.list(campaign).count() == 25
        sandbox.faults.add(Fault("status", path="*/add-contact/", status=201, body={
            "created": 0, "skipped": 0, "contacts": [], "errors": [{"row": 1, "error": "bad"}, "worse"],
        }))  # fmt: skip
        refused = await tingting.contacts.add_many(campaign, NUMBERS, chunk=2)
        assert (refused.errors, refused.other_errors) == ({1: "bad", 3: "bad"}, ("worse", "worse"))
        with pytest.raises(UsageError, match="same as"):
            await tingting.contacts.add_many(campaign, [*NUMBERS, NUMBERS[0]])
        with pytest.raises(UsageError, match=r"`contacts\[1\]\.variables` has to be a mapping"):
            await tingting.contacts.add_many(campaign, [NUMBERS[0], NewContact(NUMBERS[1], ["a"])])  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="chunk=0"):
            await tingting.contacts.add_many(campaign, NUMBERS, chunk=0)


@pytest.mark.parametrize(
    ("kind", "unknown", "not_done"), [("reset_after", (10, 20), (20, 25)), ("status", (0, 0), (10, 25))]
)
async def test_add_many_that_breaks_off(kind: Any, unknown: tuple[int, int], not_done: tuple[int, int]) -> None:
    """Where a request fails half-way, the error holds what was added, what may have been, and what was not."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        sandbox.faults.add(Fault(kind, path="*/add-contact/", nth=2, status=400))
        with pytest.raises(PartialFailureError, match="10 contacts were added") as caught:
            await tingting.contacts.add_many(campaign, [9800000000 + index for index in range(25)], chunk=10)
        assert (caught.value.unknown, caught.value.not_done) == (range(*unknown), range(*not_done))
        assert caught.value.result.created == 10  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_upload(method: Any, tmp_path: Path) -> None:
    """A file of contacts is added by whichever method the service takes."""
    path = tmp_path / "contacts.csv"
    path.write_text("numbers,name\n9800000001,सीता\nx,राम\n9800000002,गीता\n")
    async with Sandbox(campaigns=1, numbers=0, upload_method=method) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        for _ in range(2):
            done = await tingting.contacts.upload(campaign, path)
        assert (done.rows, len(done.errors), done.columns[1].sample) == (2, 1, ("सीता", "गीता"))
        assert sum(received.status == 405 for received in sandbox.requests) == (method == "POST")
        sandbox.options = type(sandbox.options)(upload_method="NONE")  # type: ignore[arg-type]
        with pytest.raises(ApiError, match="405"):
            await tingting.contacts.upload(campaign, path)


@pytest.mark.parametrize("answer", ["audio", "string", "text", "object"])
async def test_voice(answer: Any) -> None:
    """A test of the voice gives the audio or its address, in whichever shape it came."""
    async with Sandbox(campaigns=1, test_voice_response=answer) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        voice = await tingting.voices.list().first()
        assert voice is not None
        spoken = await tingting.campaigns.test_voice("नमस्ते\nसाथी", campaign_id=campaign, voice=voice)
        assert (spoken.audio is None, spoken.url is None) == (answer != "audio", answer == "audio")


async def test_lines_and_dashboard() -> None:
    """Lines, active numbers and the dashboard are read."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        assert [line.id async for line in tingting.phone_numbers.list()] == [1, 2]
        assert await tingting.phone_numbers.active().count() == 2
        assert (await tingting.dashboard.get(days=7)).credits_used == 0
        assert sandbox.requests[-1].query == "days=7"
        with pytest.raises(UsageError):
            await tingting.dashboard.get(days=0)


async def test_otp() -> None:
    """One-time passwords are sent, listed, and found again."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sent = await tingting.otp.send("9800000001", "{otp}", channel="text", otp="0042", company_name="prixa")
        assert (sent.otp, sent.company_name) == ("0042", "prixa")
        voice = await tingting.voices.list().first()
        await tingting.otp.send("9800000002", "{otp}", channel=OtpChannel.VOICE, voice=voice, length=4)
        listed = await tingting.otp.list().collect()
        assert [otp.number for otp in listed] == ["9800000002", "9800000001"]
        assert (listed[1].otp, len(str(listed[0].otp))) == ("0042", 4)
        for arguments in ({"channel": "voice"}, {"channel": "text", "voice": "np_rija"}):
            with pytest.raises(UsageError, match="`voice`"):
                await tingting.otp.send("9800000001", "{otp}", **arguments)


async def test_survey() -> None:
    """A survey is made with its steps and an audio file, run, and answered."""
    steps = [
        NewStep(text_or_url="How was it?", response_type=ResponseType.KEYPAD, input_name="rating"),
        NewStep(content_type="play", input_name="outro", audio_file=File("a.mp3", b"ID3")),
    ]
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make(tingting, Services.SURVEY)
        for given in (steps[:1], steps):
            made = await tingting.surveys.set_steps(campaign.id, given)
            assert [step.input_name for step in made] == [step.input_name for step in given]
        assert made[1].audio_file
        contact = await tingting.contacts.list(campaign.id).first()
        assert contact is not None
        await tingting.surveys.test_call(contact.id)
        await tingting.surveys.run(campaign.id)
        sandbox.clock.advance(600)
        answers = await tingting.surveys.answers(campaign.id)
        assert {"number", "status", "rating"} == set(answers[0])
        await tingting.surveys.delete_steps(campaign.id)
        assert await tingting.surveys.steps(campaign.id) == []
        with pytest.raises(UsageError, match="empty"):
            await tingting.surveys.set_steps(campaign.id, [])
        with pytest.raises(UsageError, match="128"):
            await tingting.surveys.set_steps(campaign.id, [NewStep(input_name="x" * 129)])


async def test_survey_templates() -> None:
    """A template is made, found, changed, applied whole and by half, and deleted."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        step = NewStep(input_name="rating", audio_file=File("a.mp3", b"ID3"))
        template = await tingting.survey_templates.create("First", [step], voice=5, length_factor=1.2)
        assert (template.voice and template.voice.name, template.content[0].input_name) == ("Shreegya", "rating")
        for index in range(12):
            await tingting.survey_templates.create(f"More {index}", [NewStep()])
        assert len({each.id async for each in tingting.survey_templates.list()}) == 13
        assert await tingting.survey_templates.list(search="first").count() == 1
        changed = await tingting.survey_templates.update(template.id, name="Best", voice=3)
        assert (changed.name, changed.id) == ("Best", (await tingting.survey_templates.get(template.id)).id)
        survey = await make(tingting, Services.SURVEY)
        assert (await tingting.survey_templates.apply(template.id, survey.id)).is_complete
        sandbox.world.templates[template.id]["content"].append({"order": 1})
        half = await tingting.survey_templates.apply(template.id, survey.id)
        assert (half.is_complete, len(half.steps), len(half.errors)) == (False, 1, 1)
        with pytest.raises(BadRequestError, match="not a survey"):
            await tingting.survey_templates.apply(template.id, (await make(tingting)).id)
        await tingting.survey_templates.delete(template.id)
        assert await tingting.survey_templates.list().count() == 12
        with pytest.raises(UsageError):
            await tingting.survey_templates.update(template.id)


async def test_reports(tmp_path: Path) -> None:
    """A report arrives whole, as a file or as rows."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make(tingting)
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(600)
        path = tmp_path / "report.csv"
        await tingting.reports.download(campaign.id, path)
        with path.open() as file:
            assert [row["Number"] for row in csv.DictReader(file)] == NUMBERS
        rows = await tingting.reports.rows(campaign.id)
        assert [row.number for row in rows] == NUMBERS
        assert {type(row.status) for row in rows} == {ContactStatus}
        assert NUMBERS[0] not in repr(rows)
        survey = await make(tingting, Services.SURVEY)
        await tingting.surveys.download(survey.id, tmp_path / "survey.csv")
        assert sorted(each.name for each in tmp_path.iterdir()) == ["report.csv", "survey.csv"]


@pytest.mark.parametrize("kind", ["truncate", "html", "reset_after", "status"])
async def test_broken_reports(kind: Any, tmp_path: Path) -> None:
    """A report that is cut short leaves the file that was there, and no other; a retry that succeeds is whole."""
    path = tmp_path / "report.csv"
    path.write_text("before")
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        fault = sandbox.faults.add(Fault(kind, path="*/download/*", status=403))
        with pytest.raises((TransportError, ApiError)):
            await tingting.reports.download(campaign, path)
        assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("before", ["report.csv"])
        fault.times = fault.count + 1
        if kind == "truncate":
            await tingting.reports.download(campaign, path)
            assert len(path.read_text().splitlines()) == 4


async def test_reports_that_are_none(tmp_path: Path) -> None:
    """A web page instead of a report is a DecodeError, and not saved; a bad place for the file is refused."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        with pytest.raises(UsageError, match="cannot be written"):
            await tingting.reports.download(campaign, tmp_path / "nowhere" / "report.csv")
        page = {"Content-Type": "text/html"}
        sandbox.faults.add(Fault("status", path="*/download/*", status=200, body=b"<html>", headers=page))
        with pytest.raises(DecodeError):
            await tingting.reports.download(campaign, tmp_path / "report.csv")
        with pytest.raises(DecodeError):
            await tingting.reports.rows(campaign)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["reset_after", "gateway_timeout", "truncate", "html"])
async def test_rings_once(kind: Any) -> None:
    """Whatever becomes of the answer, what rings happens once, and its outcome is said to be unknown."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign, survey = await make(tingting), await make(tingting, Services.SURVEY)
        contact = await tingting.contacts.list(campaign.id).first()
        assert contact is not None
        sandbox.faults.add(Fault(kind, method="POST"))
        calls = {
            "campaigns.run": tingting.campaigns.run(campaign.id),
            "surveys.run": tingting.surveys.run(survey.id),
            "surveys.test_call": tingting.surveys.test_call(contact.id),
            "contacts.demo_call": tingting.contacts.demo_call(contact.id),
            "otp.send": tingting.otp.send("9800000001", "{otp}", channel="text"),
        }
        for operation, call in calls.items():
            before = len(sandbox.requests)
            with pytest.raises(OutcomeUnknownError, match="To find out") as caught:
                await call
            assert (caught.value.operation, len(sandbox.requests) - before) == (operation, 1)
        assert [effects(sandbox, kind) for kind in ("run", "demo", "otp")] == [2, 2, 1]


async def test_silent_answers() -> None:
    """Where the documents do not print an answer, text or nothing at all will do, and a web page will not."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        for body, text in ((b"", ""), (b"Stopped.", "Stopped."), (b'{"message": "m"}', "m")):
            sandbox.faults.clear()
            sandbox.faults.add(Fault("status", path="*/emergency-stop/*", status=200, body=body))
            assert (await tingting.campaigns.stop(campaign)).text == text
        sandbox.faults.clear()
        sandbox.faults.add(Fault("status", path="*/demo-call/*", status=200, body=b"<html>Sign in</html>"))
        with pytest.raises(OutcomeUnknownError):
            await tingting.contacts.demo_call(1)


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
async def test_same_script(generation: Any) -> None:
    """A script that lists and runs campaigns works with both generations by changing the import alone."""
    async with Sandbox(campaigns=25, seed=3) as sandbox:
        for campaign in sandbox.world.campaigns.values():
            campaign.user_phone, campaign.voice = [1], 3
        async with generation.TingTing(
            base_url=sandbox.url, email=sandbox.email, password=sandbox.password
        ) as tingting:
            user = await tingting.accounts.user_details()
            assert user.first_name == "Sita"
            ids = [campaign.id async for campaign in tingting.campaigns.list()]
            calling = [campaign.id async for campaign in tingting.campaigns.list() if campaign.services == "PHONE"]
            assert len(ids) == len(set(ids)) == await tingting.campaigns.list().count() == 25
            campaign = await tingting.campaigns.get(calling[0])
            assert (await tingting.campaigns.update(campaign.id, name="Renamed")).name == "Renamed"
            assert (await tingting.campaigns.run(campaign.id, message="नमस्ते")).text
            await tingting.otp.send("9800000001", "{otp}", channel="text", otp="1234")
            await tingting.campaigns.delete(ids[1])
            with pytest.raises(tingting_async.NotFoundError):
                await tingting.campaigns.get(ids[1])
        assert [effect.kind for effect in sandbox.side_effects if effect.kind in ("run", "otp")] == ["run", "otp"]


@pytest.mark.parametrize(
    "call",
    [
        lambda to: to.campaigns.list(search=5),
        lambda to: to.campaigns.list(search="\ud800"),
        lambda to: to.campaigns.create("n", "PHONE", failover=5),
        lambda to: to.campaigns.create("n", "PHONE", length_factor="slow"),
        lambda to: to.campaigns.create("n", "PHONE", length_factor=Decimal("NaN")),
        lambda to: to.campaigns.progress(1, poll_interval="1"),
        lambda to: to.campaigns.wait(1, until=5),
        lambda to: to.campaigns.wait(1, timeout="5"),
        lambda to: to.contacts.add_many(1, 9800000001),
        lambda to: to.contacts.add_many(1, "9800000001"),
        lambda to: to.contacts.add_many(1, ["9800000001"], chunk="1"),
        lambda to: to.surveys.set_steps(1, [{"content_type": "say"}]),
        lambda to: to.survey_templates.list(search=5),
        lambda to: to.survey_templates.list(page_size="\ud800"),
        lambda to: to.survey_templates.create("n", [NewStep()], length_factor=0),
        lambda to: to.reports.download(1, 5),
        lambda to: to.reports.download(1, "\ud800"),
        lambda _: TingTing(api_token=5),  # type: ignore[arg-type]
        lambda _: TingTing(email=5, password="x"),  # type: ignore[arg-type]
    ],
)
async def test_input_of_another_type(call: Any) -> None:
    """What is of another type than it has to be is a UsageError, and nothing is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError):
            await call(tingting)
        assert sandbox.requests == []
