"""Audio files, and responses that hold or link them."""

from aiohttp import web

from tingting_async.sandbox.http import json_response, origin
from tingting_async.sandbox.options import VoiceResponse
from tingting_async.sandbox.service import SERVICE, Service
from tingting_async.sandbox.speech import media_type

routes: web.RouteTableDef = web.RouteTableDef()

_AUDIO = b"ID3\x04\x00\x00\x00\x00\x00\x00 no audio"


def voice_response(request: web.Request, shape: VoiceResponse, message: str, *, scheme: str = "http") -> web.Response:
    """Return the spoken form of a message, in one of the shapes that the service has been seen to use."""
    url = f"{scheme}://{request.host}/media/output/{len(message):032x}.mp3"
    match shape:
        case "audio":
            return web.Response(body=_AUDIO, content_type="audio/mpeg")
        case "text":
            return web.Response(text=url)
        case "object":
            return json_response({"audio_url": url})
        case _:
            return json_response(url)


def upload(request: web.Request, service: Service, name: str, sound: bytes) -> str:
    """Keep an audio file that was uploaded, and return its URL."""
    service.world.uploads[name] = sound
    return f"{origin(request)}/media/output/{name}"


@routes.get("/media/output/{name}")
async def media(request: web.Request) -> web.StreamResponse:
    """Serve an audio file, without authentication: one that was uploaded, or one that holds no sound."""
    sound = request.app[SERVICE].world.uploads.get(request.match_info["name"], _AUDIO)
    return web.Response(body=sound, content_type=media_type(sound))
