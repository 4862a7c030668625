"""Where the audio is, in an answer that holds it, or tells its place."""

from typing import Any

from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import excerpt, extract_url
from tingting_async.errors import DecodeError
from tingting_async.http.messages import Request, Response


def find_audio(_: Decoder, request: Request[Any], response: Response) -> tuple[str | None, bytes | None, str]:
    """Return the URL (or its path) or else the bytes of the audio that an answer holds, and the content type.

    Raises:
        DecodeError: It holds neither: text, JSON or a web page without a URL.
    """
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (url := extract_url(response)) is not None:
        return (url, None, content_type)
    # Bytes that are no UTF-8, or that are said to be audio: mistyped answers were seen.
    if response.body and (content_type.startswith("audio/") or not _is_text(response.body)):
        return (None, response.body, content_type)
    shown = excerpt(request, response)
    raise DecodeError(
        f"{request.operation}: the answer to {request.method} {request.path} holds neither audio nor its URL: "
        f"{shown!r}",
        excerpt=shown,
        body=response.body,
        status=response.status,
        operation=request.operation,
    )


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body
