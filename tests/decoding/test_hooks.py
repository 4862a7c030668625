"""The strict hooks decode JSON values into models."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tingting_async import DecodeError
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.http.messages import Effect, Request, Response


class Colour(OpenEnum):
    """An open enum."""

    RED = "red"


@attrs.frozen(kw_only=True)
class Inner:
    """A part of a model."""

    id: int
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Model:
    """A model with a field of each type."""

    integer: int = 0
    real: float = 0.0
    text: str = ""
    flag: bool = False
    decimal: Decimal = Decimal(0)
    when: datetime | None = None
    lasts: timedelta | None = None
    number: StrOrInt | None = None
    colour: Colour | None = None
    maybe: str | None = None
    many: tuple[int, ...] = ()
    counts: Mapping[str, int] = attrs.field(factory=dict[str, int])
    free: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    inner: Inner | None = None
    named: int = wire_field("naemd", default=0)
    extra: Mapping[str, Any] = extra_fields()


DECODER = Decoder()


def read(payload: Any, model: Any = Model, path: tuple[str | int, ...] = ("data",)) -> Any:
    """Decode a value as the payload of a response."""
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    return DECODER.decode_value(request, Response(200, body=json.dumps(payload).encode()), payload, model, path)


GOOD = [
    ("integer", 3, 3),
    ("integer", "3", 3),
    ("integer", 3.0, 3),
    ("real", 3, 3.0),
    ("real", "2.5", 2.5),
    ("text", "x", "x"),
    ("flag", True, True),
    ("decimal", "1.20", Decimal("1.20")),
    ("decimal", 0.375, Decimal("0.375")),
    ("decimal", 8, Decimal(8)),
    ("when", None, None),
    ("when", "", None),
    ("when", "2025-07-07T11:38:24.219065+05:45", datetime(2025, 7, 7, 11, 38, 24, 219065, KATHMANDU)),
    ("when", "2026-06-02T12:00:00Z", datetime(2026, 6, 2, 12, tzinfo=UTC)),
    ("when", "2025-07-09", datetime(2025, 7, 9, tzinfo=KATHMANDU)),
    ("lasts", None, None),
    ("lasts", "", None),
    ("lasts", "10s", timedelta(seconds=10)),
    ("lasts", "1m 5s", timedelta(seconds=65)),
    ("lasts", "2h", timedelta(hours=2)),
    ("lasts", "05:30:00", timedelta(hours=5, minutes=30)),
    ("lasts", "01:05", timedelta(seconds=65)),
    ("lasts", 12.5, timedelta(seconds=12.5)),
    ("lasts", "12", timedelta(seconds=12)),
    ("number", 9800000001, "9800000001"),
    ("number", "0980", "0980"),
    ("colour", "red", Colour.RED),
    ("maybe", None, None),
    ("maybe", "", ""),
    ("many", [1, "2"], (1, 2)),
    ("many", None, ()),
    ("counts", {"NTC": 3}, {"NTC": 3}),
    ("counts", None, {}),
    ("free", {"a": [1, None]}, {"a": [1, None]}),
    ("inner", None, None),
    ("inner", {"id": 1}, Inner(id=1)),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_valid_values(name: str, value: Any, expected: Any) -> None:
    """A value is decoded without loss, into the type of its field."""
    found = getattr(read({name: value}), name)
    assert (found, type(found)) == (expected, type(expected))


BAD = [
    ("integer", None, "expected an integer, got null"),
    ("integer", True, "expected an integer, got a boolean"),
    ("integer", 1.5, "expected an integer, got float"),
    ("integer", "x", "expected an integer, got a string"),
    ("real", "x", "expected a number, got a string"),
    ("real", True, "expected a number, got a boolean"),
    ("text", None, "expected a string, got null"),
    ("text", 1, "expected a string, got int"),
    ("flag", "false", "expected true or false, got a string"),
    ("flag", None, "expected true or false, got null"),
    ("flag", 1, "expected true or false, got int"),
    ("decimal", "NaN", "expected a decimal, got a string"),
    ("decimal", "x", "expected a decimal, got a string"),
    ("decimal", True, "expected a decimal, got a boolean"),
    ("when", "yesterday", "expected an ISO 8601 datetime, got a string"),
    ("when", 5, "expected an ISO 8601 datetime, got int"),
    ("lasts", "long", "expected a duration, got a string"),
    ("lasts", 1e30, "expected a duration, got float"),
    ("lasts", True, "expected a duration, got a boolean"),
    ("number", 1.5, "expected a string or an integer, got float"),
    ("number", True, "expected a string or an integer, got a boolean"),
    ("colour", 1, "expected a string, got int"),
    ("many", "12", "expected a list, got a string"),
    ("many", {"a": 1}, "expected a list, got an object"),
    ("counts", [], "expected an object, got a list"),
    ("free", "x", "expected an object, got a string"),
    ("inner", [], "expected an object, got a list"),
]


@pytest.mark.parametrize(("name", "value", "problem"), BAD)
def test_invalid_values(name: str, value: Any, problem: str) -> None:
    """A value of another type is a DecodeError, which names the path and the types, and never quotes the value."""
    with pytest.raises(DecodeError) as caught:
        read({name: value})
    assert caught.value.problems == ((f"data.{name}", problem),)
    assert f"`data.{name}`: {problem}" in str(caught.value)


def test_paths() -> None:
    """`problems` has the path of every problem; the text has the first three."""
    payload = [{"inner": {"id": 1}}, {"inner": {}, "many": [1, "x"], "counts": {"a": None}, "flag": 2}]
    with pytest.raises(DecodeError) as caught:
        read(payload, list[Model], ("result", "rows"))
    where = [path for path, _ in caught.value.problems]
    assert sorted(where) == [
        "result.rows[1].counts['a']",
        "result.rows[1].flag",
        "result.rows[1].inner.id",
        "result.rows[1].many[1]",
    ]
    assert "and 1 more" in str(caught.value)
    assert caught.value.path == caught.value.problems[0][0]


@pytest.mark.parametrize("payload", [None, [], "x", 3])
def test_value_that_is_not_an_object(payload: Any) -> None:
    """A value that is not an object is not decoded into a model."""
    with pytest.raises(DecodeError) as caught:
        read(payload)
    assert caught.value.path == "data"


def test_value_that_is_not_a_list() -> None:
    """The list of a payload is never null, and never the keys of an object or the letters of a string."""
    for payload in (None, {"a": {}}, "x"):
        with pytest.raises(DecodeError):
            read(payload, list[Model])


def test_open_enum() -> None:
    """An unknown value of an enum is kept, and compares as a string; known values are the members."""
    found = read({"colour": "mauve"}).colour
    assert (found, found.value, type(found)) == ("mauve", "mauve", Colour)
    assert found != Colour.RED
    assert {found: 1}["mauve"] == 1
    assert list(Colour) == [Colour.RED]
    assert read({"colour": "red"}).colour is Colour.RED
    with pytest.raises(ValueError, match="5"):
        Colour(5)


def test_unknown_fields_are_kept() -> None:
    """Unknown fields are kept, and are not in the repr; a field is recognised by its wire name only."""
    model = read({"naemd": 3, "named": 4, "new": {"a": 1}, "inner": {"id": 1, "newer": 2}})
    assert (model.named, model.extra, model.inner.extra) == (3, {"named": 4, "new": {"a": 1}}, {"newer": 2})
    assert "newer" not in repr(model)


def test_missing_fields() -> None:
    """A missing field has its default; without a default, it is a problem."""
    assert read({}) == Model()
    with pytest.raises(DecodeError) as caught:
        read({}, Inner)
    assert caught.value.problems == (("data.id", "missing"),)
