"""Voices, and messages that are read aloud."""

from typing import Any

import pytest
from support.v1 import always, connect, serving

import tingting_async
import tingting_async.v1
from tingting_async import DecodeError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("body", ["audio", "string", "text", "object"])
async def test_spoken_message(body: Any) -> None:
    """A message read aloud is the audio or its URL, in whichever form the service sends it."""
    async with Sandbox(campaigns=1, test_voice_response=body) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        voice = await tingting.voices.list().first()
        assert voice is not None
        spoken = await tingting.campaigns.test_voice("नमस्ते\nसाथी", campaign_id=campaign, voice=voice)
        assert (body != "audio", body == "audio") == (spoken.audio is None, spoken.url is None)


async def test_a_path_becomes_a_url() -> None:
    """If the service sends the path of the audio, the URL is on the session's host."""
    async with serving(always({"url": "/media/a.mp3"})) as tingting:
        spoken = await tingting.campaigns.test_voice("m", campaign_id=1, voice=3)
        assert f"{tingting.base_url}/media/a.mp3" == spoken.url


@pytest.mark.parametrize("body", [b'{"detail": "queued"}', b"<html>Sign in</html>", b"later", b"", b"[]"])
@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
async def test_a_response_without_audio(generation: Any, body: bytes) -> None:
    """A response with neither audio nor its URL is a DecodeError, in both generations."""
    arguments = {"campaign_id": 1, "voice": 3} if generation is tingting_async.v1 else {}
    async with serving(always(body), generation.TingTing) as tingting:
        with pytest.raises(DecodeError, match="neither audio nor its URL"):
            await tingting.campaigns.test_voice("m", **arguments)


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"RIFF", "audio/wav"), (b"ID3\x00\x01", "text/html"), (b"\xff\xfb\x90", "text/plain")]
)
async def test_audio_in_the_response(body: bytes, content_type: str) -> None:
    """Audio is recognised by its type or by its bytes."""
    async with serving(always(body, content_type=content_type)) as tingting:
        spoken = await tingting.campaigns.test_voice("m", campaign_id=1, voice=3)
        assert (None, body, content_type) == (spoken.url, spoken.audio, spoken.content_type)
