"""Campaigns: list, create, update, delete, details, begin, test voice."""

import re
from datetime import datetime
from typing import Any, cast

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import campaign_body, envelope, page, signed_in, with_campaign
from tingting_async.sandbox.clock import KATHMANDU
from tingting_async.sandbox.fields import integer, many, text
from tingting_async.sandbox.http import Body, ValidationError, check_choice, deleted, mobile, require, with_body
from tingting_async.sandbox.media import upload, voice_response
from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.running import begin as begin_campaign, max_cost
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.sheets import read_sheet

routes: web.RouteTableDef = web.RouteTableDef()

_SERVICES = ("PHONE", "SMS", "SMS & PHONE")
_VOICES = ("np_rija", "np_prasanna", "np_binod")
_RESULTS = ("hungup", "unanswered", "failed", "terminated", "completed")


@routes.get("/api/system/campaigns")
@signed_in
async def list_campaigns(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the account's campaigns (sample classic_campaigns.json)."""
    campaigns = service.world.campaigns_by_creation(account)
    message = "Campaign Successfully Retrieved"
    return page(request, service.options, campaigns, campaign_body, "campaign-lists", message)


@routes.post("/api/system/campaigns/")
@signed_in
@with_body(name=text, services=text, description=text)
async def create(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Create a campaign (sample classic_campaign_create.json)."""
    require(body, "name", "services")
    check_choice(body, "services", _SERVICES)
    if "send_to_number_file" in body:
        recipients = _recipients(body["send_to_number_file"])
    else:
        numbers = [mobile(number, "individual_number") for number in _as_list(body.get("individual_number"))]
        recipients = [(number, dict[str, Any]()) for number in numbers]
    if not recipients:
        raise ValidationError(individual_number="Give either numbers or a file.")
    tags = list(recipients[0][1])
    description = body.get("description") or ""
    campaign = service.world.add_campaign(account, body["name"], body["services"], description, tags=tags)
    for number, values in recipients:
        service.world.add_contact(campaign, number, values)
    details = [campaign_body(campaign, tags=False)]
    return envelope({"details": details}, "Campaign Created Successfully", status=service.options.created_status)


@routes.put("/api/system/campaigns/{id:\\d+}/update/")
@signed_in
@with_body(name=text, services=text, description=text)
@with_campaign
async def update(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Update a campaign (sample classic_campaign_update.json)."""
    check_choice(body, "services", _SERVICES)
    for name in ("name", "services", "description"):
        if body.get(name) is not None:
            setattr(campaign, name, body[name])
    campaign.updated_at = service.clock.now()
    details = [campaign_body(campaign, tags=False)]
    return envelope({"details": details}, "Campaign details successfully updated.")


@routes.delete("/api/system/campaigns/{id:\\d+}/delete")
@signed_in
@with_campaign
async def delete(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Delete a campaign (sample classic_campaign_delete.json, misspelt as in the sample)."""
    service.world.remove_campaign(campaign)
    documented = envelope({"camaign": "Campaign Deleted Succesfully"})
    return deleted(service.options, documented, documented)


@routes.get("/api/system/campaigns/{id:\\d+}/details")
@signed_in
@with_campaign
async def details(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Show a campaign (sample classic_campaign_details.json)."""
    return envelope({"messages": "Details Retrived successfully", "details": [campaign_body(campaign)]})


@routes.post("/api/system/campaigns/{id:\\d+}/begin/")
@signed_in
@with_body(
    individual=many(integer),
    status=many(text),
    message=text,
    voice_input=text,
    schedule_date=text,
    priority=text,
)
@with_campaign
async def begin(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Run a campaign (sample classic_campaign_begin.json)."""
    if campaign.status in ("Running", "Scheduled"):
        raise ValidationError(campaign="Campaign is already running.")
    if not body.get("message") and "aud_file" not in body:
        raise ValidationError(message="Give either a message or an audio file.")
    unknown = set(re.findall(r"\{(.*?)\}", body.get("message") or "")) - set(campaign.usable_tags)
    if unknown:
        raise ValidationError(message=f"Unknown tags: {', '.join(sorted(unknown))}.")
    check_choice(body, "voice_input", _VOICES)
    check_choice(body, "priority", ("message", "audio"))
    targets = _targets(campaign, body)
    at = _schedule(service, body.get("schedule_date"))
    if account.available_credits < max_cost(campaign, targets):
        raise ValidationError(credits="You do not have enough credits.")
    _set_content(request, service, campaign, body)
    held = begin_campaign(service.world, account, campaign, targets, at)
    hold = f"{held} credits on hold for Individual Number campaign."
    return envelope({"hold amount": hold}, "Campaign is running!!")


@routes.post("/api/system/test/voice/")
@signed_in
@with_body(message=text, voice_input=text)
async def test_voice(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Return the spoken form of a message; the documents do not show the response."""
    require(body, "message")
    check_choice(body, "voice_input", _VOICES)
    return voice_response(request, service.options.test_voice_response, body["message"])


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]


def _recipients(content: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the phone numbers of a file, each with its tags, which are the other columns as in the v1 API.

    The classic documents do not say where a campaign's tags come from. A file is the only possible source.
    """
    field = "send_to_number_file"
    recipients: list[tuple[str, dict[str, Any]]] = []
    for row in read_sheet(content, field, allow_csv=False):
        (_, number), *others = row.items()
        recipients.append(
            (mobile(number, field), {f"tags_{name.removeprefix('tags_')}": value for name, value in others})
        )
    return recipients


def _set_content(request: web.Request, service: Service, campaign: Campaign, body: Body) -> None:
    """Set what a campaign says: a message, which a campaign that texts sends, too, or an audio file."""
    sound = body.get("aud_file")
    campaign.message = campaign.sms_message = body.get("message") or ""
    campaign.category, campaign.audio_file = "Text", None
    if isinstance(sound, bytes) and not (campaign.message and body.get("priority") == "message"):
        campaign.category = "Audio"
        campaign.audio_file = upload(request, service, f"campaign-{campaign.id}.mp3", sound)


def _targets(campaign: Campaign, body: Body) -> list[Contact]:
    targets = campaign.contacts
    wanted, results = body.get("individual"), body.get("status")
    if wanted is not None:
        ids = set(wanted)
        targets = [contact for contact in targets if contact.id in ids]
        if len(targets) != len(ids):
            raise ValidationError(individual="Invalid pk - object does not exist.")
    if results is not None:
        if not set(results) <= set(_RESULTS):
            raise ValidationError(status="Not a valid choice.")
        targets = [contact for contact in targets if contact.status in results]
    if not targets:
        raise ValidationError(campaign="There are no numbers to reach.")
    return targets


def _schedule(service: Service, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        when = datetime.strptime(value, "%Y-%m-%dT%H:%M").replace(tzinfo=KATHMANDU)  # The service uses Nepal's time.
    except ValueError:
        raise ValidationError(schedule_date="Datetime has wrong format. Use YYYY-MM-DDThh:mm.") from None
    if when.timestamp() < service.clock.now() - 60:
        raise ValidationError(schedule_date="The date has passed.")
    return when.timestamp()
