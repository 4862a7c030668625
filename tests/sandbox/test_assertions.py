"""The assertions about whom the service called and texted."""

import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.sandboxes import make, run

from tingting_async.sandbox import Sandbox

OTP = "/api/v1/auths/send/otp/"


def send(sandbox: Sandbox, channel: Any, number: str) -> None:
    """Add a one-time password to the inbox."""
    sandbox.world.inbox.add(channel, "otp", number, sandbox.clock.now(), "Code 4711")


@pytest.mark.parametrize(("channel", "verb"), [("call", "called"), ("sms", "texted")])
def test_once(channel: str, verb: str) -> None:
    """A number that was reached once passes in any spelling; never or twice fails, and the other channel is apart."""
    sandbox = Sandbox(campaigns=0)
    once: Callable[[Any], None] = getattr(sandbox, f"assert_{verb}_once")
    send(sandbox, "sms" if channel == "call" else "call", "9841234567")
    other = "texted" if verb == "called" else "called"
    pattern = rf"^984-1234567 was {verb} not at all, but {other};\nnobody was {verb}$"
    with pytest.raises(AssertionError, match=pattern):
        once("984-1234567")
    with pytest.raises(AssertionError, match=rf"^9800000001 was {verb} not at all;\nnobody was {verb}$"):
        once("9800000001")
    send(sandbox, channel, "9841234567")
    for number in ("9841234567", "+977 984-1234567", 9841234567, "९८४१२३४५६७"):
        once(number)
    send(sandbox, channel, "9841234567")
    pattern = (
        rf"{verb} 2 times, not once;\n{verb} so far:\n( +9841234567 at [0-9: -]+: \w+ \(one-time password\)\n?){{2}}$"
    )
    with pytest.raises(AssertionError, match=pattern):
        once("9841234567")


@pytest.mark.parametrize(("channel", "verb"), [("call", "called"), ("sms", "texted")])
def test_nobody(channel: str, verb: str) -> None:
    """It passes until somebody was reached on that channel, and then says who, when and with what outcome."""
    sandbox = Sandbox(campaigns=0)
    nobody: Callable[[], None] = getattr(sandbox, f"assert_nobody_{verb}")
    send(sandbox, "sms" if channel == "call" else "call", "9841234567")
    nobody()
    send(sandbox, channel, "9841234567")
    with pytest.raises(AssertionError, match=rf"^1 person was {verb};\n.*\n  9841234567 at .*: (completed|sent) "):
        nobody()
    for index in range(11):
        send(sandbox, channel, f"98000000{index:02d}")
    with pytest.raises(AssertionError, match=rf"^12 people were {verb};(.*\n)+  and 2 more$"):
        nobody()


def test_what_is_still_to_come() -> None:
    """A failure names the campaigns that still have to call or text, and says how to let them end."""
    sandbox = Sandbox(campaigns=0)
    running, scheduled, texting = make(sandbox, "PHONE", 2), make(sandbox, "PHONE", 2), make(sandbox, "SMS", 2)
    run(sandbox, running)
    run(sandbox, scheduled, at=sandbox.clock.now() + 3600)
    run(sandbox, texting)
    with pytest.raises(AssertionError) as caught:
        sandbox.assert_called_once("9800000001")
    said = str(caught.value)
    assert f"9800000000 at {sandbox.clock.iso()[:10]}" in said
    assert re.search(rf"running: {running.id} \(n\), 0 of 2 contacts have a result; call sandbox.run_to_end\(\)", said)
    assert re.search(rf"scheduled for [0-9: -]+: {scheduled.id} \(n\); call sandbox.run_to_end\(\)", said)
    assert f": {texting.id} (" not in said
    sandbox.run_to_end()
    with pytest.raises(AssertionError, match="9800000001 was called 2 times, not once") as caught:
        sandbox.assert_called_once("9800000001")
    assert "run_to_end" not in str(caught.value)
    sandbox.assert_texted_once("9800000001")


def test_messages_to_a_number() -> None:
    """The calls and texts to a number come oldest first, and those to other numbers that contain it do not."""
    sandbox = Sandbox(campaigns=0)
    for channel, number in (
        ("call", "9841234567"),
        ("sms", "9841234567"),
        ("call", "984123456"),
        ("call", "9841234567"),
    ):
        send(sandbox, channel, number)
    assert [1, 4] == [message.id for message in sandbox.calls_to("+9779841234567")]
    assert [2] == [message.id for message in sandbox.texts_to("9841234567")]
    assert [3] == [message.id for message in sandbox.calls_to("984123456")]
    with pytest.raises(ValueError, match="number='Ram' is not a whole phone number: it has 0 digits"):
        sandbox.calls_to("Ram")
    with pytest.raises(ValueError, match="number='98412' is not a whole phone number: it has 5 digits"):
        sandbox.assert_texted_once("98412")


@pytest.mark.anyio
async def test_responses_lost() -> None:
    """Within the block, matching requests are executed and their responses are lost, as often as is said."""
    body = {"number": "9841234567", "message": "{otp}", "sms_send_options": "text"}
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        with sandbox.responses_lost("*/otp/", times=1) as fault:
            assert 200 == (await http.get("/api/v1/campaign/")).status
            with pytest.raises(aiohttp.ClientConnectionError):
                await http.post(OTP, json=body)
            assert 1 == fault.count
            assert 200 == (await http.post(OTP, json=body)).status
        with sandbox.responses_lost(), pytest.raises(aiohttp.ClientConnectionError):
            await http.get("/api/v1/campaign/")
        assert 2 == len(sandbox.texts_to("9841234567"))
        assert 200 == (await http.post(OTP, json=body)).status
