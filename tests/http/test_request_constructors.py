"""The constructors of `Request`, one for each effect."""

from typing import Any

import pytest

from tingting_async.http.messages import Effect, Request


@pytest.mark.parametrize(
    ("constructor", "method", "effect"),
    [
        (Request.read, "GET", Effect.READ),
        (Request.update, "PATCH", Effect.UPDATE),
        (Request.delete, "DELETE", Effect.UPDATE),
        (Request.create, "POST", Effect.CREATE),
        (Request.send, "POST", Effect.SEND),
    ],
)
def test_verb(constructor: Any, method: str, effect: Effect) -> None:
    """The verb decides the effect and, by default, the HTTP method."""
    request = constructor("/a/", int, "a.b", payload=("c",))
    expected = (method, "/a/", effect, "a.b", int, ("c",))
    found = (request.method, request.path, request.effect, request.operation, request.model, request.payload)
    assert expected == found


@pytest.mark.parametrize("constructor", [Request.read, Request.update, Request.create])
def test_method(constructor: Any) -> None:
    """The HTTP method can be given."""
    assert "PUT" == constructor("/a/", int, "a.b", method="PUT").method
