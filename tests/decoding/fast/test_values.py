"""Values that the fast path has decoded and keeps, and dates in the forms that only the hooks know."""

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tingting_async import v1
from tingting_async.decoding.decoder import ResponseFormat
from tingting_async.decoding.fast.codegen import MAX_FOUND, Found
from tingting_async.decoding.payload import InvalidValueError
from tingting_async.decoding.scalars import read_decimal
from tingting_async.v1.pages import RESPONSES


@attrs.frozen
class Price:
    amount: Decimal


@attrs.frozen
class OptionalPrice:
    amount: Decimal | None = None


@pytest.mark.parametrize("numbers", [(1, 1.0), (2.0, 2), ("3", 3, 3.0), (4.0, "4.00", 4), (-0.0, 0.0)])
def test_equal_numbers_are_not_confused(numbers: tuple[Any, ...]) -> None:
    """Numbers that are equal are decoded to decimals of their own digits, whichever comes first."""
    fast = ResponseFormat().fast
    assert fast is not None
    body = json.dumps([{"amount": number} for number in numbers]).encode()
    found, _ = fast.page_decoders[list[Price], ()](body)
    assert [str(number) for number in numbers] == [str(price.amount) for price in found]


def test_empty_values() -> None:
    """An optional value that is null, or an empty string, is None on the fast path, too."""
    fast = ResponseFormat().fast
    assert fast is not None
    body = b'[{"amount": ""}, {"amount": null}, {"amount": "5"}, {"amount": ""}, {}]'
    found, _ = fast.page_decoders[list[OptionalPrice], ()](body)
    assert [price.amount for price in found] == [None, None, Decimal(5), None, None]


def test_only_some_values_are_kept() -> None:
    """What is kept of decoded values does not grow without limit, and what raises an error is not kept."""
    kept = Found(read_decimal, Decimal)
    for number in range(3 * MAX_FOUND):
        assert Decimal(number) == kept[number]
        assert len(kept) <= MAX_FOUND
    kept.clear()
    for wrong in ("none", "0" * 101):
        with pytest.raises(InvalidValueError):
            kept[wrong]
    assert kept == {}


@pytest.mark.parametrize("text", ["Jan. 27, 2026, 05:19 PM", "2026-01-27T17:19:00", "2026-01-27", "2026-01-27 17:19"])
def test_a_date_in_an_unusual_form(text: str) -> None:
    """A date that only the generation's own hook can decode does not keep the other fields from the fast path."""
    fast = RESPONSES.fast
    assert fast is not None
    payload = {"id": 1, "updated_at": text, "created_at": "2026-01-27T17:19:00+05:45", "call_duration": "5s", "new": 5}
    found, expected = fast.decode(payload, v1.Contact), RESPONSES.strict.structure(payload, v1.Contact)
    assert expected == found
    assert expected.updated_at is not None
    assert found.updated_at is not None
    assert expected.updated_at.utcoffset() == found.updated_at.utcoffset()
