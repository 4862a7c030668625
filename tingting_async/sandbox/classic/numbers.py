"""The numbers of a campaign."""

from functools import partial
from typing import Any, cast

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import envelope, number_body, page, signed_in, with_campaign, with_number
from tingting_async.sandbox.http import Body, ValidationError, deleted, mobile, with_body
from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.service import Service

routes: web.RouteTableDef = web.RouteTableDef()


@routes.get("/api/system/campaigns/number/{id:\\d+}")
@signed_in
@with_campaign
async def list_numbers(
    request: web.Request, service: Service, account: Account, campaign: Campaign
) -> web.StreamResponse:
    """List a campaign's numbers, newest first (sample classic_numbers.json)."""
    message = f"Number related to {campaign.name} campaign Retrived successfully"
    show = partial(number_body, service)
    if service.options.number_pagination:
        return page(request, service.options, campaign.contacts, show, "number-lists", message)
    return envelope({"messages": message, "number-lists": [show(contact) for contact in reversed(campaign.contacts)]})


@routes.post("/api/system/campaigns/number/{id:\\d+}/")
@signed_in
@with_body()
@with_campaign
async def add(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Add a number; the documents do not show the response."""
    if "number" not in body:
        raise ValidationError(number="This field is required.")
    number, tags = mobile(body["number"], "number"), _tags(campaign, body)
    contact = service.world.add_contact(campaign, number, tags)
    data = {"details": number_body(service, contact)} if service.options.add_number_response == "object" else {}
    return envelope(data, "Number added successfully.", status=service.options.created_status)


@routes.delete("/api/system/campaigns/number/{id:\\d+}/delete/")
@signed_in
@with_number
async def delete(request: web.Request, service: Service, account: Account, contact: Contact) -> web.StreamResponse:
    """Delete a number (sample classic_number_delete.json)."""
    campaign = service.world.campaigns[contact.campaign_id]
    service.world.remove_contact(contact)
    text = f"{contact.number} of campaign {campaign.name} deleted Successfully!!"
    documented = envelope({"campaign-details": text})
    return deleted(service.options, documented, documented)


@routes.get("/api/system/number/{id:\\d+}/")
@signed_in
@with_number
async def detail(request: web.Request, service: Service, account: Account, contact: Contact) -> web.StreamResponse:
    """Show a number (sample classic_number_detail.json)."""
    body = number_body(service, contact)
    return envelope({"messages": f"{contact.number} details retrieved successfully!!", "number-detail": body})


@routes.put("/api/system/number/{id:\\d+}/")
@signed_in
@with_body()
@with_number
async def edit(
    request: web.Request, service: Service, account: Account, contact: Contact, body: Body
) -> web.StreamResponse:
    """Update a number (sample classic_number_edit.json, where `details` is an object and not a list)."""
    campaign = service.world.campaigns[contact.campaign_id]
    if "number" in body:
        contact.number = mobile(body["number"], "number")
    if "available_tags" in body:
        contact.tags = _tags(campaign, body)
    contact.updated_at = service.clock.now()
    return envelope({"details": number_body(service, contact)}, "Action details successfully updated.")


def _tags(campaign: Campaign, body: Body) -> dict[str, Any]:
    tags = cast("dict[str, Any]", body.get("available_tags") or {})
    if not isinstance(tags, dict) or not tags.keys() <= set(campaign.usable_tags):
        raise ValidationError(available_tags="Only the campaign's usable tags can be used.")
    return tags
