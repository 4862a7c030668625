"""One-time passwords of the classic API, against the sandbox."""

import pytest
from support.classic import connect, count_effects

from tingting_async import OtpChannel
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_own_code() -> None:
    """A code of the caller's own is sent once, as it is."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sent = await tingting.otp.send("9800000001", "Code {otp}", channel=OtpChannel.TEXT, otp="0042")
        assert (sent.number, sent.otp, sent.channel) == ("9800000001", "0042", OtpChannel.TEXT)
        assert count_effects(sandbox, "otp") == 1


async def test_generated_code() -> None:
    """A code that the service generates has the requested length, and is sent once."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sent = await tingting.otp.send("9800000001", "Code {otp}", channel="voice", length=6)
        assert len(str(sent.otp)) == 6
        assert count_effects(sandbox, "otp") == 1
