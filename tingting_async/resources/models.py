"""The models that both generations of the API share, so that the same value is the same object in both."""

from collections.abc import Mapping
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, OpenEnum, as_model
from tingting_async.recipients.numbers import NepaliNumber


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
    """The result of reaching a recipient, or how far that has got. The documents list these values, without a meaning.

    The final ones are those for which the classic API can call again. An unknown status, which the service may add at
    any time, is neither final nor reached.

    Attributes:
        NOT_STARTED: Nothing was tried yet. Neither final nor reached.
        DIALING: The call is being set up. Neither final nor reached.
        RINGING: The phone is ringing. Neither final nor reached.
        ANSWERED: Somebody has answered, and the call goes on. Reached, not final.
        HUNG_UP: Somebody has answered, and hung up before the end; `playback` says how much was heard. Final, reached.
        UNANSWERED: Nobody has answered. Final, not reached.
        FAILED: The call could not be made. Final, not reached.
        TERMINATED: The campaign was stopped first. Final, not reached.
        COMPLETED: The call was heard to its end, or the text message was sent. Final and reached.
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

    @property
    def is_final(self) -> bool:
        """Whether the status no longer changes by itself; false for unknown statuses."""
        return self in _FINAL

    @property
    def was_reached(self) -> bool:
        """Whether somebody has answered the call or was sent the text message; false for unknown statuses.

        A person whose call failed may have got a text message instead: see `Contact.failover_sms_sent` of v1.
        """
        return self in _REACHED


_FINAL = frozenset({"hungup", "unanswered", "failed", "terminated", "completed"})
_REACHED = frozenset({"answered", "hungup", "completed"})


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


@attrs.frozen(repr=False, field_transformer=as_model)
class NewContact(Model):
    """A contact to be added; in the classic API, a number with its tags. Its `repr` shows neither field.

    Attributes:
        number: A phone number of Nepal in any usual spelling.
        variables: The values of the message's placeholders, by name. In the classic API, the names are the campaign's
            usable tags.
    """

    number: str | int | NepaliNumber = attrs.field(repr=False)
    variables: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
