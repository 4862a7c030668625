"""The contacts of a campaign."""

from functools import partial
from typing import Any, cast

from aiohttp import web

from tingting_async.sandbox.fields import many, mapping
from tingting_async.sandbox.http import Body, ValidationError, deleted, json_response, mobile, origin, with_body
from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.sheets import read_sheet
from tingting_async.sandbox.v1.common import (
    added_row,
    contact_row,
    page,
    signed_in,
    with_campaign,
    with_contact,
    with_method,
)

routes: web.RouteTableDef = web.RouteTableDef()


@routes.get("/api/v1/campaign-detail/{id:\\d+}/")
@signed_in
@with_campaign
async def list_contacts(
    request: web.Request, service: Service, account: Account, campaign: Campaign
) -> web.StreamResponse:
    """List a campaign's contacts, newest first, with totals (sample v1_contacts.json)."""
    return page(
        request,
        service.options,
        campaign.contacts,
        partial(contact_row, service),
        total_credits_consumed=campaign.totals.credits,
        carrier_summary=campaign.totals.carriers,
    )


@routes.post("/api/v1/campaign/{id:\\d+}/add-contact/")
@signed_in
@with_body(contacts=many(mapping), other_variables=mapping)
@with_campaign
async def add(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Add a contact, or many (samples v1_add_contact.json and v1_add_contacts.json)."""
    if "contacts" not in body:
        contact = service.world.add_contact(campaign, mobile(body.get("number"), "number"), _variables(body))
        if service.options.add_contact_response == "contact":
            row = {**contact_row(service, contact), "attributes": contact.tags}
            return json_response(row, service.options.created_status)
        return json_response({"message": "New Contact added"}, service.options.created_status)
    rows: list[dict[str, Any]] = body["contacts"] or []
    most = service.options.max_contacts
    if not rows or (most is not None and len(rows) > most):
        raise ValidationError(contacts=f"Give between 1 and {most or 'any number of'} contacts.")
    added, skipped, errors = list[dict[str, Any]](), 0, list[Any]()
    for index, row in enumerate(rows):
        try:
            number, variables = mobile(row.get("number"), "number"), _variables(row)
        except ValidationError as error:
            refused = {"row": index, "number": row.get("number"), "error": error.fields}
            as_objects = service.options.add_contacts_errors == "objects"
            errors.append(refused if as_objects else f"Contact {index + 1}: {error.fields}")
            continue
        if number in campaign.totals.numbers:
            skipped += 1
            continue
        added.append(added_row(service, service.world.add_contact(campaign, number, variables)))
    done = {"created": len(added), "skipped": skipped, "contacts": added, "errors": errors or None}
    return json_response(done, service.options.created_status)


def _variables(row: dict[str, Any]) -> dict[str, Any]:
    variables = cast("dict[str, Any]", row.get("other_variables") or {})
    if not isinstance(variables, dict):
        raise ValidationError(other_variables="Expected a dictionary of items.")
    return variables


@signed_in
@with_method(lambda options: (options.upload_method,))
@with_body()
@with_campaign
async def upload(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Add a file of contacts (sample v1_bulk_contacts.json)."""
    rows = read_sheet(body.get("bulk_file"), "bulk_file")
    errors: list[Any] = []
    good: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        (number, *_) = row.values()
        try:
            service.world.add_contact(campaign, mobile(number, "numbers"), dict(list(row.items())[1:]))
            good.append(row)
        except ValidationError as error:
            errors.append({"row": index + 2, "error": error.fields["numbers"]})
    columns = list(rows[0]) if rows else []
    samples = [{"column": name, "sample": [row.get(name) for row in good[:3]]} for name in columns]
    campaign.bulk_file = f"{origin(request)}/media/bulk/{campaign.id}"
    return json_response({"error_list": errors, "samples": samples, "total_validated_rows": len(good)})


for _method in ("PATCH", "POST"):
    routes.route(_method, "/api/v1/campaign/create/{id:\\d+}/detail/")(upload)


@routes.patch("/api/v1/phone-number/update/{id:\\d+}/")
@signed_in
@with_body()
@with_contact
async def update(
    request: web.Request, service: Service, account: Account, contact: Contact, body: Body
) -> web.StreamResponse:
    """Update a contact's number (sample v1_contact_update.json)."""
    contact.number = mobile(body.get("number"), "number")
    contact.updated_at = service.clock.now()
    return json_response(contact_row(service, contact))


@routes.delete("/api/v1/phone-number/delete/{id:\\d+}/")
@signed_in
@with_contact
async def delete(request: web.Request, service: Service, account: Account, contact: Contact) -> web.StreamResponse:
    """Delete a contact (sample v1_contact_delete.json)."""
    service.world.remove_contact(contact)
    message = json_response({"message": "Successfully Deleted."})
    return deleted(service.options, message, message)


@routes.get("/api/v1/campaign/{id:\\d+}/attributes/")
@signed_in
@with_contact
async def attributes(request: web.Request, service: Service, account: Account, contact: Contact) -> web.StreamResponse:
    """Show a contact's variables, though the path says campaign (sample v1_contact_attributes.json)."""
    return json_response(contact.tags)


@routes.patch("/api/v1/campaign/{id:\\d+}/attributes/")
@signed_in
@with_body()
@with_contact
async def set_attributes(
    request: web.Request, service: Service, account: Account, contact: Contact, body: Body
) -> web.StreamResponse:
    """Update a contact's variables."""
    contact.tags = {**contact.tags, **body}
    return json_response(contact.tags)
