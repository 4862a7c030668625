"""One-time passwords, by call or by text."""

from typing import Any

from tingting_async import inputs
from tingting_async.classic.models import Otp, OtpChannel, OtpSource
from tingting_async.classic.resource import Limit, Resource
from tingting_async.errors import UsageError
from tingting_async.wire import Effect, Request


class Otps(Resource):
    """One-time passwords (classic documents, OTP)."""

    async def send(
        self,
        number: str | int,
        message: str,
        *,
        channel: OtpChannel | str,
        otp: str | None = None,
        length: int | None = None,
        timeout: Limit = None,
    ) -> Otp:
        """Call or text a person with a one-time password (`POST /api/system/send/otp/`).

        Never sent twice by itself once it may have arrived.

        Args:
            number: Whom to reach: a number of Nepal in any usual spelling.
            message: What is said or written, with `{otp}` where the code goes. Where it is said, line breaks and
                doubled spaces, which upset the speech synthesis, are sent as single spaces.
            channel: Whether to call or to text.
            otp: The code; None lets the service make one up.
            length: How many digits the service's own code has.
            timeout: The limits of this call.

        Raises:
            UsageError: The message lacks `{otp}`; the number is none; both `otp` and `length` are given.
            OutcomeUnknownError: It may have been sent. The classic API has no list to look it up in; a code that you
                gave stays valid on your side, whichever it was.
        """
        if "{otp}" not in inputs.text(message, "message"):
            raise UsageError("otp.send: `message` has to hold {otp}, where the code goes.")
        if otp is not None and length is not None:
            raise UsageError("otp.send: `length` is for codes that the service makes up; `otp` has its own.")
        if otp is not None and not (isinstance(otp, str) and otp.isascii() and otp.isdigit()):
            raise UsageError("otp.send: `otp` has to be a text of digits (a text, as it may begin with zeros).")
        if length is not None and (type(length) is not int or length < 1):
            raise UsageError(f"otp.send: `length` is {length!r}; it has to be a number of digits.")
        where = inputs.member(OtpChannel, channel, "channel")
        fields: dict[str, Any] = {
            "number": inputs.phone_number(number),
            "message": inputs.spoken(message) if where is OtpChannel.VOICE else message,
            "sms_send_options": where.value,
        }
        if otp is not None:
            fields |= {"otp_options": OtpSource.PERSONAL.value, "otp": otp}
        if length is not None:
            fields["otp_length"] = length
        return await self._session.call(
            Request(
                "POST",
                "/api/system/send/otp/",
                Effect.RINGS,
                "otp.send",
                Otp,
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                find_out="ask the person whether it came",
                secrets=() if otp is None else (otp,),
            )
        )
