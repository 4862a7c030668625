"""The responses of a voice test, and the audio files that they link."""

from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def spoken(http: aiohttp.ClientSession, token: str) -> tuple[str, bytes]:
    """Test the voice; return the content type and the body of the response."""
    headers = {"Authorization": f"Bearer {token}"}
    async with http.post("/api/system/test/voice/", json={"message": "नमस्ते"}, headers=headers) as response:
        return response.content_type, await response.read()


async def test_audio() -> None:
    """With the setting `"audio"`, a voice test returns the audio itself."""
    async with Sandbox(test_voice_response="audio") as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        content_type, body = await spoken(http, sandbox.api_token)
        assert (content_type, body[:3]) == ("audio/mpeg", b"ID3")


@pytest.mark.parametrize(
    ("shape", "expected", "prefix"),
    [("string", "application/json", b'"http'), ("text", "text/plain", b"http"), ("object", "application/json", b'{"')],
)
async def test_url(shape: Any, expected: str, prefix: bytes) -> None:
    """With the other settings it returns a URL, and the audio can be fetched there without a token."""
    async with Sandbox(test_voice_response=shape) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        content_type, body = await spoken(http, sandbox.api_token)
        assert (content_type, body[: len(prefix)]) == (expected, prefix)
        url = sandbox.url + body.decode().partition(sandbox.url)[2].rstrip('"}')
        async with http.get(url) as audio:
            assert (audio.content_type, (await audio.read())[:3]) == ("audio/mpeg", b"ID3")
