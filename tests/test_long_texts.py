"""The length of every error text has a limit, however long the text is that a server or a caller gives."""

import asyncio
import copy
import json
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
from support.messages import request, response
from support.servers import Received, serving

import tingting_async
import tingting_async.v1
from tingting_async import RetryPolicy, TingTing, TingTingError, UsageError, errors
from tingting_async.decoding.decoder import Decoder
from tingting_async.resources import arguments
from tingting_async.v1.decoding import FACTORIES
from tingting_async.v1.models.contacts import ContactsAdded
from tingting_async.v1.pages import RESPONSES

LONG = 120_000
PIECES = [
    *("a", "abc ", "eyJ", "eyJ.", "1", "1 ", "9800000001, ", '"token":', "//a@", "bearer ", "\n", "<", "नमस्ते ", '\\"'),
]


def bodies(text: str) -> list[Any]:
    """Return failures with a long text in every place."""
    return [
        {"detail": text},
        {"message": [text, text]},
        {"success": False, "message": text, "errors": [text], "data": {}},
        {"number": [text]},
        {text: ["no"]},
        {"errors": [{"number": ["no"]}] * (LONG // 40)},
        {f"field{number}": ["no"] for number in range(LONG // 40)},
        [text],
        text.encode(),
        f"<html><title>{text}</title></html>".encode(),
    ]


@pytest.mark.parametrize("piece", PIECES)
def test_failures(piece: str) -> None:
    """The text of a failure has fewer than 1,000 characters; its attributes keep all that the service said."""
    text = piece * (LONG // len(piece))
    for body in bodies(text):
        for status in (200, 400, 401, 403, 429, 500, 503):
            error = Decoder().judge(request(secrets=("hunter2",)), response(body, status))
            assert error is None or len(str(error)) < 1000
    error = Decoder().judge(request(), response({"detail": text}, 400))
    assert error is not None
    assert text == error.message


def test_many_errors_of_a_field() -> None:
    """The errors of a field that comes again and again are all kept, in order."""
    error = Decoder().judge(request(), response({"errors": [{"a": [str(row)]} for row in range(10_000)]}, 400))
    assert error is not None
    assert {"a": tuple(map(str, range(10_000)))} == error.field_errors


def test_many_errors_of_a_row() -> None:
    """The errors of a contact that is named again and again are all kept, in order."""
    said = [{"row": 3, "error": "a"}, {"row": 1, "error": "b"}, {"row": 3, "error": "c"}]
    received = response({"created": 1, "errors": said * 2})
    assert ContactsAdded in FACTORIES
    added = Decoder(RESPONSES).decode(request(model=ContactsAdded), received)
    assert {3: "a; c; a; c", 1: "b; b"} == added.errors


@pytest.mark.parametrize("piece", PIECES)
def test_decode_errors(piece: str) -> None:
    """The text of a response that cannot be decoded has fewer than 1,500 characters, whatever its keys and values."""
    text = piece * (LONG // len(piece))
    wrong: list[Any] = [
        {"created": text},
        {"created": 1, "contacts": [{text: text}]},
        {"created": 1, "contacts": [{"other_variables": {text: [text]}}]},
        {"created": 1, "contacts": [{"id": text}] * 100},
        [text],
        text.encode(),
    ]
    for body in wrong:
        with pytest.raises(errors.DecodeError) as caught:
            Decoder(RESPONSES).decode(request(model=ContactsAdded), response(body))
        assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    ("model", "wrong"),
    [(list[int], ["x"] * 10_000), (dict[str, int], {str(row): "x" for row in range(10_000)})],
    ids=["list", "object"],
)
def test_many_problems(model: Any, wrong: Any) -> None:
    """If a list or an object has many wrong items, the error names the first hundred."""
    with pytest.raises(errors.DecodeError, match="and 97 more") as caught:
        Decoder(RESPONSES).decode(request(model=model), response(wrong))
    assert 100 == len(caught.value.problems)
    assert caught.value.problems[99][0] == ("[99]" if isinstance(wrong, list) else "['99']")


def test_any_error() -> None:
    """No error has more than 2,000 characters. A longer text loses its middle, and survives copying and pickling."""
    chance = random.Random("any error")
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TingTingError)
    ]
    for kind in kinds:
        size = chance.choice([1999, 2000, 2001, LONG])
        said = "things.do: " + "x" * (size - 23) + " Look there."
        error = kind(said)
        assert min(size, 2000) == len(str(error))
        assert str(error).startswith("things.do: xxx")
        assert str(error).endswith("xxx Look there.")
        assert str(error) == str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error))
    assert ("", "no") == (str(TingTingError()), str(TingTingError("no")))


LONG_CALLS: list[Callable[[str], object]] = [
    lambda text: arguments.enum_member(arguments.OtpChannel, text, "channel"),
    lambda text: arguments.identifiers([text], "ids"),  # type: ignore[list-item]
    lambda text: arguments.require_known_tags([text], [text[:-1]] * 100, "message"),
    lambda text: arguments.refuse_unknown("things.get", {text: 1}, ["name"], lambda: None),
    lambda text: TingTing(base_url=text),
    lambda text: TingTing(base_url=f"http://{text}"),
    lambda text: TingTing(api_token=text + "\n"),
]


@pytest.mark.parametrize("call", range(len(LONG_CALLS)))
@pytest.mark.parametrize("piece", ["a", "1 ", "é", "http://"])
def test_arguments(call: int, piece: str) -> None:
    """The error of a long argument has at most 2,000 characters."""
    with pytest.raises(UsageError) as caught:
        LONG_CALLS[call](piece * (LONG // len(piece)))
    assert len(str(caught.value)) <= 2000


def test_ids() -> None:
    """An id that is given twice among many is named."""
    with pytest.raises(UsageError, match="contains 19999 more than once"):
        arguments.identifiers([*range(20_000), 19_999], "ids")


def test_masked_before_it_is_cut() -> None:
    """Cutting a long text shows no part of a secret that was whole before."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl"
    chance = random.Random("cut")
    for _ in range(200):
        said = " ".join(
            chance.choice([token, "9800000001", "word", "hunter2-hunter2"]) for _ in range(chance.randint(1, 3000))
        )
        asked = request(secrets=("hunter2-hunter2",))
        shown = asked.redact(said, length=chance.choice([40, 200, 500]))
        assert not {"eyJ", "98000", "hunter2"} & {part for part in ("eyJ", "98000", "hunter2") if part in shown}


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 400, 403, 503])
async def test_events_and_errors_of_a_session(status: int) -> None:
    """A session that gets long texts raises errors that have a limit, and reports events that have one, too."""
    text = "eyJ" * (LONG // 3)

    async def script(received: Received) -> None:
        await received.respond(json.dumps({"detail": text, "next": text, text: text}).encode(), status)

    async with (
        serving(script) as server,
        tingting_async.v1.TingTing(
            base_url=server.url, api_token="t", retries=RetryPolicy(attempts=2, initial_backoff=0)
        ) as tingting,
    ):
        events: list[object] = []
        tingting.subscribe(events.append)
        calls = [tingting.campaigns.get(1), tingting.campaigns.run(1), tingting.campaigns.list().collect()]
        found = await asyncio.gather(*calls, return_exceptions=True)
        failures = [error for error in found if isinstance(error, BaseException)]
        assert [] == [error for error in failures if not isinstance(error, TingTingError) or len(str(error)) > 2000]
        assert len(failures) == 3 - (status == 200)  # A campaign may have any fields.
        assert max(len(repr(event)) for event in events) <= 2000
