"""Errors that are not ours, raised while a response is judged or decoded, become a DecodeError."""

from typing import Any

import attrs
import pytest

from tingting_async import DecodeError
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.messages import Request, Response

SECRET = "9841234567"
FOREIGN = [MemoryError(SECRET), RecursionError(SECRET), KeyError(SECRET), StopIteration(SECRET), OSError(24, SECRET)]


@attrs.define
class Failing(Response):
    """A response that raises an error when its body is parsed."""

    error: Exception = attrs.field(kw_only=True)

    def json(self) -> Any:
        """Raise the error."""
        raise self.error


@attrs.define
class Model:
    """A model that raises an error when somebody wants to know whether it confirms the request."""

    id: int

    @property
    def is_confirmed(self) -> bool:
        """Raise an error."""
        raise MemoryError(SECRET)


def check(caught: pytest.ExceptionInfo[DecodeError], kind: str, status: int = 200) -> None:
    """Check an error: it names the operation and the error's type, and quotes nothing."""
    assert str(caught.value).startswith(f"things.do: {kind} while the response to POST was decoded.")
    assert (b'{"id": 1}', status, "things.do") == (caught.value.body, caught.value.status, caught.value.operation)
    assert caught.value.__context__ is None
    assert SECRET not in f"{caught.value!r}"


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_parsing(error: Exception, status: int) -> None:
    """A response that cannot be parsed for a foreign reason ends as one of our errors, whatever its status."""
    request = Request.send("/things/", Model, "things.do")
    response = Failing(status, body=b'{"id": 1}', error=error)
    decoder = Decoder()
    with pytest.raises(DecodeError) as caught:
        (decoder.decode if status == 200 else decoder.judge)(request, response)
    check(caught, type(error).__name__, status)


def test_confirming() -> None:
    """A result whose confirmation cannot be read is an error after a send, and never an unconfirmed success."""
    response = Response(200, body=b'{"id": 1}')
    with pytest.raises(DecodeError) as caught:
        Decoder().decode(Request.send("/things/", Model, "things.do"), response)
    check(caught, "MemoryError")
    assert Model(1) == Decoder().decode(Request.read("/things/", Model, "things.get"), response)
