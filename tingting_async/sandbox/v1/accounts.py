"""Cookie sign-in, the API token, the profile, voices, lines, and the dashboard."""

from typing import Any

from aiohttp import web

from tingting_async.sandbox.http import NOT_ACTIVATED, json_response, origin, read_body, require
from tingting_async.sandbox.records import Account
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.v1.common import anonymous, signed_in

routes: web.RouteTableDef = web.RouteTableDef()


@routes.post("/api/v1/auths/login/")
@anonymous
async def login(request: web.Request, service: Service) -> web.StreamResponse:
    """Issue a pair of JWTs, as cookies alone (sample v1_login.json)."""
    body = await read_body(request)
    require(body, "email", "password")
    account = service.world.sign_in(body["email"], body["password"])
    if account is None:
        return json_response({"has_logged_in": False, "message": "Invalid credentials"}, 401)
    if not account.is_activated:
        return json_response(NOT_ACTIVATED, 401)
    response = json_response({"has_logged_in": True, "message": "Login Successful"})
    for kind in ("access", "refresh"):
        _set_cookie(response, service, kind, service.tokens.issue(account, kind))
    return response


@routes.post("/api/v1/auths/login/refresh/")
@anonymous
async def refresh(request: web.Request, service: Service) -> web.StreamResponse:
    """Issue another access token; the cookie `refresh` is the credential (sample v1_refresh.json)."""
    token = request.cookies.get("refresh")
    if not token:
        return json_response({"message": "No refresh token provided"}, 400)
    if token.count(".") != 2:
        return json_response({"detail": "Invalid token payload."}, 400)
    account = service.tokens.account(token, "refresh")
    if account is not None and not account.is_activated:
        return json_response(NOT_ACTIVATED, 401)
    new = service.tokens.refresh(token)
    if new is None:
        return json_response({"message": "Failed To Refresh The Session"}, 401)
    response = json_response({"message": "Session Refreshed Successfully"})
    for kind, value in new.items():
        _set_cookie(response, service, kind, value)
    return response


def _set_cookie(response: web.Response, service: Service, kind: str, token: str) -> None:
    lifetime = service.options.access_lifetime if kind == "access" else service.options.refresh_lifetime
    response.set_cookie(kind, token, max_age=int(lifetime), httponly=True, secure=True, samesite="None")


@routes.post("/api/v1/auths/generate-api-keys/")
@signed_in
async def generate_token(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Issue another API token, which revokes the previous one (sample v1_generate_api_keys.json)."""
    account.api_token = f"{service.world.random.getrandbits(256):064x}"
    account.token_created_at, account.token_used_at = service.clock.now(), None
    service.world.record("token", account.id, target=account.email)
    return json_response({"token": account.api_token, "message": "New API token generated successfully"})


@routes.get("/api/v1/auths/get-api-keys/")
@signed_in
async def show_token(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Show the API token (samples v1_get_api_keys.json and v1_get_api_keys_none.json)."""
    if not account.api_token:
        none = {"message": "No API token found. Please generate one first."}
        return json_response(none, service.options.no_token_status)
    created, used = account.token_created_at, account.token_used_at or service.clock.now()
    shown = {"last_used": service.clock.iso(used), "created_at": service.clock.iso(created)}
    return json_response({"token": account.api_token, **shown})


@routes.get("/api/v1/auths/user-profile/")
@signed_in
async def profile(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Show the signed-in user (sample v1_user_profile.json)."""
    user = {"first_name": account.first_name, "last_name": account.last_name}
    return json_response(
        {
            "id": account.id,
            "user": {**user, "username": account.username, "email": account.email},
            "profile_picture": f"{origin(request)}/media/account/{account.id}/profile_image.jpg",
            "contact_no": account.contact_number,
            "address": account.address,
            "is_verified_contact": True,
        }
    )


@routes.get("/api/v1/voice-models/")
@signed_in
async def voices(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the voices, as a bare array (sample v1_voice_models.json)."""
    return json_response(service.world.voices)


@routes.get("/api/v1/active-broker-phone/")
@routes.get("/api/v1/phone-number/active/")
@signed_in
async def lines(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the lines, as a bare array (sample v1_active_broker_phone.json)."""
    return json_response(service.world.brokers)


@routes.get("/api/v1/dashboard/")
@signed_in
async def dashboard(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Show the account's dashboard (sample v1_dashboard.json, which does not show the contents of nested objects)."""
    mine = service.world.campaigns_of(account)
    contacts = [contact for campaign in mine for contact in campaign.contacts]
    used = sum(contact.credit_consumed + contact.credit_consumed_sms for contact in contacts)
    seconds = sum(contact.duration or 0 for contact in contacts)
    outcomes: dict[str, int] = {}
    for contact in contacts:
        outcomes[contact.status] = outcomes.get(contact.status, 0) + 1
    body: dict[str, Any] = {
        "total_credits_purchased": account.credits + used,
        "credits_used": used,
        "remaining_credits": account.credits,
        "campaigns": {},
        "outbound_calls": sum(contact.credit_consumed for contact in contacts),
        "outbound_sms": sum(contact.credit_consumed_sms for contact in contacts),
        "total_call_duration": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        "total_owned_numbers": sum(line.owner == account.id for line in service.world.lines.values()),
        "total_playback": {},
        "credit_spent": used / 100,
        "top_performing_campaign": {},
        "playback_distribution": {},
        "campaign_type_ratio": {},
        "call_outcomes": outcomes,
        "credit_usage_overtime": [],
    }
    return json_response(body)
