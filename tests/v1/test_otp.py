"""One-time passwords."""

from typing import Any

import pytest
from support.v1 import connect

from tingting_async import UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import OtpChannel

pytestmark = pytest.mark.anyio


async def test_send_by_sms() -> None:
    """A code of the caller's own is sent as it is given, zeros included."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sent = await tingting.otp.send("9800000001", "{otp}", channel="text", otp="0042", company_name="prixa")
        assert ("0042", "prixa") == (sent.otp, sent.company_name)


async def test_send_by_call() -> None:
    """A code that the service generates has the length that is given."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        voice = await tingting.voices.list().first()
        sent = await tingting.otp.send("9800000002", "{otp}", channel=OtpChannel.VOICE, voice=voice, length=4)
        assert 4 == len(str(sent.otp))


async def test_list() -> None:
    """The codes that were sent are listed, newest first."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        for number, code in (("9800000001", "0042"), ("9800000002", "1234")):
            await tingting.otp.send(number, "{otp}", channel="text", otp=code)
        codes = [(each.number, each.otp) async for each in tingting.otp.list()]
        assert [("9800000002", "1234"), ("9800000001", "0042")] == codes


@pytest.mark.parametrize("arguments", [{"channel": "voice"}, {"channel": "text", "voice": "np_rija"}])
async def test_a_voice_is_for_calls(arguments: dict[str, Any]) -> None:
    """A voice is required for a call, and refused for an SMS."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="`voice`"):
            await tingting.otp.send("9800000001", "{otp}", **arguments)
        assert [] == sandbox.requests
