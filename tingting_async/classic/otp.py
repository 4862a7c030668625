"""One-time passwords, by call or by text."""

from tingting_async.classic.models import Otp
from tingting_async.http.messages import Effect, Request
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.models import OtpChannel, OtpSource


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
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
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
            idempotency_key: With a ledger: your name for this send, which is sent once; see docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            UsageError: The message lacks `{otp}`; the number is none; both `otp` and `length` are given.
            OutcomeUnknownError: It may have been sent. The classic API has no list to look it up in; a code that you
                gave stays valid on your side, whichever it was.
            DuplicateSendError: By the ledger `idempotency_key` was sent before, or may have been.
        """
        where = arguments.enum_member(OtpChannel, channel, "channel")
        fields = arguments.otp(number, message, otp=otp, length=length, is_spoken=where is OtpChannel.VOICE)
        fields["sms_send_options"] = where.value
        if otp is not None:
            fields["otp_options"] = OtpSource.PERSONAL.value
        return await self._core.execute(
            Request(
                "POST",
                "/api/system/send/otp/",
                Effect.SEND,
                "otp.send",
                Otp,
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                recovery_hint="ask the person whether it came",
                idempotency_key=idempotency_key,
                secrets=() if otp is None else (otp,),
            )
        )
