"""The fast pass, and the quick way within it, read what the detailed one reads, and make of it the same."""

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
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.json import Decoder as JSONDecoder

import tingting_async
from tingting_async import ApiError, classic, v1
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.fast.codegen import FastDecoder, can_bypass_init
from tingting_async.decoding.fast.plan import fast_decoder_for
from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.decoding.hooks import make_converter
from tingting_async.decoding.scalars import InvalidValueError, find_decimal, find_duration
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.v1.decoding import _find_displayed

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
    """A field of every kind that models have."""

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
    """A model without `extra`: what it does not know is dropped."""

    id: int
    name: str = "nobody"


@attrs.frozen(kw_only=True)
class Derived(Inner):
    colour: Colour = Colour.BLUE


@attrs.frozen(kw_only=True)
class Converted:
    """A model that has to be made by its `__init__`."""

    name: str = attrs.field(converter=str.upper)


@attrs.frozen(kw_only=True)
class Checked:
    """A model that refuses some values itself."""

    id: int

    def __attrs_post_init__(self) -> None:
        if self.id < 0:
            raise ValueError(self.id)


ONLY_SENT: set[type] = {v1.NewContact, v1.NewStep}


def readers() -> Iterator[tuple[Decoder, list[type]]]:
    """Yield the reader of each generation of the API with its models."""
    yield Decoder(), [Everything, Inner, Narrow, Derived, Converted, Checked]
    for package in pkgutil.iter_modules(tingting_async.__path__, "tingting_async."):
        if not package.ispkg or "convert" not in (
            names := [each.name for each in pkgutil.iter_modules(importlib.import_module(package.name).__path__)]
        ):
            continue
        modules = [importlib.import_module(f"{package.name}.{name}") for name in names]
        reader: Decoder = importlib.import_module(f"{package.name}.pages").READER
        models = {
            value
            for module in modules
            for value in vars(module).values()
            if isinstance(value, type) and attrs.has(value) and value.__module__ == module.__name__
        } - ONLY_SENT
        yield reader, sorted(models, key=lambda model: model.__qualname__)


CASES = [(reader, model) for reader, models in readers() for model in models]


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
    *("2024-05-05T24:00:00Z", "2024-05-05T23:59:60Z", "2024-05-05T10:00:00-00:00", "0001-01-01T00:00:00+23:59"),
    *([], [None], ["a", "b"], ["red", 5], [1], [[]], {}, {"a": 1}, {"id": 1}, [{"id": "1"}], [{"id": 1, "b": 2}]),
    *({"a": "1"}, {"a": "text"}, {"a": None}),
]


def shape(value: Any) -> Any:
    """Return a value with every type in it, as `1 == True` and a model's `repr` hides things."""
    if attrs.has(type(value)):
        return (type(value), {field.name: shape(getattr(value, field.name)) for field in attrs.fields(type(value))})
    if isinstance(value, Mapping):
        return (type(value), {key: shape(part) for key, part in value.items()})
    if isinstance(value, tuple | list):
        return (type(value), [shape(part) for part in value])
    return (type(value), repr(value) if isinstance(value, float) else value)


def outcome(reader: Decoder, model: type, payload: Any, *, detailed: bool) -> Any:
    """Return what a pass makes of a payload; None where it refuses it."""
    try:
        return shape((reader._detailed if detailed else reader._fast).structure(copy.deepcopy(payload), model))
    except Exception:  # noqa: BLE001 - what each error is called is not compared
        return None


def agree(reader: Decoder, model: type, payload: Any) -> None:
    """Compare the passes, and the quick way from the bytes, which may refuse what it does not take."""
    expected = outcome(reader, model, payload, detailed=True)
    assert outcome(reader, model, payload, detailed=False) == expected
    quick: FastDecoder | None = getattr(reader._fast.get_structure_hook(list[model]), "quick", None)
    if quick is None:
        return
    decoder = JSONDecoder(quick.shape)
    try:
        found = quick.fill(decoder.decode(json.dumps([payload]).encode()))
    except Exception:  # noqa: BLE001 - it is left to the others
        return
    assert shape(found) == (list, [expected])


@pytest.mark.parametrize(("reader", "model"), CASES, ids=[f"{model.__module__}.{model.__name__}" for _, model in CASES])
def test_agree_on_samples(reader: Decoder, model: type) -> None:
    """Both passes make the same of every object in the documents' samples, or refuse it both."""
    for payload in OBJECTS:
        agree(reader, model, payload)


@given(st.data())
def test_agree_on_mutations(data: st.DataObject) -> None:
    """Both passes make the same of an object with fields missing, changed and added, or refuse it both."""
    reader, model = data.draw(st.sampled_from(CASES))
    payload = dict(data.draw(st.sampled_from(_bases(reader, model))))
    keys = [field.metadata.get("tingting_async.wire_name", field.name) for field in attrs.fields(model)]
    for key in data.draw(st.lists(st.sampled_from([*keys, "new", "other"]), max_size=4)):
        payload[key] = data.draw(st.sampled_from(VALUES))
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=2)):
        payload.pop(key, None)
    agree(reader, model, payload)


QUICK = {
    "classic_campaigns": (classic, classic.Campaign, "result", "campaign-lists"),
    "v1_campaigns": (v1, v1.Campaign, "results"),
    "v1_contacts": (v1, v1.Contact, "results"),
    "v1_sent_otps": (v1, v1.SentOtp, "results", "data"),
    "v1_voice_models": (v1, v1.Voice),
}


@pytest.mark.parametrize("name", QUICK)
def test_samples_go_the_quick_way(name: str) -> None:
    """The documents' own lists are taken at a glance from the second time on, the rows and what is around them."""
    api, model, *path = QUICK[name]
    reader = Decoder(f"{api.__name__}.decoding")
    body = (SAMPLES / f"{name}.json").read_bytes()
    rows = json.loads(body)
    for step in path:
        rows = rows[step]
    seen = [glanced(reader, model, body, *path) for _ in range(3)]
    assert [at_once for at_once, _ in seen] == [False, True, True]
    assert seen[0][1] == seen[1][1] == seen[2][1]
    assert len(seen[0][1][0]) == len(rows) > 0


def glanced(reader: Decoder, model: type, body: bytes, *path: str) -> tuple[bool, tuple[list[Any], dict[str, Any]]]:
    """Read a list; tell whether a glance was enough, and what came."""
    glance = reader.glance(list[model], path)  # type: ignore[valid-type]
    request = Request("GET", "/", Effect.READ, "rows", list[model], payload=path, glance=glance)  # type: ignore[valid-type]
    response = Response(200, body=body)
    return glance.read(response) is not None, reader.read_rows(request, response)


def test_unknown_fields_leave_the_quick_way() -> None:
    """A row with a field that its model does not know is looked at with care, and the field is kept."""
    reader = Decoder()
    known = b'{"rows": [{"id": 1, "name": "a"}]}'
    assert glanced(reader, Inner, known, "rows") == (False, ([Inner(id=1, name="a")], {}))
    assert glanced(reader, Inner, known, "rows") == (True, ([Inner(id=1, name="a")], {}))
    new = b'{"rows": [{"id": 1}, {"id": 2, "new": 5}]}'
    assert glanced(reader, Inner, new, "rows") == (False, ([Inner(id=1), Inner(id=2, extra={"new": 5})], {}))


def test_unknown_fields_come_back_the_quick_way() -> None:
    """A field that no model knows is taken the quick way once it came, at every depth; one of an odd name is not."""
    reader = Decoder()
    row = {"id": 1, "text": "a", "anything": 0, "new": [1], "inner": {"id": 2, "deep": None}}
    odd = {"id": 1, "text": "a", "anything": 0, 'a "name"': 1}
    for _ in range(2):
        for rows in ([row], [odd], [{**row, "text": "b"}, {"id": 3, "text": "c", "anything": None}]):
            _, (read, _) = glanced(reader, Everything, json.dumps({"rows": rows}).encode(), "rows")
            assert shape(read) == shape([reader._detailed.structure(each, Everything) for each in rows])
    at_once, ((quick,), _) = glanced(reader, Everything, json.dumps({"rows": [row]}).encode(), "rows")
    assert (at_once, quick.extra, quick.inner.extra) == (True, {"new": [1]}, {"deep": None})
    assert not glanced(reader, Everything, json.dumps({"rows": [odd]}).encode(), "rows")[0]


@pytest.mark.parametrize("name", ['a "name"', "a\\name", "a\tname", "", "ने", "inner", "beside0"])
def test_odd_names_beside_the_rows(name: str) -> None:
    """Whatever the envelope's fields are called, its rows are read, and the fields are kept."""
    reader = Decoder()
    body = json.dumps({"rows": [{"id": 1, "name": "a"}], name: 5}).encode()
    for _ in range(2):
        _, read = glanced(reader, Inner, body, "rows")
        assert read == ([Inner(id=1, name="a")], {name: 5})


def test_names_that_are_made_up_are_not_learnt() -> None:
    """A service that names fields anew in every row costs time, and not memory: only so many names are kept."""
    reader = Decoder()
    for number in range(100):
        body = json.dumps({"rows": [{"id": number, f"name{number}": 1}], f"beside{number}": 2}).encode()
        _, (rows, beside) = glanced(reader, Inner, body, "rows")
        assert (rows, beside) == ([Inner(id=number, extra={f"name{number}": 1})], {f"beside{number}": 2})
    assert len(reader._unknown[Inner]) == 32
    form = reader.glance(list[Inner], ("rows",))._form
    assert form is not None
    assert len(form.beside[0]) == 32


@pytest.mark.parametrize("beside", [{"success": False}, {"status": 400}, {"success": "false"}])
def test_failures_are_judged(beside: dict[str, Any]) -> None:
    """A failure that begins as a good answer does is judged when it is read, whatever came before, and after it."""
    reader, good = Decoder(), b'{"deep": {"rows": [{"id": 1}], "status": 7}, "name": {}}'
    first, second = (glanced(reader, Inner, good, "deep", "rows") for _ in range(2))
    assert (first[0], second) == (False, (True, first[1]))
    failure = json.dumps({"deep": {"rows": [{"id": 1}]}, **beside}).encode()
    assert reader.glance(list[Inner], ("deep", "rows")).begins_well(Response(200, body=failure))
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            glanced(reader, Inner, failure, "deep", "rows")
        assert caught.value.body == failure
    assert glanced(reader, Inner, good, "deep", "rows") == second


def test_begins_well() -> None:
    """Only an answer with status 200 that begins as the good ones did waits to be judged."""
    reader, good = Decoder(), b'{"rows": [{"id": 1}]}'
    glance = reader.glance(list[Inner], ("rows",))
    assert not glance.begins_well(Response(200, body=good))
    glanced(reader, Inner, good, "rows")
    assert glance.begins_well(Response(200, body=good))
    for status, body in ((500, good), (200, b'{"success": false, "rows": []}'), (200, b""), (200, b"<html>")):
        assert not glance.begins_well(Response(status, body=body))
    confirmed = b'{"deep": {"rows": [{"id": 1}]}, "success": true, "errors": [], "status": 200}'
    assert [glanced(reader, Inner, confirmed, "deep", "rows") for _ in range(2)] == [
        (False, ([Inner(id=1)], {"success": True, "errors": [], "status": 200}))
    ] * 2
    assert not reader.glance(list[Inner], ("deep", "rows")).begins_well(Response(200, body=confirmed))


def test_what_stands_beside() -> None:
    """What stands beside the rows is kept from every level, the outer of two of a name, whatever comes and goes."""
    reader = Decoder()
    bodies = [
        ({"count": 1, "in": {"rows": [], "count": 2, "more": None}}, {"count": 1, "more": None}),
        ({"in": {"rows": [], "count": 2}, "note": "x"}, {"count": 2, "note": "x"}),
        ({"in": {"rows": []}}, {}),
    ]
    for turn in range(3):
        for body, beside in bodies:
            at_once, read = glanced(reader, Inner, json.dumps(body).encode(), "in", "rows")
            assert read == ([], beside)
            assert at_once is (turn > 0 or not beside)


def test_other_lists_of_a_model_learn_too() -> None:
    """A field that one list of a model has learnt is taken at a glance by the others, once they have met it."""
    reader, body = Decoder(), b'{"rows": [{"id": 1, "new": 5}], "others": [{"id": 1, "new": 5}]}'
    old = b'{"rows": [{"id": 1}], "others": [{"id": 1}]}'
    for path in ("rows", "others"):
        glanced(reader, Inner, old, path)
        assert glanced(reader, Inner, old, path)[0]
    for path in ("rows", "others"):
        assert [glanced(reader, Inner, body, path)[0] for _ in range(2)] == [False, True]


def _bases(reader: Decoder, model: type) -> list[dict[str, Any]]:
    """Return objects that the model takes, or, as it takes none of the samples', an empty one."""
    return [each for each in OBJECTS if outcome(reader, model, each, detailed=True) is not None] or [{}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("key", [field.metadata.get("tingting_async.wire_name", field.name)
                                 for field in attrs.fields(Everything)])  # fmt: skip
def test_agree_on_each_value_of_each_field(key: str, value: Any) -> None:
    """Whatever comes for a field of whichever kind, both passes make the same of it, or refuse it both."""
    reader, _ = CASES[0]
    payload = {"id": 1, "text": "a", "anything": None, key: value}
    agree(reader, Everything, payload)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
@example({"id": 1}.items())
def test_only_objects(payload: Any) -> None:
    """What is no object is read into no model."""
    for reader, model in CASES[:2]:
        with pytest.raises(InvalidValueError, match="an object"):
            reader._fast.structure(payload, model)


def test_instances_are_the_models_own() -> None:
    """What the fast pass makes is frozen, of the model's own class; it copies, pickles and hashes."""
    made = make_converter(detailed=False, factories={}).structure({"id": 1, "name": "a"}, Narrow)
    assert type(made) is Narrow
    assert made == Narrow(id=1, name="a")
    assert hash(made) == hash(Narrow(id=1, name="a"))
    assert copy.copy(made) == made == pickle.loads(pickle.dumps(made))
    assert weakref.ref(made)() is made
    assert attrs.evolve(made, name="b") == Narrow(id=1, name="b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = 2  # type: ignore[misc]


def test_shapes_are_known_before_they_are_shared() -> None:
    """Before a shape is handed on, msgspec knows its fields: it crashes where two threads make it find out at once."""
    quick = fast_decoder_for(Inner, make_converter(detailed=False, factories={}))
    assert quick is not None
    quick.shape.__annotations__.clear()  # Where they are looked at only now, there is nothing to be found.
    assert quick.read({"id": 1, "name": "a"}) == Inner(id=1, name="a")


def test_long_texts_are_not_kept() -> None:
    """A text that is too long for a value is refused by both passes, and memory does not keep it."""
    found = [find_decimal, find_duration, _find_displayed]
    before = [each.cache_info().currsize for each in found]
    reader = Decoder("tingting_async.v1.decoding")
    for key in ("playback", "duration", "call_duration", "updated_at"):
        for text in ("x" * 101, " " * 100 + "5", "0" * 100 + ":05"):
            agree(reader, v1.Contact, {"id": 1, key: text})
            assert outcome(reader, v1.Contact, {"id": 1, key: text}, detailed=True) is None
    assert [each.cache_info().currsize for each in found] == before


def test_defaults_are_not_shared() -> None:
    """Each instance gets mappings of its own, for `extra` as for a field with a factory."""
    fast = make_converter(detailed=False, factories={})
    one, other = (fast.structure({"id": 1, "text": "a", "anything": None}, Everything) for _ in range(2))
    assert one.tags == other.tags == one.extra == {}
    assert one.tags is not other.tags
    assert one.extra is not other.extra


def test_unknown_fields_are_kept() -> None:
    """What a model does not know lies in its `extra`, at every depth, whatever it is called."""
    fast = make_converter(detailed=False, factories={})
    payload = {"id": 1, "text": "a", "anything": 0, "new": [1], "*extra*": 2, "inner": {"id": 1, "extra": 3}}
    read = fast.structure(payload, Everything)
    assert read.extra == {"new": [1], "*extra*": 2}
    assert read.inner is not None
    assert read.inner.extra == {"extra": 3}


def test_what_is_made_otherwise_is_left_to_cattrs() -> None:
    """A model that does more than fill its fields is made by its `__init__`."""
    fast = make_converter(detailed=False, factories={})
    assert fast.structure({"name": "a"}, Converted).name == "A"
    with pytest.raises(ValueError, match="-1"):
        fast.structure({"id": -1}, Checked)


@attrs.frozen(slots=False)
class WithDict:
    id: int


@attrs.frozen
class ByItself:
    id: int
    twice: int = attrs.Factory(lambda self: 2 * self.id, takes_self=True)


@attrs.frozen
class NotAskedFor:
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


@pytest.mark.parametrize("model", [WithDict, ByItself, NotAskedFor, OwnInit, Forward, Validated, Converted, Checked])
def test_only_plain_models_are_filled(model: type) -> None:
    """Where making an instance is more than filling its slots, there is no quick way."""
    assert can_bypass_init(Narrow)
    assert not can_bypass_init(model)


@pytest.mark.parametrize("payload", [
    {"duration": "1s", "call_duration": "2s"}, {"duration": None, "call_duration": "2s"}, {"call_duration": "2s"},
    {"duration": "1s", "call_duration": None}, {"call_duration": None}, {"duration": "1s"}, {},
])  # fmt: skip
def test_a_field_of_two_names(payload: dict[str, Any]) -> None:
    """Of a contact's two names for its duration, both passes and the quick way take the same, also once both came."""
    reader = Decoder("tingting_async.v1.decoding")
    for _ in range(2):
        agree(reader, v1.Contact, {"id": 1, **payload})
        both = b'[{"id": 1, "duration": "1s", "call_duration": "2s"}]'
        _, ((read,), _) = glanced(reader, v1.Contact, both)
        assert (read.duration, read.extra) == (timedelta(seconds=1), {"call_duration": "2s"})


def test_a_generations_own_hook_counts() -> None:
    """A hook that a generation registers for a kind is taken for fields of that kind as well."""
    fast = make_converter(detailed=False, factories={Inner: lambda kind, converter: lambda value, _: Inner(id=value)})
    assert fast.structure({"id": 1, "text": "a", "anything": 0, "inner": 5}, Everything).inner == Inner(id=5)
    assert fast.structure({"id": 1, "text": "a", "anything": 0, "inner": None}, Everything).inner is None


def test_compiled_on_first_use() -> None:
    """Nothing is made for a model before it is read for the first time."""

    @attrs.frozen
    class Late:
        id: int

    fast = make_converter(detailed=False, factories={})
    assert Late.__subclasses__() == []
    assert fast.structure({"id": 1}, Late) == Late(1)
    assert [twin.__name__ for twin in Late.__subclasses__()] == ["LateTwin"]
