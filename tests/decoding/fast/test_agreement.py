"""The fast path decodes nothing differently from the strict hooks."""

import copy
import importlib
import json
import pickle
import pkgutil
import weakref
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import example, given, strategies as st

from tingting_async import classic, v1
from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.decoding.fast.codegen import can_bypass_init
from tingting_async.decoding.fast.pages import FastPath
from tingting_async.decoding.fast.plan import Planner
from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.decoding.hooks import make_converter
from tingting_async.decoding.payload import InvalidValueError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.v1.decoding import _find_displayed
from tingting_async.v1.pages import RESPONSES

SAMPLES = Path(__file__).parents[2] / "samples"


class Colour(OpenEnum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen(kw_only=True)
class Inner:
    id: int
    name: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Everything:
    """A field of every type that models have."""

    id: int
    text: str
    anything: Any
    whole: int | None = 7
    real: float = 0.5
    amount: Decimal | None = None
    note: str | None = None
    flag: bool = False
    number: StrOrInt | None = None
    colour: Colour = Colour.RED
    other_colour: Colour | None = None
    when: datetime | None = None
    duration: timedelta | None = None
    words: tuple[str, ...] = ()
    colours: tuple[Colour, ...] | None = None
    inner: Inner | None = None
    inners: tuple[Inner, ...] = wire_field("inner-list", default=())
    tags: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    counts: Mapping[str, int] | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Narrow:
    """A model without `extra`, which drops unknown fields."""

    id: int
    name: str = "nobody"


@attrs.frozen(kw_only=True)
class Derived(Inner):
    colour: Colour = Colour.BLUE


@attrs.frozen(kw_only=True)
class Converted:
    """A model that only its `__init__` can make."""

    name: str = attrs.field(converter=str.upper)


@attrs.frozen(kw_only=True)
class Checked:
    """A model that refuses some values."""

    id: int

    def __attrs_post_init__(self) -> None:
        if self.id < 0:
            raise ValueError(self.id)


NOT_DECODED: set[type] = {
    classic.CampaignResult,
    v1.CampaignResult,
    v1.NewContact,
    v1.NewStep,
    v1.PreflightReport,
    v1.ReportRow,
}
"""Models that no response is decoded into."""


def formats() -> Iterator[tuple[ResponseFormat, list[type]]]:
    """Yield each format of responses with its models."""
    yield ResponseFormat(), [Everything, Inner, Narrow, Derived, Converted, Checked]
    for generation in (classic, v1):
        names = [each.name for each in pkgutil.walk_packages(generation.__path__, f"{generation.__name__}.")]
        models = {
            value
            for name in names
            if ".models" in name
            for value in vars(importlib.import_module(name)).values()
            if isinstance(value, type) and attrs.has(value) and value.__module__ == name
        } - NOT_DECODED
        responses = importlib.import_module(f"{generation.__name__}.pages").RESPONSES
        yield responses, sorted(models, key=lambda model: model.__qualname__)


CASES = [(each, model) for each, models in formats() for model in models]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a JSON value."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


OBJECTS = [
    *(found for path in sorted(SAMPLES.glob("*.json")) for found in objects(json.loads(path.read_bytes()))),
    {"id": 1, "text": "a", "anything": None},
]

VALUES: list[Any] = [
    *(None, "", "text", "नेपाली", 5, -1, 5.0, 1.5, "5", "1.50", "no", True, False, 1e308, 10**30, "NaN", "inf", "5 "),
    *("10s", "1m 5s", "05:30:00", "2024-05-05", "2024-05-05T10:00:00Z", "2024-05-05T10:00", "red", "purple", "np_rija"),
    *(
        "2024-05-05 10:00:00.1234567+05:45",
        "2024-05-05t10:00:00z",
        "2024-05-05T10:00:00",
        "9999-12-31T23:59:59.9999999Z",
    ),
    *("Jan. 27, 2026, 05:19 PM", "Feb. 30, 2026, noon"),
    *("2024-05-05T24:00:00Z", "2024-05-05T23:59:60Z", "2024-05-05T10:00:00-00:00", "0001-01-01T00:00:00+23:59"),
    *([], [None], ["a", "b"], ["red", 5], [1], [[]], {}, {"a": 1}, {"id": 1}, [{"id": "1"}], [{"id": 1, "b": 2}]),
    *({"a": "1"}, {"a": "text"}, {"a": None}),
]


def shape(value: Any) -> Any:
    """Return a value with the type of every part, because `1 == True` and the `repr` of a model hides fields."""
    if attrs.has(type(value)):
        return (type(value), {field.name: shape(getattr(value, field.name)) for field in attrs.fields(type(value))})
    if isinstance(value, Mapping):
        return (type(value), {key: shape(part) for key, part in value.items()})
    if isinstance(value, tuple | list):
        return (type(value), [shape(part) for part in value])
    return (type(value), repr(value) if isinstance(value, float) else value)


def outcome(responses: ResponseFormat, model: type, payload: Any) -> Any:
    """Return a payload as the strict hooks decode it; None if they refuse it."""
    try:
        return shape(responses.strict.structure(copy.deepcopy(payload), model))
    except Exception:  # noqa: BLE001 - the texts of errors are not compared
        return None


def fast_path(responses: ResponseFormat) -> FastPath:
    """Return the fast path of a format."""
    assert responses.fast is not None
    return responses.fast


def agree(responses: ResponseFormat, model: type, payload: Any) -> None:
    """Compare the fast path with the strict hooks: from values, in a list, and from bytes. It may refuse anything."""
    expected, fast = outcome(responses, model, payload), fast_path(responses)
    body = json.dumps([payload]).encode()
    for decode in (
        lambda: fast.decode(copy.deepcopy(payload), model),
        lambda: fast.decode([copy.deepcopy(payload)], list[model])[0],  # type: ignore[valid-type]
        lambda: fast.page_decoders[list[model], ()](body)[0][0],  # type: ignore[valid-type]
    ):
        try:
            found = decode()
        except Exception:  # noqa: BLE001 - left to the strict hooks
            continue
        assert shape(found) == expected


@pytest.mark.parametrize(
    ("responses", "model"), CASES, ids=[f"{model.__module__}.{model.__name__}" for _, model in CASES]
)
def test_agree_on_samples(responses: ResponseFormat, model: type) -> None:
    """Every object in the documents' samples is decoded equally by both."""
    for payload in OBJECTS:
        agree(responses, model, payload)


@given(st.data())
def test_agree_on_mutations(data: st.DataObject) -> None:
    """An object with missing, changed and added fields is decoded equally by both."""
    responses, model = data.draw(st.sampled_from(CASES))
    payload = dict(data.draw(st.sampled_from(_bases(responses, model))))
    keys = [field.metadata.get("tingting_async.wire_name", field.name) for field in attrs.fields(model)]
    for key in data.draw(st.lists(st.sampled_from([*keys, "new", "other"]), max_size=4)):
        payload[key] = data.draw(st.sampled_from(VALUES))
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=2)):
        payload.pop(key, None)
    agree(responses, model, payload)


def _bases(responses: ResponseFormat, model: type) -> list[dict[str, Any]]:
    """Return the objects of the samples that a model accepts; an empty object if it accepts none."""
    return [each for each in OBJECTS if outcome(responses, model, each) is not None] or [{}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("key", [field.metadata.get("tingting_async.wire_name", field.name)
                                 for field in attrs.fields(Everything)])  # fmt: skip
def test_agree_on_each_value_of_each_field(key: str, value: Any) -> None:
    """Any value of a field of any type is decoded equally by both."""
    responses, _ = CASES[0]
    payload = {"id": 1, "text": "a", "anything": None, key: value}
    agree(responses, Everything, payload)


def decode_fast(value: Any, model: Any) -> Any:
    """Decode a value by the fast path alone."""
    return fast_path(ResponseFormat()).decode(value, model)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
@example({"id": 1}.items())
def test_only_objects(payload: Any) -> None:
    """A value that is not an object is decoded into no model."""
    for responses, model in CASES[:2]:
        with pytest.raises(InvalidValueError, match="an object"):
            responses.strict.structure(payload, model)
        with pytest.raises(ValueError):  # noqa: PT011 - left to the strict hooks
            fast_path(responses).decode(payload, model)


def test_instances_are_the_models_own() -> None:
    """The fast path makes frozen instances of the model's own class, which can be copied, pickled and hashed."""
    made = decode_fast({"id": 1, "name": "a"}, Narrow)
    assert type(made) is Narrow
    assert made == Narrow(id=1, name="a")
    assert hash(made) == hash(Narrow(id=1, name="a"))
    assert copy.copy(made) == made == pickle.loads(pickle.dumps(made))
    assert weakref.ref(made)() is made
    assert attrs.evolve(made, name="b") == Narrow(id=1, name="b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = 2  # type: ignore[misc]


def test_shapes_are_known_before_they_are_shared() -> None:
    """A shape is inspected before other threads can use it: msgspec crashes if two threads make it inspect one."""
    decoder = Planner(make_converter({})).decoder_for(Inner)
    assert decoder is not None
    for each in (decoder.shape, decoder.open_shape):
        each.__annotations__.clear()  # A later inspection would find nothing.
    for extra in ({}, {"new": 5}):
        assert decoder.decode({"id": 1, "name": "a", **extra}) == Inner(id=1, name="a", extra=extra)


def test_long_texts_are_not_kept() -> None:
    """A string that is too long for a value is refused by both, and no cache keeps it."""
    before = _find_displayed.cache_info().currsize
    for key in ("playback", "duration", "call_duration", "updated_at"):
        for text in ("x" * 101, " " * 100 + "5", "0" * 100 + ":05"):
            agree(RESPONSES, v1.Contact, {"id": 1, key: text})
            assert outcome(RESPONSES, v1.Contact, {"id": 1, key: text}) is None
    assert _find_displayed.cache_info().currsize == before


def test_defaults_are_not_shared() -> None:
    """Each instance has mappings of its own, for `extra` as for a field with a factory."""
    one, other = (decode_fast({"id": 1, "text": "a", "anything": None}, Everything) for _ in range(2))
    assert one.tags == other.tags == one.extra == {}
    assert one.tags is not other.tags
    assert one.extra is not other.extra


def test_unknown_fields_are_kept() -> None:
    """The fast path, too, keeps unknown fields in `extra`, at every depth and whatever their names."""
    payload = {"id": 1, "text": "a", "anything": 0, "new": [1], "*extra*": 2, "inner": {"id": 1, "extra": 3}}
    for read in (decode_fast(payload, Everything), decode_fast([payload], list[Everything])[0]):
        assert read.extra == {"new": [1], "*extra*": 2}
        assert read.inner.extra == {"extra": 3}


def test_other_models_are_left_to_the_strict_hooks() -> None:
    """A model that does more than fill its fields is made by its `__init__`."""
    responses = ResponseFormat()
    for model, payload in ((Converted, {"name": "a"}), (Checked, {"id": -1})):
        with pytest.raises(ValueError, match="no fast way"):
            fast_path(responses).decode(payload, model)
    assert responses.strict.structure({"name": "a"}, Converted).name == "A"
    with pytest.raises(ExceptionGroup):
        responses.strict.structure({"id": -1}, Checked)


@attrs.frozen(slots=False)
class WithDict:
    id: int


@attrs.frozen
class ByItself:
    id: int
    twice: int = attrs.Factory(lambda self: 2 * self.id, takes_self=True)


@attrs.frozen
class NotInInit:
    id: int
    made: int = attrs.field(init=False, default=5)


@attrs.frozen(init=False)
class OwnInit:
    id: int

    def __init__(self, id: int) -> None:
        self.__attrs_init__(id + 1)  # type: ignore[attr-defined]


@attrs.frozen
class Forward:
    id: "int"


@attrs.frozen
class Validated:
    id: int = attrs.field(validator=attrs.validators.gt(0))


@pytest.mark.parametrize("model", [WithDict, ByItself, NotInInit, OwnInit, Forward, Validated, Converted, Checked])
def test_only_plain_models_are_filled(model: type) -> None:
    """If making an instance means more than to fill its slots, the fast path does not make it."""
    assert can_bypass_init(Narrow)
    assert not can_bypass_init(model)


@pytest.mark.parametrize("payload", [
    {"duration": "1s", "call_duration": "2s"}, {"duration": None, "call_duration": "2s"}, {"call_duration": "2s"},
    {"duration": "1s", "call_duration": None}, {"call_duration": None}, {"duration": "1s"}, {},
])  # fmt: skip
def test_a_field_of_two_names(payload: dict[str, Any]) -> None:
    """If a contact has its duration under two names, both decoders use the same one; the other is an unknown field."""
    agree(RESPONSES, v1.Contact, {"id": 1, **payload})
    both = Response(200, body=b'[{"id": 1, "duration": "1s", "call_duration": "2s"}]')
    request = Request("GET", "/", Effect.READ, "rows", list[v1.Contact])
    (contact,), _ = Decoder(RESPONSES).decode_rows(request, both)
    assert (contact.duration, contact.extra) == (timedelta(seconds=1), {"call_duration": "2s"})


def test_a_generations_own_hook_is_used() -> None:
    """A hook that a generation registers for a type decodes fields of that type on the fast path as well."""
    own = make_converter({Inner: lambda kind, converter: lambda value, _: Inner(id=value)})
    fast = FastPath(own, None)
    assert fast.decode({"id": 1, "text": "a", "anything": 0, "inner": 5}, Everything).inner == Inner(id=5)
    assert fast.decode({"id": 1, "text": "a", "anything": 0, "inner": None}, Everything).inner is None


def test_compiled_on_first_use() -> None:
    """Nothing is compiled for a model before it is decoded for the first time."""

    @attrs.frozen
    class Late:
        id: int

    fast = fast_path(ResponseFormat())
    assert Late.__subclasses__() == []
    assert fast.decode({"id": 1}, Late) == Late(1)
    assert [each.__name__ for each in Late.__subclasses__()] == ["MutableLate"]
