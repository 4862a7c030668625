"""Models as records of plain values."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

import tingting_async
import tingting_async.v1 as v1_api
from tingting_async import NumberStatus, UsageError, as_record
from tingting_async.decoding.fields import Model
from tingting_async.v1 import Campaign, Contact, ContactsAdded, PreflightReport, Services, SpokenMessage, Voice

CONTACT = Contact(
    id=7,
    number="9800000001",
    status=NumberStatus.HUNG_UP,
    updated_at=datetime(2026, 1, 27, 17, 19, tzinfo=UTC),
    duration=timedelta(minutes=1, seconds=5.5),
    playback=Decimal(91),
    variables={"name": "सीता", "debts": [1, 2]},
    failover_sms_sent=False,
    campaign_id=3,
)


def test_a_contact() -> None:
    """A record has the number in full, seconds, floats, ISO dates and the variables as columns of their own."""
    assert {
        "id": 7,
        "number": "9800000001",
        "status": "hungup",
        "updated_at": "2026-01-27T17:19:00+00:00",
        "created_at": None,
        "deleted_at": None,
        "duration": 65.5,
        "playback": 91.0,
        "credit_consumed": None,
        "credit_consumed_sms": None,
        "carrier": None,
        "variables.name": "सीता",
        "variables.debts": [1, 2],
        "uuid": None,
        "failover_sms_sent": False,
        "campaign_id": 3,
    } == as_record(CONTACT)
    assert "9800000001" not in repr(CONTACT)


def test_values_are_plain() -> None:
    """The values of a record are of JSON's own types, not of subclasses."""
    record = as_record(CONTACT)
    assert {int, str, float, bool, list, type(None)} == {type(value) for value in record.values()}
    assert record == json.loads(json.dumps(record, allow_nan=False))


def test_nested_models() -> None:
    """The fields of a model within a model have names with a dot, whether it is there or None."""
    with_voice = as_record(Campaign(id=1, services=Services.SMS, voice=Voice(id=3)))
    without = as_record(Campaign(id=1, services=Services.SMS))
    assert with_voice.keys() == without.keys()
    assert (3, None) == (with_voice["voice.id"], without["voice.id"])
    report = PreflightReport(campaign=Campaign(id=1), contacts=2, placeholders=frozenset("ba"), problems=("a",))
    record = as_record(report)
    assert (1, ["a", "b"], ["a"]) == (record["campaign.id"], record["placeholders"], record["problems"])


def test_models_in_lists() -> None:
    """Models in a tuple become a list of records; the keys of mappings become text."""
    record = as_record(ContactsAdded(created=1, contacts=(CONTACT,), errors={4: "refused"}))
    assert ([as_record(CONTACT)], "refused") == (record["contacts"], record["errors.4"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"),
        (b"\0", "AA=="),
        (math.nan, None),
        (Decimal("Infinity"), None),
        ((1, (2,)), [1, [2]]),
        ({"b", "a"}, ["a", "b"]),
        ([{"when": timedelta(hours=1)}], [{"when": 3600.0}]),
    ],
)
def test_values_of_mappings(value: object, expected: object) -> None:
    """A mapping may have any value that has a plain form."""
    assert {"value": expected} == as_record({"value": value})


@pytest.mark.parametrize("value", [5, "text", None, [CONTACT], Contact])
def test_what_is_no_model(value: object) -> None:
    """What is neither a model nor a mapping is refused."""
    with pytest.raises(UsageError, match="neither a model nor a mapping"):
        as_record(value)


def test_values_without_a_plain_form() -> None:
    """A value without a plain form is refused by its name and type, and is not shown."""
    with pytest.raises(UsageError, match="'a' is a complex") as caught:
        as_record({"a": 9800000001j})
    assert "98000" not in str(caught.value)


def models() -> Iterator[type[Any]]:
    """Yield every model that either generation exports."""
    for module in (tingting_async, v1_api):
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, Model) and attrs.has(value):
                yield value


@pytest.mark.parametrize("model", [*dict.fromkeys(models())], ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_every_model(model: type[Any]) -> None:
    """Every model of the library has a record, which JSON can hold, even if all its optional fields are missing."""
    required = {
        field.alias: CONTACT if field.type is Contact else Campaign(id=1) if field.type is Campaign else "1"
        for field in attrs.fields(model)
        if field.default is attrs.NOTHING
    }
    record = as_record(model(**required))
    assert record == json.loads(json.dumps(record, allow_nan=False))
    names = {field.name for field in attrs.fields(model)} - {"extra", "values", "variables", "data", "errors"}
    assert {name for name in names if not any(f"{key}.".startswith(f"{name}.") for key in record)} <= {"available_tags"}
    assert SpokenMessage is not model or {"url", "audio", "content_type"} == record.keys()


def test_results_say_who_was_reached() -> None:
    """The record of a campaign's result says whether the person was reached, after the fields of both its models."""
    campaign = tingting_async.Campaign(id=1, name="Fees", services=Services.PHONE)
    number = tingting_async.Number(id=1, number="9800000001", status=NumberStatus.ANSWERED)
    for result, reached in (
        (v1_api.CampaignResult(Campaign(id=1), attrs.evolve(CONTACT, status=v1_api.ContactStatus.COMPLETED)), True),
        (v1_api.CampaignResult(Campaign(id=1), attrs.evolve(CONTACT, status=None)), False),
        (tingting_async.CampaignResult(campaign, number), True),
        (tingting_async.CampaignResult(campaign, attrs.evolve(number, status=NumberStatus.UNANSWERED)), False),
    ):
        record = as_record(result)
        assert (reached, reached, "was_reached") == (result.was_reached, record["was_reached"], [*record][-1])
