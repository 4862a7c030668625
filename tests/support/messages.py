"""Requests and responses as values."""

import json
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from tingting_async.http.messages import Effect, Request, Response

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
UPDATE = Request("PUT", "/things/1", Effect.UPDATE, "things.update", Response, json={"a": 1})
SEND = Request("POST", "/send", Effect.SEND, "things.send", Response, json={"a": 1})


def request(**options: Any) -> Request[Any]:
    """Return a request."""
    given: dict[str, Any] = {"operation": "things.get", "model": dict, **options}
    return Request("GET", "/api/things/1/", Effect.READ, **given)


def response(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a response; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, CIMultiDictProxy(named), content)
