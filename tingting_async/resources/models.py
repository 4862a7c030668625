"""The models that both generations of the API share, so that the same value is the same object in both."""

import attrs

from tingting_async.decoding.fields import Model, OpenEnum, as_model


class Services(OpenEnum):
    """How a campaign reaches its recipients.

    Attributes:
        PHONE: By voice call.
        SMS: By text message.
        SMS_AND_PHONE: By both.
        SURVEY: By a voice call that asks questions; only in the v1 API.
    """

    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"
    SURVEY = "SURVEY"


class CallStatus(OpenEnum):
    """The result of calling a recipient, or how far the call has got. The documents do not define these values.

    Attributes:
        NOT_STARTED: The recipient was not called yet.
        DIALING: The call is being set up.
        RINGING: The phone is ringing.
        ANSWERED: The call was answered.
        HUNG_UP: The call was hung up.
        UNANSWERED: The call was not answered.
        FAILED: The call failed.
        TERMINATED: The call was terminated.
        COMPLETED: The call was completed.
    """

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
    """How a one-time password is delivered.

    Attributes:
        VOICE: By a call that reads it aloud.
        TEXT: By text message.
    """

    VOICE = "voice"
    TEXT = "text"


class OtpSource(OpenEnum):
    """Who generates a one-time password.

    Attributes:
        GENERATED: The service.
        PERSONAL: The caller. The service spells this value "personnel".
    """

    GENERATED = "generated"
    PERSONAL = "personnel"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class SpokenMessage(Model):
    """A message read aloud (documents of both generations, Campaigns, test voice).

    Attributes:
        url: The URL of the audio; None if the response holds the audio itself.
        audio: The audio; None if the response holds only its URL.
        content_type: The content type of the response; empty if it has none.
    """

    url: str | None = None
    audio: bytes | None = attrs.field(default=None, repr=False)
    content_type: str = ""
