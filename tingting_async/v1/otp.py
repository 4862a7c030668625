"""One-time passwords, by call or by text."""

from datetime import datetime
from typing import Any

from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import Reconciliation, Verdict
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.models import OtpChannel, OtpSource
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.otp import Otp, SentOtp
from tingting_async.v1.pages import read_page
from tingting_async.v1.reconcile import is_server_clock_behind, reconcile_otp, started_at, utc_now


class Otps(Resource):
    """One-time passwords (v1 documents, OTP)."""

    async def send(
        self,
        number: str | int,
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
        """Call or text a person with a one-time password (`POST auths/send/otp/`).

        Never sent twice by itself once it may have arrived.

        Args:
            number: Whom to reach: a number of Nepal in any usual spelling.
            message: What is said or written, with `{otp}` where the code goes. Where it is said, line breaks and
                doubled spaces, which upset the speech synthesis, are sent as single spaces.
            channel: Whether to call or to text.
            otp: The code; None lets the service make one up.
            length: How many digits the service's own code has.
            company_name: Who sends it; some texts of the service say that it is required.
            voice: Who says it, by its internal name; required for `OtpChannel.VOICE`.
            idempotency_key: With a ledger: your name for this send, which is sent once; see docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            UsageError: The message lacks `{otp}`; the number is none; both `otp` and `length` are given; no voice.
            OutcomeUnknownError: It may have been sent: `reconcile()` finds a code of your own in `list()`.
            DuplicateSendError: By the ledger `idempotency_key` was sent before, or may have been.
        """
        where = arguments.enum_member(OtpChannel, channel, "channel")
        fields = arguments.otp(number, message, otp=otp, length=length, is_spoken=where is OtpChannel.VOICE)
        fields["sms_send_options"] = where.value
        if otp is not None:
            fields["otp_options"] = OtpSource.PERSONAL.value
        if company_name is not None:
            fields["company_name"] = arguments.non_empty_text(company_name, "company_name")
        if (voice is not None) != (where is OtpChannel.VOICE):
            raise UsageError("otp.send: `voice` is needed for a call, and only there.")
        if voice is not None:
            name: Any = voice.internal_name if isinstance(voice, Voice) else voice
            fields["voice_input"] = arguments.non_empty_text(name or "", "voice")
        asked_at = utc_now()
        return await self._core.execute(
            Request(
                "POST",
                "/api/v1/auths/send/otp/",
                Effect.SEND,
                "otp.send",
                Otp,
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                recovery_hint="look for it in otp.list()",
                reconciler=lambda send: self._find(fields["number"], otp, started_at(send, asked_at)),
                idempotency_key=idempotency_key,
                secrets=() if otp is None else (otp,),
            )
        )

    async def _find(self, number: str, otp: str | None, asked_at: datetime) -> Reconciliation:
        finding = await reconcile_otp(self.list(), number, otp, asked_at)
        if finding.verdict is Verdict.NOT_DONE and await is_server_clock_behind(self._core):
            why = "The code is not there, or looks older than it is: this machine's clock is ahead of the service's."
            return Reconciliation(Verdict.UNKNOWN, why)
        return finding

    def list(
        self, *, window: int | None = None, exact: bool = False, resume: str | None = None, timeout: TimeoutLike = None
    ) -> Paginator[SentOtp]:
        """List the one-time passwords that were sent, the newest first (`GET auths/list/send-otps/`).

        Args:
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        # The rows lie in a classic envelope within the page (sample v1_sent_otps.json).
        request = Request(
            "GET",
            "/api/v1/auths/list/send-otps/",
            Effect.READ,
            "otp.list",
            list[SentOtp],
            payload=("results", "data"),
            timeout=timeout,
        )
        return self._core.paginate(
            request, LimitOffsetPagination(10), read_page, window=window, exact=exact, resume=resume
        )
