"""The audio in a response, or its URL."""

from typing import Any

from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract_url
from tingting_async.http.messages import Request, Response


def find_audio(decoder: Decoder, request: Request[Any], response: Response) -> tuple[str | None, bytes | None, str]:
    """Return the audio in a response: its URL (or the path of its URL) or else its bytes, and the content type.

    Raises:
        DecodeError: The response contains neither: it is text, JSON or a web page without a URL.
    """
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (url := extract_url(response)) is not None:
        return (url, None, content_type)
    # Bytes that are not UTF-8 count as audio, because the service was seen to send wrong content types.
    if response.body and (content_type.startswith("audio/") or not _is_text(response.body)):
        return (None, response.body, content_type)
    raise decoder.error(request, response, "contains neither audio nor its URL")


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body
