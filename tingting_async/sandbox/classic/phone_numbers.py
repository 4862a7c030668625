"""The account's lines, and the lines for sale."""

from typing import Any

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import envelope, not_found, signed_in
from tingting_async.sandbox.http import Body, ValidationError, deleted, require, with_body
from tingting_async.sandbox.records import Account, Line
from tingting_async.sandbox.service import Service

routes: web.RouteTableDef = web.RouteTableDef()


@routes.get("/api/system/owned/phone_numbers")
@signed_in
async def owned(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the account's lines (sample classic_owned_phone_numbers.json)."""
    return envelope(
        {"owned_numbers": [_body(line) for line in service.world.lines.values() if line.owner == account.id]}
    )


@routes.get("/api/system/phone_numbers")
@signed_in
async def for_sale(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the lines for sale (sample classic_phone_numbers.json)."""
    lines = [_body(line) for line in service.world.lines.values() if line.owner is None]
    return envelope({"number_lists": lines}, "Number Lists Retrived Successfully!!")


@routes.post("/api/system/phone_numbers/")
@signed_in
@with_body()
async def buy(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Buy a line (sample classic_phone_number_buy.json)."""
    line = _line(service, body)
    if line is None:
        return not_found()
    if line.owner is not None:
        raise ValidationError(phone_sid="This number is not for sale.")
    if account.available_credits < line.rate:
        raise ValidationError(credits="You do not have enough credits.")
    line.owner = account.id
    account.credits -= int(line.rate)
    service.world.record("purchase", line.sid)
    return envelope({"number_details": [_body(line)]}, f"{line.phone_number} number bought successfully!!")


@routes.delete("/api/system/phone_numbers")
@signed_in
@with_body()
async def release(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Release a line (sample classic_phone_number_release.json)."""
    line = _line(service, body)
    if line is None or line.owner != account.id:
        return not_found()
    line.owner = None
    service.world.record("release", line.sid)
    released = f"{line.phone_number} number released successfully!!"
    return deleted(service.options, envelope({}, released, status=204), envelope({}, released))


def _line(service: Service, body: Body) -> Line | None:
    require(body, "phone_sid")
    return service.world.lines.get(str(body["phone_sid"]))


def _body(line: Line) -> dict[str, Any]:
    return {
        "phone_number": line.phone_number,
        "rate": line.rate,
        "available_capabilities": "Voice, SMS",
        "phone_number_sid": line.sid,
        "friendly_name": "",
        "accept_incoming": None,
        "configure_with": "",
        "call_comes_in": None,
        "call_url": None,
        "http_request": None,
    }
