"""The models that both generations of the API share, so that the same value is the same object in both."""

import attrs

from tingting_async.decoding.fields import OpenEnum


class Services(OpenEnum):
    """How a campaign reaches people."""

    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"
    SURVEY = "SURVEY"
    """Only in the v1 API."""


class CallStatus(OpenEnum):
    """The result of calling a recipient, or how far the call has got."""

    NOT_STARTED = "not started"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    HUNG_UP = "hungup"
    UNANSWERED = "unanswered"
    FAILED = "failed"
    TERMINATED = "terminated"
    COMPLETED = "completed"


class OtpChannel(OpenEnum):
    """How a one-time password is delivered."""

    VOICE = "voice"
    TEXT = "text"


class OtpSource(OpenEnum):
    """Who generates a one-time password."""

    GENERATED = "generated"
    """The service."""
    PERSONAL = "personnel"  # The service's spelling.
    """The caller."""


@attrs.frozen(kw_only=True)
class SpokenMessage:
    """A message read aloud (documents of both generations, Campaigns, test voice).

    Attributes:
        url: The URL of the audio; None if the response holds the audio itself.
        audio: The audio; None if the response holds only its URL.
        content_type: The content type of the response; empty if it has none.
    """

    url: str | None = None
    audio: bytes | None = attrs.field(default=None, repr=False)
    content_type: str = ""
