"""One-time passwords, by call or by text message."""

from tingting_async.classic.models import Otp
from tingting_async.http.messages import Request
from tingting_async.recipients.numbers import NepaliNumber
from tingting_async.resources import arguments
from tingting_async.resources.base import IN_V1, Resource, TimeoutLike
from tingting_async.resources.models import OtpChannel
from tingting_async.resources.reach import reaches_with_otp


class Otps(Resource):
    """One-time passwords (classic documents, OTP)."""

    _elsewhere = dict.fromkeys(("list",), IN_V1)

    async def send(
        self,
        number: str | int | NepaliNumber,
        message: str,
        *,
        channel: OtpChannel | str,
        otp: str | None = None,
        length: int | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Otp:
        """Call or text a person with a one-time password (`POST /api/system/send/otp/`).

        Args:
            number: Whom to reach: a phone number of Nepal in any usual spelling. A landline can only be called.
            message: What is read aloud or texted, with `{otp}` in place of the code. For a call, line breaks and
                repeated spaces, which disturb speech synthesis, are sent as single spaces.
            channel: Whether to call or to text.
            otp: The code; None lets the service generate one.
            length: The number of digits of a code that the service generates.
            idempotency_key: With a ledger, your name for this send: a key is sent once. Use one for each attempt to
                sign in, not the number: with the number, a person could get one code only. See docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            UsageError: The message lacks `{otp}`; the number is invalid, or a landline is to be texted; both `otp` and
                `length` are given.
            GuardError: A guard of the session does not allow it. Nothing was sent.
            OutcomeUnknownError: The password may have been sent. The classic API has no list in which to look for it. A
                code that you chose yourself remains valid on your side, whether or not it was sent.
            DuplicateSendError: According to the ledger, `idempotency_key` was sent before, or may have been.
        """
        fields = arguments.otp(number, message, channel, otp=otp, length=length)
        return await self._core.execute(
            Request.send(
                "/api/system/send/otp/",
                Otp,
                "otp.send",
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                recovery_hint="ask the person whether it arrived",
                idempotency_key=idempotency_key,
                reaches=reaches_with_otp(fields),
                secrets=() if otp is None else (otp,),
            )
        )
