"""One-time passwords, by call or by SMS."""

from typing import Unpack

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request
from tingting_async.outcomes import Reconciler
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.recipients.numbers import NepaliNumber
from tingting_async.resources import arguments
from tingting_async.resources.base import PageOptions, Resource, TimeoutLike
from tingting_async.resources.models import OtpChannel
from tingting_async.resources.reach import reaches_with_otp
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.otp import Otp, SentOtp
from tingting_async.v1.pages import read_page
from tingting_async.v1.reconcile import clocks_at, reconcile_otp

_HINT = (
    "ask the person whether it arrived, or look in otp.list() for a row with this number and time: the service chose "
    "the code, so `reconcile()` cannot recognise it"
)
"""How a person finds out what became of a code that the caller does not know."""


class Otps(Resource):
    """One-time passwords (v1 documents, OTP)."""

    async def send(
        self,
        number: str | int | NepaliNumber,
        message: str,
        *,
        channel: OtpChannel | str,
        otp: str | None = None,
        length: int | None = None,
        company_name: str | None = None,
        voice: Voice | str | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Otp:
        """Send a person a one-time password by call or by SMS (`POST auths/send/otp/`).

        Args:
            number: The recipient: a phone number of Nepal in any usual spelling. A landline can only be called.
            message: The message, with `{otp}` in place of the code. For a call, line breaks and repeated spaces are
                sent as single spaces, because they upset the service's speech synthesis.
            channel: Whether to call or to send an SMS.
            otp: The code; None lets the service generate one.
            length: The number of digits of a code that the service generates.
            company_name: The sender's name. Some texts of the service say that it is required.
            voice: The voice of a call, or its internal name; required for `OtpChannel.VOICE`, refused otherwise.
            idempotency_key: See `Resource`. Use one for each attempt to sign in, not the number: with the number, a
                person could get one code only.
            timeout: See `Resource`.

        Raises:
            UsageError: The message lacks `{otp}`; the number is invalid, or a landline is to be texted; both `otp` and
                `length` are given; `voice` does not match the channel.
            GuardError: A guard of the session does not allow it. Nothing was sent.
            OutcomeUnknownError: It may have been sent. `reconcile()` looks for a code of your own in `list()`. Only a
                person can find out what became of a code that the service chose.
            DuplicateSendError: The ledger says that a send with this `idempotency_key` was made before, or may have
                been.
        """
        fields = arguments.otp(number, message, channel, otp=otp, length=length)
        if (voice is not None) != (fields["sms_send_options"] == OtpChannel.VOICE):
            raise UsageError("otp.send: `voice` is required for a call, and only for a call.")
        name = voice.internal_name if isinstance(voice, Voice) else voice
        fields |= arguments.given_fields(
            company_name=None if company_name is None else arguments.non_empty_text(company_name, "company_name"),
            voice_input=None if voice is None else arguments.non_empty_text(name or "", "voice"),
        )
        return await self._core.execute(
            Request.send(
                "/api/v1/auths/send/otp/",
                Otp,
                "otp.send",
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                recovery_hint=_HINT if otp is None else "look for it in otp.list()",
                reconciler=None if otp is None else self._reconciler(fields["number"], otp),
                idempotency_key=idempotency_key,
                reaches=reaches_with_otp(fields),
                secrets=() if otp is None else (otp,),
            )
        )

    def _reconciler(self, number: str, otp: str) -> Reconciler:
        """Return the reconciler that looks for a code of the caller's own."""
        called = self._core.note_clocks()
        return lambda send: reconcile_otp(
            self._core.read_clocks, self.list(exact=True), number, otp, clocks_at(send, called)
        )

    def list(self, **options: Unpack[PageOptions]) -> Paginator[SentOtp]:
        """List the one-time passwords that were sent, newest first (`GET auths/list/send-otps/`).

        Args:
            **options: See `Resource`.
        """
        return self._paginate(
            Request.read(
                "/api/v1/auths/list/send-otps/",
                list[SentOtp],
                "otp.list",
                payload=("results", "data"),  # The rows are in a classic envelope within the page (v1_sent_otps.json).
            ),
            LimitOffsetPagination(10),
            read_page,
            options,
        )
