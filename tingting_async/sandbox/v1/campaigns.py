"""Campaigns: list, create, show, update, delete, run, stop, test voice, demo call, report."""

import csv
import io
from collections.abc import Collection
from datetime import datetime
from functools import partial
from math import inf
from typing import Any

from aiohttp import web

from tingting_async.sandbox.bikram_sambat import format_date
from tingting_async.sandbox.clock import KATHMANDU
from tingting_async.sandbox.fields import Field, boolean, decimal, integer, many, text
from tingting_async.sandbox.http import Body, ValidationError, check_choice, deleted, json_response, require, with_body
from tingting_async.sandbox.media import voice_response
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.running import begin, max_cost, reschedule, stop
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.v1.common import (
    find_voice,
    page,
    parse_step,
    sent_voice,
    signed_in,
    silent,
    survey_id,
    with_campaign,
    with_contact,
    with_method,
)

routes: web.RouteTableDef = web.RouteTableDef()

_SERVICES = ("PHONE", "SMS", "SMS & PHONE", "SURVEY")
_FIELDS: dict[str, Field] = {
    **dict.fromkeys(("name", "services", "description", "message", "sms_message", "category", "schedule"), text),
    "draft": boolean,
    "credit_limit": integer,
    "length_factor": decimal,
    "user_phone": many(integer),
    "failover_target": many(text),
    "steps": many(parse_step),
}
_STATUSES = ("hungup", "unanswered", "failed", "not started", "completed")


@routes.get("/api/v1/campaign/")
@signed_in
async def list_campaigns(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the account's campaigns, filtered (sample v1_campaigns.json)."""
    query = request.query
    found = service.world.campaigns_by_update(account)
    if status := query.get("status"):
        found = [campaign for campaign in found if campaign.status == status]
    if search := query.get("search", "").lower():
        found = [campaign for campaign in found if search in campaign.name.lower()]
    if query.get("draft", "").lower() == "true":
        found = [campaign for campaign in found if campaign.draft]
    if {"from_date", "to_date"} & query.keys():
        start, end = _range(query.get("from_date"), query.get("to_date"))
        found = [campaign for campaign in found if start <= campaign.updated_at < end]
    newest_first = query.get("sort_by") != "asc"
    return page(request, service.options, found, partial(campaign_row, service), newest_first=newest_first)


def _range(start: str | None, end: str | None) -> tuple[float, float]:
    """Return a range in Unix seconds, which includes the whole last day."""
    try:
        after = float(start) if start else 0.0
        if not end:
            return after, inf
        last = datetime.fromtimestamp(float(end), KATHMANDU).replace(hour=0, minute=0, second=0, microsecond=0)
        return after, last.timestamp() + 86_400
    except (ValueError, OverflowError):
        raise ValidationError(detail="Invalid date.") from None


@routes.post("/api/v1/campaign/create/")
@signed_in
@with_body(**_FIELDS)
async def create(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Create a campaign (sample v1_campaign_create.json)."""
    require(body, "name", "services")
    _check(service, body)
    campaign = service.world.add_campaign(account, body["name"], body["services"], body.get("description") or "")
    _apply(service, campaign, body)
    audit = {"main_audit": str(campaign.id + 4000)}
    return json_response({**campaign_body(service, campaign), **audit}, service.options.created_status)


@routes.get("/api/v1/campaign/{id:\\d+}/")
@signed_in
@with_campaign
async def details(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Show a campaign (sample v1_campaign_details.json)."""
    return json_response({**campaign_body(service, campaign), "campaign_action_count": len(campaign.contacts)})


@with_body(**_FIELDS)
@with_campaign
async def update(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Update a campaign, or its message (samples v1_campaign_details.json and v1_campaign_message.json)."""
    _check(service, body)
    _apply(service, campaign, body)
    everything = campaign_body(service, campaign)
    if request.path.endswith("/message/"):
        wanted = ("voice", "sms_message", "message", "category", "draft", "length_factor")
        return json_response({name: everything[name] for name in wanted if name in everything})
    return json_response({**everything, "campaign_action_count": len(campaign.contacts)})


def _message_methods(options: Options) -> Collection[str]:
    return options.update_methods if options.message_methods is None else options.message_methods


_update_message = signed_in(with_method(_message_methods)(update))
_update = signed_in(with_method(lambda options: options.update_methods)(update))
for _method in ("PATCH", "PUT", "POST"):
    routes.route(_method, "/api/v1/campaign/{id:\\d+}/")(_update)
    routes.route(_method, "/api/v1/campaign/create/{id:\\d+}/message/")(_update_message)


@routes.delete("/api/v1/campaign/{id:\\d+}/")
@signed_in
@with_campaign
async def delete(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Delete a campaign; the documents do not show the response."""
    service.world.remove_campaign(campaign)
    message = json_response({"message": "Successfully Deleted."})
    return deleted(service.options, web.Response(status=204), message)


@routes.post("/api/v1/run-campaign/{id:\\d+}/")
@routes.post("/api/v1/run-survey/{id:\\d+}/")
@signed_in
@with_campaign
async def run(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Run a campaign (samples v1_run_campaign.json and v1_run_campaign_scheduled.json)."""
    if campaign.status in ("Running", "Scheduled"):
        raise ValidationError(message="Campaign is already running.")
    if campaign.draft:
        raise ValidationError(message="Campaign is a draft.")
    targets = [contact for contact in campaign.contacts if contact.status == "not started"]
    if not targets:
        what = "has already been run" if campaign.contacts else "has no contacts"
        raise ValidationError(message=f"Campaign {what}.")
    if campaign.services != "SMS" and not campaign.user_phone:
        raise ValidationError(message="Campaign has no phone number to call from.")
    if account.available_credits < max_cost(campaign, targets):
        raise ValidationError(message="You do not have enough credits.")
    at = campaign.scheduled_at
    if at is not None and at <= service.clock.now():
        at = None
    begin(service.world, account, campaign, targets, at)
    message = "Campaign Began Successfully!!"
    if at is not None:
        when = datetime.fromtimestamp(at, KATHMANDU)
        message = f"Campaign Scheduled successfully for {format_date(when.date())} at {when:%H:%M:%S}"
    is_survey = request.path.startswith("/api/v1/run-survey/")  # The documents print nothing for surveys.
    return silent(service.options, message) if is_survey else json_response({"message": message})


@routes.post("/api/v1/campaign/emergency-stop/{id:\\d+}/")
@signed_in
@with_campaign
async def emergency_stop(
    request: web.Request, service: Service, account: Account, campaign: Campaign
) -> web.StreamResponse:
    """Stop a campaign; the documents do not show the response."""
    if campaign.status not in ("Running", "Scheduled"):
        raise ValidationError(message="Campaign is not running.")
    stop(service.world, campaign)
    return silent(service.options, "Campaign Terminated Successfully")


@routes.post("/api/v1/test-speak/riri/{id:\\d+}/")
@signed_in
@with_body(message=text)
@with_campaign
async def test_speak(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Return the spoken form of a message (sample v1_test_voice.json)."""
    require(body, "message")
    if find_voice(service.world, body.get("voice_input")) is None:
        raise ValidationError(voice_input="This field is required.")
    options = service.options
    return voice_response(request, options.test_voice_response, body["message"], scheme=options.test_voice_scheme)


@routes.post("/api/v1/demo-call/{id:\\d+}/")
@routes.post("/api/v1/test-survey/{id:\\d+}/")
@signed_in
@with_contact
async def demo_call(request: web.Request, service: Service, account: Account, contact: Contact) -> web.StreamResponse:
    """Call one contact; the documents do not show the response."""
    with service.world.lock:
        account.credits -= 1
        service.world.call(service.world.campaigns[contact.campaign_id], contact)
    return silent(service.options, "Demo Call Placed Successfully")


@routes.get("/api/v1/download/report/{id:\\d+}/")
@signed_in
@with_campaign
async def report(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """Return the results of a campaign as CSV."""
    rows = io.StringIO()
    sheet = csv.writer(rows)
    sheet.writerow(["Number", "Status", "Duration", "Playback", "Credit Consumed", "Carrier", "Updated At"])
    for contact in campaign.contacts:
        lasted, heard = f"{contact.duration or 0}s", contact.playback or ""
        spent, at = contact.credit_consumed + contact.credit_consumed_sms, service.clock.iso(contact.updated_at)
        sheet.writerow([contact.number, contact.status, lasted, heard, spent, contact.carrier, at])
    return web.Response(
        text=rows.getvalue(),
        content_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="report-{campaign.id}.csv"'},
    )


def campaign_body(service: Service, campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as its details show it, with the voice as an id."""
    at = campaign.scheduled_at
    as_object = service.options.voice_shown == "object"
    fields = {
        "id": campaign.id,
        "name": campaign.name,
        "services": campaign.services,
        "status": campaign.status,
        "sms_message": campaign.sms_message,
        "message": campaign.message,
        "description": campaign.description,
        "schedule": None if at is None else service.clock.iso(at),
        "audio_file": campaign.audio_file,
        "bulk_file": campaign.bulk_file,
        "category": campaign.category,
        "user_phone": campaign.user_phone,
        "progress_percent": 100 * campaign.totals.finished // len(campaign.contacts) if campaign.contacts else 0,
        "updated_at": service.clock.iso(campaign.updated_at),
        "credit_limit": campaign.credit_limit,
        "voice": find_voice(service.world, campaign.voice) if as_object else campaign.voice,
        "draft": campaign.draft,
        "failover_target": campaign.failover_target,
        "length_factor": campaign.length_factor,
    }
    if service.options.empty_fields == "missing":
        return {name: value for name, value in fields.items() if value is not None}
    return fields


def campaign_row(service: Service, campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as the list shows it, with the voice as an object."""
    row = {**campaign_body(service, campaign), "campaign_action_count": len(campaign.contacts)}
    if "voice" in row and service.options.voice_shown != "id":
        row["voice"] = find_voice(service.world, campaign.voice)
    return row


def _check(service: Service, body: Body) -> None:
    check_choice(body, "services", _SERVICES)
    sent_voice(service, body.get("voice"))
    check_choice(body, "category", (None, "", "Text", "Audio"))
    if not set(body.get("user_phone") or ()) <= {each["id"] for each in service.world.brokers}:
        raise ValidationError(user_phone="Invalid pk - object does not exist.")
    if not set(body.get("failover_target") or ()) <= set(_STATUSES):
        raise ValidationError(failover_target="Not a valid choice.")
    _timestamp(body.get("schedule"))


def _apply(service: Service, campaign: Campaign, body: Body) -> None:
    for name in ("name", "services", "draft"):
        if body.get(name) is not None:
            setattr(campaign, name, body[name])
    for name in ("description", "message", "sms_message", "category"):
        if name in body:
            setattr(campaign, name, body[name] or "")
    if "credit_limit" in body:
        campaign.credit_limit = body["credit_limit"]
    if "failover_target" in body:
        campaign.failover_target = body["failover_target"] or []
    if "user_phone" in body:
        campaign.user_phone = body["user_phone"] or []
    if body.get("length_factor") is not None:
        campaign.length_factor = f"{body['length_factor']:.2f}"
    if "voice" in body:
        found = sent_voice(service, body["voice"])
        campaign.voice = None if found is None else int(found["id"])
    if "schedule" in body:
        reschedule(service.world, campaign, _timestamp(body["schedule"]))
    if body.get("steps") is not None:
        campaign.steps = [
            {"order": index, **step, "id": service.world.id(), "survey": survey_id(service, campaign)}
            for index, step in enumerate(body["steps"])
        ]
    campaign.updated_at = service.clock.now()


def _timestamp(value: str | None) -> float | None:
    """Convert a date or datetime to Unix seconds. Without an offset, it is in Nepal's time."""
    if not value:
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise ValidationError(schedule="Datetime has wrong format.") from None
    if not 1970 < when.year < 9000:
        raise ValidationError(schedule="Datetime is out of range.")
    return (when if when.tzinfo else when.replace(tzinfo=KATHMANDU)).timestamp()
