"""What sending a one-time password does in both generations."""

from collections.abc import Callable

from tingting_async.sandbox.http import Body, ValidationError, check_choice, mobile, require
from tingting_async.sandbox.inbox import Channel
from tingting_async.sandbox.records import Account, SentOtp
from tingting_async.sandbox.service import Service


def check_otp(body: Body) -> None:
    """Refuse a body that does not describe a one-time password."""
    require(body, "number", "message", "sms_send_options")
    if "{otp}" not in body["message"]:
        raise ValidationError(message="The message must contain {otp}.")
    check_choice(body, "sms_send_options", ("voice", "text"))
    check_choice(body, "otp_options", ("generated", "personnel"))


def send_otp(
    service: Service,
    account: Account,
    body: Body,
    *,
    default_length: int,
    credits_field: str,
    spell: Callable[[str], str] = str,
) -> SentOtp:
    """Send a one-time password, and charge the account for it.

    Args:
        service: The service.
        account: Who pays.
        body: What `check_otp` accepted.
        default_length: How many digits a generated password has if the body does not say.
        credits_field: Which field a lack of credits is reported for.
        spell: Returns the password as the message shows it.
    """
    number, options = mobile(body["number"], "number"), body.get("otp_options", "generated")
    code = str(body.get("otp") or "")
    length: int = body.get("otp_length") or default_length
    if options == "personnel" and not code.isdigit():
        raise ValidationError(otp="This field is required.")
    if options == "generated" and not 1 <= length <= 12:
        raise ValidationError(otp_length="Ensure this value is between 1 and 12.")
    if account.available_credits < 1:
        raise ValidationError(**{credits_field: "You do not have enough credits."})
    if options == "generated":
        code = service.world.make_otp(length)
    sent = SentOtp(
        service.world.id(),
        account.id,
        number,
        body["message"].replace("{otp}", spell(code)),
        code,
        options,
        body["sms_send_options"],
        service.clock.now(),
        body.get("company_name") or "",
    )
    with service.world.lock:
        service.world.add_otp(sent)
        account.credits -= 1
        service.world.record("otp", sent.id, target=sent.number)
        channel: Channel = "call" if sent.channel == "voice" else "sms"
        service.world.inbox.add(channel, "otp", sent.number, sent.created_at, sent.message)
    return sent
