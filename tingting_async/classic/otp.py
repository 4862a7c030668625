"""One-time passwords, by call or by text."""

from tingting_async.classic.models import Otp, OtpChannel, OtpSource
from tingting_async.http.messages import Effect, Request
from tingting_async.resources import arguments
from tingting_async.resources.base import Limit, Resource


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
        once: str | None = None,
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
            once: With a ledger: your name for this send, which is sent once; see docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            UsageError: The message lacks `{otp}`; the number is none; both `otp` and `length` are given.
            OutcomeUnknownError: It may have been sent. The classic API has no list to look it up in; a code that you
                gave stays valid on your side, whichever it was.
            DuplicateSendError: By the ledger `once` was sent before, or may have been.
        """
        where = arguments.member(OtpChannel, channel, "channel")
        fields = arguments.otp(number, message, otp=otp, length=length, is_spoken=where is OtpChannel.VOICE)
        fields["sms_send_options"] = where.value
        if otp is not None:
            fields["otp_options"] = OtpSource.PERSONAL.value
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
                once=once,
                secrets=() if otp is None else (otp,),
            )
        )
