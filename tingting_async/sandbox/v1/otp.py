"""One-time passwords."""

from functools import partial
from typing import Any

from aiohttp import web

from tingting_async.sandbox.fields import Field, integer, text
from tingting_async.sandbox.http import Body, ValidationError, json_response, require, shown_number, with_body
from tingting_async.sandbox.otp import check_otp, send_otp
from tingting_async.sandbox.records import Account, SentOtp
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.v1.common import page, signed_in

routes: web.RouteTableDef = web.RouteTableDef()

_TEXTS = ("message", "sms_send_options", "otp_options", "otp", "voice_input", "company_name")
_FIELDS: dict[str, Field] = {**dict.fromkeys(_TEXTS, text), "otp_length": integer}


@routes.post("/api/v1/auths/send/otp/")
@signed_in
@with_body(**_FIELDS)
async def send(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Send a one-time password (samples v1_otp_text.json and v1_otp_voice.json)."""
    check_otp(body)
    if service.options.company_name_required:
        require(body, "company_name")
    is_call = body["sms_send_options"] == "voice"
    if is_call and body.get("voice_input") not in {voice["voice_internal_name"] for voice in service.world.voices}:
        raise ValidationError(voice_input="This field is required for voice.")
    sent = send_otp(service, account, body, default_length=6, credits_field="message")
    details: dict[str, Any] = {
        "number": shown_number(service.options, sent.number, str),
        "otp_options": sent.options,
        "message": sent.message,
        "otp": sent.otp,
        "sms_send_options": sent.channel,
        "credits_used": 1,
        "remaining_sms_credits": account.credits,
        "remaining_phone_credits": account.credits,
        "company_name": sent.company_name,
    }
    message = "OTP Sent Successfully."
    if is_call:
        details |= {"voice_input": body["voice_input"], "length_factor": 1.0}
        message = "OTP Call Initiated Successfully."
    return json_response(
        {"status": 200, "success": True, "message": message, "errors": [], "data": {"details": details}}
    )


@routes.get("/api/v1/auths/list/send-otps/")
@signed_in
async def list_sent(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List what was sent, newest first; the rows lie in an envelope within the page (sample v1_sent_otps.json)."""
    return page(request, service.options, service.world.otps_of(account), partial(_row, service), enveloped=True)


def _row(service: Service, sent: SentOtp) -> dict[str, Any]:
    return {
        "id": sent.id,
        "phone_number": shown_number(service.options, sent.number, str),
        "message": sent.message,
        "otp": sent.otp,
        "otp_options": sent.options,
        "sms_send_options": sent.channel,
        "created_at": service.clock.iso(sent.created_at),
    }
