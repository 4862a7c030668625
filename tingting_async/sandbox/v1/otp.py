"""One-time passwords."""

from functools import partial
from typing import Any

from aiohttp import web

from tingting_async.sandbox.fields import integer, text
from tingting_async.sandbox.http import RefusedError, answer, code_length, mobile, read_body
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.v1.common import page, signed_in
from tingting_async.sandbox.world import Account, SentOtp

routes = web.RouteTableDef()


@routes.post("/api/v1/auths/send/otp/")
@signed_in
async def send(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Send a code (samples v1_otp_text.json and v1_otp_voice.json)."""
    texts = dict.fromkeys(("message", "sms_send_options", "otp_options", "otp", "voice_input", "company_name"), text)
    body = await read_body(request, otp_length=integer, **texts)
    required = {
        name: "This field is required." for name in ("number", "message", "sms_send_options") if not body.get(name)
    }
    if required:
        raise RefusedError(**required)
    channel, options = body["sms_send_options"], body.get("otp_options", "generated")
    if channel not in ("voice", "text"):
        raise RefusedError(sms_send_options=f'"{channel}" is not a valid choice.')
    if "{otp}" not in body["message"]:
        raise RefusedError(message="The message must contain {otp}.")
    if options not in ("generated", "personnel"):
        raise RefusedError(otp_options=f'"{options}" is not a valid choice.')
    if channel == "voice" and body.get("voice_input") not in {
        each["voice_internal_name"] for each in service.world.voices
    }:
        raise RefusedError(voice_input="This field is required for voice.")
    code = str(body.get("otp") or "")
    if options == "personnel" and not code.isdigit():
        raise RefusedError(otp="This field is required.")
    if account.credits - account.on_hold < 1:
        raise RefusedError(message="You do not have enough credits.")
    if options == "generated":
        code = service.world.make_code(code_length(body, 6))
    sent = SentOtp(
        service.world.id(),
        account.id,
        mobile(body["number"], "number"),
        body["message"].replace("{otp}", code),
        code,
        options,
        channel,
        service.clock.now(),
        body.get("company_name") or "",
    )
    service.world.otps.append(sent)
    account.credits -= 1
    service.world.happened("otp", sent.id, target=sent.number)
    details = {
        "number": sent.number,
        "otp_options": options,
        "message": sent.message,
        "otp": code,
        "sms_send_options": channel,
        "credits_used": 1,
        "remaining_sms_credits": account.credits,
        "remaining_phone_credits": account.credits,
        "company_name": sent.company_name,
    }
    message = "OTP Sent Successfully."
    if channel == "voice":
        details |= {"voice_input": body["voice_input"], "length_factor": 1.0}
        message = "OTP Call Initiated Successfully."
    return answer({"status": 200, "success": True, "message": message, "errors": [], "data": {"details": details}})


@routes.get("/api/v1/auths/list/send-otps/")
@signed_in
async def list_sent(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List what was sent, the newest first; the rows lie in an envelope within the page (sample v1_sent_otps.json)."""
    sent = [sent for sent in reversed(service.world.otps) if sent.owner == account.id]
    return page(request, service.options, sent, partial(_row, service), enveloped=True)


def _row(service: Service, sent: SentOtp) -> dict[str, Any]:
    return {
        "id": sent.id,
        "phone_number": sent.number,
        "message": sent.message,
        "otp": sent.otp,
        "otp_options": sent.options,
        "sms_send_options": sent.channel,
        "created_at": service.clock.iso(sent.created_at),
    }
