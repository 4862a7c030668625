"""The inbox: every call and every text message that a person would have got."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any, Literal

import attrs

from tingting_async.sandbox.sms import SmsParts, sms_parts
from tingting_async.sandbox.speech import speak

_PREFIX = re.compile("^(00977|977)?0*")
Channel = Literal["call", "sms"]
Kind = Literal["campaign", "otp", "demo"]


@attrs.define(eq=False)
class Message:
    """A call or a text message that a person would have got.

    Attributes:
        id: The place in the inbox, counted from 1.
        at: When it was sent, or the call was placed, in Unix seconds by the sandbox's clock.
        number: The phone number, in the digits of its national form.
        channel: `"call"` or `"sms"`.
        kind: `"campaign"`, `"otp"` for a one-time password, or `"demo"` for a test call.
        campaign_id: The id of the campaign; None for a one-time password.
        campaign: The name of the campaign; empty for a one-time password.
        status: `"sent"` for a text. For a call `"dialing"`, `"ringing"`, `"answered"`, `"completed"`, `"hungup"`,
            `"unanswered"`, `"failed"`, or `"terminated"` if it was stopped.
        duration: How many seconds the call lasted; None if it was not answered, or is not a call of a campaign.
        playback: How much of the message was heard, in per cent; None as for `duration`.
        credits: What it cost.
        template: The text with its placeholders.
        variables: The variables that the contact had when it was reached.
        recording: The audio file that was played; None if the text was read out.
    """

    id: int
    at: float
    number: str = attrs.field(repr=False)
    channel: Channel
    kind: Kind
    campaign_id: int | None
    campaign: str
    status: str
    credits: int
    template: str = attrs.field(repr=False)
    variables: Mapping[str, Any] = attrs.field(repr=False)
    recording: bytes | None = attrs.field(repr=False)
    duration: int | None = None
    playback: int | None = None

    @property
    def text(self) -> str:
        """What the person reads or hears: the text with its placeholders filled in."""
        return fill(self.template, self.variables)

    @property
    def parts(self) -> SmsParts | None:
        """How the text is sent as SMS; None for a call."""
        return sms_parts(self.text) if self.channel == "sms" else None

    @property
    def audio(self) -> str | None:
        """The path on the sandbox of what the person hears; None for a text."""
        return f"/control/v1/messages/{self.id}/audio" if self.channel == "call" else None

    def sound(self) -> bytes:
        """Return an audio file of what the person hears: the uploaded one, or a sound that stands for speech."""
        return speak(self.text) if self.recording is None else self.recording


class Inbox:
    """Every call and text message, newest first."""

    def __init__(self) -> None:
        self.version: int = 0
        """A number that grows with every new message and every change of a status."""
        self.messages: list[Message] = []
        """All messages, oldest first."""
        self.calls: dict[int, Message] = {}
        """The call in progress of each contact."""
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        return reversed(self.messages)

    def get(self, id: int) -> Message | None:
        """Return the message with this id, or None."""
        return self.messages[id - 1] if 1 <= id <= len(self.messages) else None

    def search(
        self,
        number: str = "",
        campaign_id: int | None = None,
        campaign: str = "",
        channel: str = "",
        text: str = "",
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
    ) -> list[Message]:
        """Return the newest messages that match every condition, newest first.

        Args:
            number: A phone number in any spelling, or a part of it. Digits that may be the prefix (0, 977, 00977) match
                as such, too.
            campaign_id: The id of the campaign.
            campaign: A part of the campaign's name.
            channel: `"call"` or `"sms"`; empty for both.
            text: A part of the text.
            limit: How many messages to return at most; at least 1.
            before: Only messages with a lower id, to continue an earlier search.
            after: Only messages with a higher id, and of them the oldest, to go back.
        """
        if channel not in ("", "call", "sms"):
            raise ValueError(f'channel={channel!r} is not valid: use "call", "sms", or "" for both.')
        if limit < 1:
            raise ValueError(f"limit={limit} is not valid: it must be at least 1.")
        digits, name, words = _digits(number), campaign.casefold(), text.casefold()
        if number.strip() and not digits:
            return []
        start = _PREFIX.sub("", digits)
        found: list[Message] = []
        end = len(self.messages) if before is None else min(before - 1, len(self.messages))
        indices = range(end - 1, -1, -1) if after is None else range(max(0, after), end)
        for index in indices:
            message = self.messages[index]
            if (
                (digits in message.number or (start != digits and message.number.startswith(start)))
                and campaign_id in (None, message.campaign_id)
                and channel in ("", message.channel)
                and name in message.campaign.casefold()
                and (not words or words in message.text.casefold())
            ):
                found.append(message)
                if len(found) == limit:
                    break
        return found if after is None else found[::-1]

    def add(
        self,
        channel: Channel,
        kind: Kind,
        number: str,
        at: float,
        template: str,
        *,
        variables: Mapping[str, Any] | None = None,
        recording: bytes | None = None,
        campaign: tuple[int, str] | None = None,
        contact: int | None = None,
    ) -> None:
        """Add a message.

        Args:
            channel: How the person is reached.
            kind: Why.
            number: The phone number.
            at: The time in Unix seconds.
            template: The text, with its placeholders.
            variables: The values of the placeholders.
            recording: The audio file that is played.
            campaign: The id and the name of the campaign.
            contact: The id of the contact, if its call is in progress from now on; see `update`.
        """
        status = "sent" if channel == "sms" else "completed" if contact is None else "dialing"
        id_, name = campaign or (None, "")
        with self._lock:
            if self.messages and self.messages[-1].template == template:
                template = self.messages[-1].template  # One string for all messages of a survey.
            message = Message(
                len(self.messages) + 1,
                at,
                national(number),
                channel,
                kind,
                id_,
                name,
                status,
                1,
                template,
                dict(variables or {}),
                recording,
            )
            self.messages.append(message)
            if contact is not None:
                self.calls[contact] = message
            self.version += 1

    def update(self, contact: int, status: str, duration: int | None, playback: int | None, *, ends: bool) -> None:
        """Set the status of a contact's call, if one is in progress.

        Args:
            contact: The id of the contact.
            status: The new status.
            duration: How many seconds the call has lasted.
            playback: How much was heard, in per cent.
            ends: Whether the call is over.
        """
        with self._lock:
            message = self.calls.pop(contact, None) if ends else self.calls.get(contact)
            if message is not None:
                message.status, message.duration, message.playback = status, duration, playback
                self.version += 1

    def terminate(self, contact: int) -> None:
        """End a contact's call, if one is in progress."""
        self.update(contact, "terminated", None, None, ends=True)


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """Return a text with its placeholders replaced, in one pass. A placeholder without a value stays as it is."""

    def value(found: re.Match[str]) -> str:
        value = variables.get(found[1])
        return found[0] if value is None else str(value)

    return re.sub(r"\{([^{}]+)\}", value, template) if variables else template


def national(number: str) -> str:
    """Return the digits of a phone number in its national form: without separators, Nepal's code and a leading 0.

    Digits of any script count. Part of a number remains a part of it.
    """
    if number.isascii() and number.isdigit() and 0 < len(number) <= 10 and number[0] != "0":
        return number
    digits = _digits(number).removeprefix("00977")
    if len(digits) > 10 or "+" in number:
        digits = digits.removeprefix("977")
    return digits.removeprefix("0") if len(digits) > 7 else digits


def _digits(number: str) -> str:
    return "".join(str(unicodedata.decimal(letter)) for letter in number if letter.isdecimal())
