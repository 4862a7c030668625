"""Accounts: login, refresh, user details."""

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import envelope, refusal, signed_in
from tingting_async.sandbox.http import RefusedError, answer, read_body
from tingting_async.sandbox.service import SERVICE, Service
from tingting_async.sandbox.world import Account

routes = web.RouteTableDef()


@routes.post("/api/accounts/login/")
async def login(request: web.Request) -> web.StreamResponse:
    """Give out a pair of JWTs (sample classic_login.json)."""
    service = request.app[SERVICE]
    try:
        body = await read_body(request)
    except RefusedError as refused:
        return refusal(service.options, refused.fields)
    missing = {name: "This field is required." for name in ("email", "password") if not body.get(name)}
    if missing:
        return refusal(service.options, missing)
    account = next((each for each in service.world.accounts if each.email == body["email"]), None)
    if account is None or account.password != body["password"]:
        message = "No active account found with the given credentials"
        return answer({"status": 401, "success": False, "message": message, "errors": [], "data": {}}, 401)
    if not account.is_activated:
        return answer({"detail": "Account is not activated."}, 401)
    token = {kind: service.tokens.issue(account, kind) for kind in ("refresh", "access")}
    user = {"first_name": account.first_name, "last_name": account.last_name, "email": account.email}
    return envelope({"token": token, "user_data": user}, "Successfully logged in")


@routes.post("/api/accounts/token/refresh/")
async def refresh(request: web.Request) -> web.StreamResponse:
    """Give out another access token, without an envelope (sample classic_refresh.json)."""
    service = request.app[SERVICE]
    try:
        token = (await read_body(request)).get("refresh")
    except RefusedError as refused:
        return refusal(service.options, refused.fields)
    if not isinstance(token, str):
        return answer({"refresh": ["This field is required."]}, 400)
    account = service.tokens.account(token, "refresh")
    if account is not None and not account.is_activated:
        return answer({"detail": "Account is not activated."}, 401)
    new = service.tokens.renew(token)
    if new is None:
        return answer({"detail": "Token is invalid or expired", "code": "token_not_valid"}, 401)
    return answer(new)


@routes.get("/api/accounts/user_details/")
@signed_in
async def user_details(_: web.Request, __: Service, account: Account) -> web.StreamResponse:
    """Say who is signed in (sample classic_user_details.json)."""
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
