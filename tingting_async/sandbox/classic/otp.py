"""One-time passwords."""

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import envelope, signed_in
from tingting_async.sandbox.fields import integer, text
from tingting_async.sandbox.http import RefusedError, code_length, mobile, read_body
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.world import Account, SentOtp

routes = web.RouteTableDef()


@routes.post("/api/system/send/otp/")
@signed_in
async def send(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Send a code (sample classic_otp.json)."""
    texts = dict.fromkeys(("message", "sms_send_options", "otp_options", "otp"), text)
    body = await read_body(request, otp_length=integer, **texts)
    required = {
        name: "This field is required." for name in ("number", "message", "sms_send_options") if not body.get(name)
    }
    if required:
        raise RefusedError(**required)
    if "{otp}" not in body["message"]:
        raise RefusedError(message="The message must contain {otp}.")
    if body["sms_send_options"] not in ("voice", "text"):
        raise RefusedError(sms_send_options=f'"{body["sms_send_options"]}" is not a valid choice.')
    options = body.get("otp_options", "generated")
    if options not in ("generated", "personnel"):
        raise RefusedError(otp_options=f'"{options}" is not a valid choice.')
    number = mobile(body["number"], "number")
    code = str(body.get("otp") or "")
    if options == "personnel":
        if not code.isdigit():
            raise RefusedError(otp="This field is required.")
    else:
        code = service.world.make_code(code_length(body, 5))
    if account.credits - account.on_hold < 1:
        raise RefusedError(credits="You do not have enough credits.")
    # A spoken code is spelt digit by digit (sample classic_otp.json shows it in a text as well).
    message = body["message"].replace("{otp}", " ".join(code))
    sent = SentOtp(
        service.world.id(), account.id, number, message, code, options, body["sms_send_options"], service.clock.now()
    )
    service.world.otps.append(sent)
    account.credits -= 1
    service.world.happened("otp", sent.id, target=sent.number)
    shown = {
        "number": number,
        "otp_options": options,
        "message": message,
        "otp": code,
        "sms_send_options": sent.channel,
    }
    return envelope({"details": shown}, "OTP Sent Successfully.")
