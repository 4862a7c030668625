"""What a test asks of a sandbox, in words."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from tingting_async.sandbox.clock import KATHMANDU
from tingting_async.sandbox.faults import Fault, Faults
from tingting_async.sandbox.inbox import Channel, Message, national
from tingting_async.sandbox.records import Campaign
from tingting_async.sandbox.service import Service

_VERBS: dict[Channel, str] = {"call": "called", "sms": "texted"}
_SERVICES: dict[Channel, tuple[str, ...]] = {"call": ("PHONE", "SMS & PHONE", "SURVEY"), "sms": ("SMS", "SMS & PHONE")}
_SHOWN = 10  # Messages in an error.


class Assertions(Service):
    """Assertions about whom the service called and texted up to now, one-time passwords and test calls included.

    They raise an `AssertionError` that says what happened and what is still to come. Numbers may be spelt in any way.
    """

    faults: Faults
    """The faults."""

    def calls_to(self, number: str | int) -> list[Message]:
        """Return the calls to a number, oldest first."""
        return self._messages_to(number, "call")

    def texts_to(self, number: str | int) -> list[Message]:
        """Return the text messages to a number, oldest first."""
        return self._messages_to(number, "sms")

    def assert_called_once(self, number: str | int) -> None:
        """Fail unless a number was called exactly once."""
        __tracebackhide__ = True
        self._assert_once(number, "call")

    def assert_texted_once(self, number: str | int) -> None:
        """Fail unless a number was texted exactly once."""
        __tracebackhide__ = True
        self._assert_once(number, "sms")

    def assert_nobody_called(self) -> None:
        """Fail if anybody was called."""
        __tracebackhide__ = True
        self._assert_nobody("call")

    def assert_nobody_texted(self) -> None:
        """Fail if anybody was texted."""
        __tracebackhide__ = True
        self._assert_nobody("sms")

    @contextmanager
    def responses_lost(self, path: str = "*", times: int | None = None) -> Generator[Fault]:
        """Execute the requests within the block, but lose their responses: each connection is reset.

        Args:
            path: A glob pattern for the path of the requests, such as `"*/otp/"`.
            times: How many responses to lose at most; None for no limit.
        """
        fault = Fault("reset_after", path=path, times=times)
        with self.faults.during(fault):
            yield fault

    def _messages_to(self, number: str | int, channel: Channel) -> list[Message]:
        digits = national(str(number))
        if not 7 <= len(digits) <= 10:
            raise ValueError(f"number={number!r} is not a whole phone number: it has {len(digits)} digits.")
        return [each for each in self._messages(channel) if each.number == digits]

    def _messages(self, channel: Channel) -> list[Message]:
        """Return the messages of a channel, oldest first."""
        return [each for each in self.inbox if each.channel == channel][::-1]

    def _assert_once(self, number: str | int, channel: Channel) -> None:
        __tracebackhide__ = True
        found = self._messages_to(number, channel)
        if len(found) != 1:
            times = f"{len(found)} times, not once" if found else "not at all"
            other: Channel = "sms" if channel == "call" else "call"
            if not found and self._messages_to(number, other):
                times += f", but {_VERBS[other]}"
            self._fail(f"{number} was {_VERBS[channel]} {times}", channel, found or self._messages(channel))

    def _assert_nobody(self, channel: Channel) -> None:
        __tracebackhide__ = True
        if found := self._messages(channel):
            people = len({each.number for each in found})
            self._fail(f"{people} {'person was' if people == 1 else 'people were'} {_VERBS[channel]}", channel, found)

    def _fail(self, what: str, channel: Channel, found: list[Message]) -> None:
        __tracebackhide__ = True
        lines = [f"{_VERBS[channel]} so far:", *map(_line, found[:_SHOWN])] if found else []
        if len(found) > _SHOWN:
            lines.append(f"  and {len(found) - _SHOWN} more")
        if not found:
            lines = [f"nobody was {_VERBS[channel]}"]
        with self.world.lock:
            to_come = [each for each in self.world.campaigns.values() if each.services in _SERVICES[channel]]
            lines += [line for each in to_come if (line := _still_to_come(each))]
        raise AssertionError("\n".join([f"{what};", *lines]))


def _line(message: Message) -> str:
    campaign = f" of campaign {message.campaign_id} ({message.campaign})" if message.campaign_id is not None else ""
    source = {"campaign": "message", "otp": "one-time password", "demo": "test call"}[message.kind]
    return f"  {message.number} at {_time(message.at)}: {message.status} ({source}{campaign})"


def _still_to_come(campaign: Campaign) -> str | None:
    """Return what a campaign has yet to do; None if it does not run."""
    if campaign.status == "Running":
        done = len(campaign.targets) - len(campaign.pending)
        contacts = f"{len(campaign.targets)} contact{'s' * (len(campaign.targets) != 1)}"
        of = f"{done} of {contacts} {'has' if done == 1 else 'have'} a result"
        return f"a campaign is running: {campaign.id} ({campaign.name}), {of}; call sandbox.run_to_end()"
    if campaign.status == "Scheduled" and campaign.scheduled_at is not None:
        when = _time(campaign.scheduled_at)
        return f"a campaign is scheduled for {when}: {campaign.id} ({campaign.name}); call sandbox.run_to_end()"
    return None


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, KATHMANDU):%Y-%m-%d %H:%M:%S}"
