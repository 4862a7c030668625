"""One-time passwords."""

from aiohttp import web

from tingting_async.sandbox.classic.envelopes import envelope, signed_in
from tingting_async.sandbox.fields import integer, text
from tingting_async.sandbox.http import Body, with_body
from tingting_async.sandbox.otp import check_otp, send_otp
from tingting_async.sandbox.records import Account
from tingting_async.sandbox.service import Service

routes: web.RouteTableDef = web.RouteTableDef()


@routes.post("/api/system/send/otp/")
@signed_in
@with_body(message=text, sms_send_options=text, otp_options=text, otp=text, otp_length=integer)
async def send(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Send a one-time password (sample classic_otp.json)."""
    check_otp(body)
    # The message spells the password digit by digit, in texts as well (sample classic_otp.json).
    sent = send_otp(service, account, body, default_length=5, credits_field="credits", spell=" ".join)
    details = {
        "number": sent.number,
        "otp_options": sent.options,
        "message": sent.message,
        "otp": sent.otp,
        "sms_send_options": sent.channel,
    }
    return envelope({"details": details}, "OTP Sent Successfully.")
