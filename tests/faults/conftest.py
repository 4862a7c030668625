"""Every operation of both generations, for tests that execute all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

import tingting_async
import tingting_async.v1
from tingting_async.http.messages import File
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewStep

NUMBER = "9812345678"
CODE = "482917"
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


@attrs.frozen
class Targets:
    """The objects that the operations use."""

    campaign: int
    contact: int
    survey: int
    respondent: int
    template: int
    sid: str
    folder: Path


Call = Callable[[Any, Targets], Awaitable[Any]]

CLASSIC: dict[str, Call] = {
    "accounts.login": lambda to, on: to.accounts.login(),
    "accounts.refresh": lambda to, on: to.accounts.refresh(),
    "accounts.user_details": lambda to, on: to.accounts.user_details(),
    "campaigns.list": lambda to, on: to.campaigns.list(window=2).collect(100),
    "campaigns.results": lambda to, on: to.campaigns.results().collect(100),
    "campaigns.create": lambda to, on: to.campaigns.create("Made", "SMS", numbers=[NUMBER]),
    "campaigns.get": lambda to, on: to.campaigns.get(on.campaign),
    "campaigns.update": lambda to, on: to.campaigns.update(on.campaign, name="Changed"),
    "campaigns.run": lambda to, on: to.campaigns.run(on.campaign, message="m"),
    "campaigns.test_voice": lambda to, on: to.campaigns.test_voice("m"),
    "numbers.list": lambda to, on: to.numbers.list(on.campaign, exact=True).collect(100),
    "numbers.get": lambda to, on: to.numbers.get(on.contact),
    "numbers.add": lambda to, on: to.numbers.add(on.campaign, NUMBER),
    "numbers.add_many": lambda to, on: to.numbers.add_many(on.campaign, [NUMBER, "9812345679"]),
    "numbers.edit": lambda to, on: to.numbers.edit(on.contact, NUMBER),
    "numbers.delete": lambda to, on: to.numbers.delete(on.contact),
    "phone_numbers.owned": lambda to, on: to.phone_numbers.owned().collect(),
    "phone_numbers.for_sale": lambda to, on: to.phone_numbers.for_sale().collect(),
    "phone_numbers.buy": lambda to, on: to.phone_numbers.buy(on.sid),
    "phone_numbers.release": lambda to, on: to.phone_numbers.release(on.sid),
    "otp.send": lambda to, on: to.otp.send(NUMBER, "Code {otp}", channel="voice", otp=CODE),
    "campaigns.delete": lambda to, on: to.campaigns.delete(on.campaign),
}

# Reports have long time limits of their own, which would make the tests of stalls slow.
V1: dict[str, Call] = {
    "accounts.login": lambda to, on: to.accounts.login(),
    "accounts.refresh": lambda to, on: to.accounts.refresh(),
    "accounts.user_details": lambda to, on: to.accounts.user_details(),
    "accounts.api_token": lambda to, on: to.accounts.api_token(),
    "accounts.generate_api_token": lambda to, on: to.accounts.generate_api_token(),
    "dashboard.get": lambda to, on: to.dashboard.get(),
    "voices.list": lambda to, on: to.voices.list().collect(),
    "phone_numbers.list": lambda to, on: to.phone_numbers.list().collect(),
    "phone_numbers.active": lambda to, on: to.phone_numbers.active().collect(),
    "campaigns.list": lambda to, on: to.campaigns.list(window=2).collect(100),
    "campaigns.results": lambda to, on: to.campaigns.results(since=SINCE).collect(100),
    "campaigns.create": lambda to, on: to.campaigns.create("Made", "PHONE"),
    "campaigns.get": lambda to, on: to.campaigns.get(on.campaign),
    "campaigns.update": lambda to, on: to.campaigns.update(on.campaign, lines=[1], draft=False),
    "campaigns.set_message": lambda to, on: to.campaigns.set_message(on.campaign, voice=3, message="m {name}"),
    "campaigns.test_voice": lambda to, on: to.campaigns.test_voice("m", campaign_id=on.campaign, voice=3),
    "campaigns.preflight": lambda to, on: to.campaigns.preflight(on.campaign),
    "campaigns.run": lambda to, on: to.campaigns.run(on.campaign),
    "campaigns.progress": lambda to, on: anext(to.campaigns.progress(on.campaign, poll_interval=0.001)),
    "campaigns.wait": lambda to, on: to.campaigns.wait(on.campaign, until="Running", timeout=0.5, poll_interval=0.01),
    "campaigns.stop": lambda to, on: to.campaigns.stop(on.campaign),
    "contacts.list": lambda to, on: to.contacts.list(on.campaign, exact=True).collect(100),
    "contacts.add": lambda to, on: to.contacts.add(on.campaign, NUMBER),
    "contacts.add_many": lambda to, on: to.contacts.add_many(on.campaign, [NUMBER, "9812345679"], chunk=1),
    "contacts.upload": lambda to, on: to.contacts.upload(on.campaign, File("c.csv", f"numbers\n{NUMBER}".encode())),
    "contacts.edit": lambda to, on: to.contacts.edit(on.contact, NUMBER),
    "contacts.variables": lambda to, on: to.contacts.variables(on.contact),
    "contacts.set_variables": lambda to, on: to.contacts.set_variables(on.contact, {"name": "सीता"}),
    "contacts.demo_call": lambda to, on: to.contacts.demo_call(on.contact),
    "contacts.delete": lambda to, on: to.contacts.delete(on.contact),
    "otp.send": lambda to, on: to.otp.send(NUMBER, "Code {otp}", channel="voice", voice="np_rija", otp=CODE),
    "otp.list": lambda to, on: to.otp.list().collect(100),
    "surveys.set_steps": lambda to, on: to.surveys.set_steps(
        on.survey, [NewStep(response_type="dtmf", input_name="rating")]
    ),
    "surveys.update_steps": lambda to, on: to.surveys.update_steps(on.survey, [NewStep(input_name="other")]),
    "surveys.steps": lambda to, on: to.surveys.steps(on.survey),
    "surveys.run": lambda to, on: to.surveys.run(on.survey),
    "surveys.test_call": lambda to, on: to.surveys.test_call(on.respondent),
    "surveys.answers": lambda to, on: to.surveys.answers(on.survey),
    "surveys.download": lambda to, on: to.surveys.download(on.survey, on.folder / "answers.csv", timeout=2),
    "surveys.delete_steps": lambda to, on: to.surveys.delete_steps(on.survey),
    "survey_templates.create": lambda to, on: to.survey_templates.create("Made", [NewStep()], voice=3),
    "survey_templates.list": lambda to, on: to.survey_templates.list().collect(100),
    "survey_templates.get": lambda to, on: to.survey_templates.get(on.template),
    "survey_templates.update": lambda to, on: to.survey_templates.update(on.template, name="Changed"),
    "survey_templates.apply": lambda to, on: to.survey_templates.apply(on.template, on.survey),
    "survey_templates.delete": lambda to, on: to.survey_templates.delete(on.template),
    "reports.download": lambda to, on: to.reports.download(on.campaign, on.folder / "report.csv", timeout=2),
    "reports.rows": lambda to, on: to.reports.rows(on.campaign, timeout=2).collect(),
    "campaigns.delete": lambda to, on: to.campaigns.delete(on.campaign),
}


@attrs.frozen
class Generation:
    """A generation of the API and its operations, in an order in which each finds the objects that it needs."""

    session: Any
    calls: dict[str, Call]


@pytest.fixture(params=["classic", "v1"])
def generation(request: pytest.FixtureRequest) -> Generation:
    """Return each generation of the API."""
    if request.param == "classic":
        return Generation(tingting_async.TingTing, CLASSIC)
    return Generation(tingting_async.v1.TingTing, V1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Sandbox, Targets]]:
    """Return a sandbox with one object of each kind, and those objects."""
    async with Sandbox(campaigns=24, numbers=13, number_pagination=True) as sandbox:
        world = sandbox.world
        phone, survey = world.campaigns_of(world.owner)[:2]
        phone.services, survey.services, survey.user_phone = "PHONE", "SURVEY", [1]
        template = world.id()
        world.templates[template] = {
            "id": template,
            "name": "There",
            "voice": None,
            "length_factor": "1.00",
            "content": [{"order": 0, "content_type": "say", "audio_file": None}],
            "created_at": sandbox.clock.iso(),
        }
        yield (
            sandbox,
            Targets(
                campaign=phone.id,
                contact=phone.contacts[0].id,
                survey=survey.id,
                respondent=survey.contacts[0].id,
                template=template,
                sid=next(line.sid for line in world.lines.values() if line.owner is None),
                folder=tmp_path,
            ),
        )
