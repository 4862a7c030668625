"""Accounts: login, refresh, user details."""

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import anonymous, envelope, signed_in
from tingting_async.sandbox.http import NOT_ACTIVATED, json_response, read_body, require
from tingting_async.sandbox.records import Account
from tingting_async.sandbox.service import Service

routes: web.RouteTableDef = web.RouteTableDef()


@routes.post("/api/accounts/login/")
@anonymous
async def login(request: web.Request, service: Service) -> web.StreamResponse:
    """Issue a pair of JWTs (sample classic_login.json)."""
    body = await read_body(request)
    require(body, "email", "password")
    account = service.world.sign_in(body["email"], body["password"])
    if account is None:
        message = "No active account found with the given credentials"
        return json_response({"status": 401, "success": False, "message": message, "errors": [], "data": {}}, 401)
    if not account.is_activated:
        return json_response(NOT_ACTIVATED, 401)
    token = {kind: service.tokens.issue(account, kind) for kind in ("refresh", "access")}
    user = {"first_name": account.first_name, "last_name": account.last_name, "email": account.email}
    return envelope({"token": token, "user_data": user}, "Successfully logged in")


@routes.post("/api/accounts/token/refresh/")
@anonymous
async def refresh(request: web.Request, service: Service) -> web.StreamResponse:
    """Issue another access token, without an envelope (sample classic_refresh.json)."""
    token = (await read_body(request)).get("refresh")
    if not isinstance(token, str):
        return json_response({"refresh": ["This field is required."]}, 400)
    account = service.tokens.account(token, "refresh")
    if account is not None and not account.is_activated:
        return json_response(NOT_ACTIVATED, 401)
    new = service.tokens.refresh(token)
    if new is None:
        return json_response({"detail": "Token is invalid or expired", "code": "token_not_valid"}, 401)
    return json_response(new)


@routes.get("/api/accounts/user_details/")
@signed_in
async def user_details(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Show the signed-in user (sample classic_user_details.json)."""
    return envelope(
        {
            "user_details": {
                "first_name": account.first_name,
                "last_name": account.last_name,
                "email": account.email,
                "username": account.username,
                "is_verified_email": True,
                "contact_number": account.contact_number,
                "is_verified_phone": True,
                "address": account.address,
            }
        }
    )
